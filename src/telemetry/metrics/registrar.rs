//! How metrics are registered and set.

use std::{fmt, hash::Hash, sync::atomic::AtomicU64};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

/// A histogram of durations from 100 µs to 10 s, with narrow buckets where most are.
pub(super) fn duration_histogram() -> Histogram {
    Histogram::new([
        0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
        5.0, 10.0,
    ])
}

/// Sets a gauge to a number; one that is too large becomes the largest.
pub(super) fn set(gauge: &Gauge, value: impl TryInto<i64>) {
    gauge.set(value.try_into().unwrap_or(i64::MAX));
}

/// The labels that distinguish the metrics of a family.
pub(super) trait LabelSet:
    EncodeLabelSet + Clone + Eq + fmt::Debug + Hash + Send + Sync + 'static
{
}

impl<T: EncodeLabelSet + Clone + Eq + fmt::Debug + Hash + Send + Sync + 'static> LabelSet for T {}

/// Registers metrics in a registry.
pub(super) struct Registrar<'a>(pub(super) &'a mut Registry);

impl Registrar<'_> {
    pub(super) fn histogram(&mut self, name: &str, help: &str, unit: Unit, histogram: &Histogram) {
        self.0.register_with_unit(name, help, unit, histogram.clone());
    }

    pub(super) fn gauge(&mut self, name: &str, help: &str, gauge: &Gauge) {
        self.0.register(name, help, gauge.clone());
    }

    pub(super) fn bytes(&mut self, name: &str, help: &str, gauge: &Gauge) {
        self.0.register_with_unit(name, help, Unit::Bytes, gauge.clone());
    }

    pub(super) fn seconds(&mut self, name: &str, help: &str, gauge: &Gauge<f64, AtomicU64>) {
        self.0.register_with_unit(name, help, Unit::Seconds, gauge.clone());
    }

    pub(super) fn ratio(&mut self, name: &str, help: &str, gauge: &Gauge<f64, AtomicU64>) {
        self.0.register_with_unit(name, help, Unit::Other("ratio".to_owned()), gauge.clone());
    }

    pub(super) fn counters<L: LabelSet>(
        &mut self,
        name: &str,
        help: &str,
        counters: &Family<L, Counter>,
    ) {
        self.0.register(name, help, Family::clone(counters));
    }
}
