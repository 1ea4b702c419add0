//! Counters that are distinguished by one label, whose values are few and known.

use prometheus_client::metrics::{counter::Counter, family::Family};

/// The values of a label.
pub(super) trait LabelValue: Copy + Eq + 'static {
    /// All values.
    const ALL: &'static [Self];

    /// The value as text.
    fn label(self) -> &'static str;
}

/// One counter for each value. All of them exist from the start, because Prometheus can
/// compute the first increase only if it has scraped the zero.
#[derive(Debug, Clone)]
pub(super) struct LabeledCounters<V> {
    pub(super) family: Family<[(&'static str, &'static str); 1], Counter>,
    counters: Vec<(V, Counter)>,
}

impl<V: LabelValue> LabeledCounters<V> {
    pub(super) fn new(label: &'static str) -> Self {
        let family = Family::<[_; 1], Counter>::default();
        let counter = |value: &V| (*value, family.get_or_create_owned(&[(label, value.label())]));
        let counters = V::ALL.iter().map(counter).collect();
        Self { family, counters }
    }

    pub(super) fn increment(&self, value: V) {
        if let Some((_, counter)) = self.counters.iter().find(|(known, _)| *known == value) {
            counter.inc();
        }
    }
}
