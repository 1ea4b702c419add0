//! Counters that differ in one label, which has few values, all known beforehand.

use prometheus_client::metrics::{counter::Counter, family::Family};

/// What a label can say.
pub(super) trait Value: Copy + Eq + 'static {
    /// Everything that it can say.
    const ALL: &'static [Self];

    /// How it says so.
    fn label(self) -> &'static str;
}

/// One counter for each value. All of them are there from the beginning: an increase
/// can only be seen from a zero.
#[derive(Debug, Clone)]
pub(super) struct Labelled<V> {
    pub(super) family: Family<[(&'static str, &'static str); 1], Counter>,
    counters: Vec<(V, Counter)>,
}

impl<V: Value> Labelled<V> {
    pub(super) fn by(label: &'static str) -> Self {
        let family = Family::<[_; 1], Counter>::default();
        let counter = |value: &V| (*value, family.get_or_create_owned(&[(label, value.label())]));
        let counters = V::ALL.iter().map(counter).collect();
        Self { family, counters }
    }

    pub(super) fn count(&self, value: V) {
        if let Some((_, counter)) = self.counters.iter().find(|(known, _)| *known == value) {
            counter.inc();
        }
    }
}
