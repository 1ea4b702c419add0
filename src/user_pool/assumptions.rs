//! What the check of a range of events takes as given, because only earlier events show it.

use std::collections::BTreeMap;

/// How many subjects of an assumption are kept as examples.
const MAX_EXAMPLES: usize = 3;

/// A kind of fact that only the events before a range show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Assumption {
    /// A user pool existed with the revision before its first one in the range, and was not
    /// deleted, unless it is restored in the range.
    Exists,
    /// An update in the range did not change the domains of its user pool.
    KeepsDomain,
    /// A user pool that is deleted in the range was not protected, and had no domain.
    IsDeletable,
    /// A domain that is changed or removed in the range belonged to its user pool.
    OwnsDomain,
    /// A domain that is assigned in the range had no owner, and its user pool had no other.
    DomainIsFree,
}

/// The assumptions of a check.
#[derive(Debug, Clone, Default)]
pub struct Assumptions(BTreeMap<Assumption, Subjects>);

/// The user pools or domains that an assumption was made of.
#[derive(Debug, Clone, Default)]
pub struct Subjects {
    /// How often it was made.
    pub count: u64,
    /// The first of them.
    pub examples: Vec<String>,
}

impl Assumptions {
    pub(super) fn add(&mut self, assumption: Assumption, subject: &str) {
        let Subjects { count, examples } = self.0.entry(assumption).or_default();
        *count = count.saturating_add(1);
        if examples.len() < MAX_EXAMPLES {
            examples.push(subject.to_owned());
        }
    }

    /// The assumptions that were made.
    pub fn iter(&self) -> impl Iterator<Item = (Assumption, &Subjects)> {
        self.0.iter().map(|(assumption, subjects)| (*assumption, subjects))
    }
}
