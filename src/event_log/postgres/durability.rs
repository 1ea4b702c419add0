//! What is demanded of the database, so that it keeps what it acknowledges.

use std::fmt;

use tokio_postgres::Row;

/// What a database must change so that it keeps acknowledged records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DurabilityProblems(Vec<&'static str>);

impl DurabilityProblems {
    /// How many there are.
    pub(super) const fn count(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Display for DurabilityProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}

/// What the durability of a commit depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DurabilityState {
    fsync: String,
    full_page_writes: String,
    standby_names: String,
    /// The number of standbys.
    standbys: i64,
    /// The number of those that commits may wait for.
    synchronous: i64,
}

impl DurabilityState {
    /// Reads a row of [`super::sql::DURABILITY`].
    pub(super) fn of(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            fsync: row.try_get(0)?,
            full_page_writes: row.try_get(1)?,
            standby_names: row.try_get(2)?,
            standbys: row.try_get(3)?,
            synchronous: row.try_get(4)?,
        })
    }

    /// Checks that a commit that the database acknowledges survives the loss of a server.
    ///
    /// # Errors
    /// What must be changed.
    pub(super) fn check(&self) -> Result<(), DurabilityProblems> {
        let problems = [
            (self.fsync != "on", "fsync is off: set fsync = on"),
            (self.full_page_writes != "on", "full_page_writes is off: set full_page_writes = on"),
            (
                self.standby_names.is_empty(),
                "commits wait for no standby: set synchronous_standby_names, such as ANY 1 (a, b)",
            ),
            (
                !self.standby_names.is_empty() && self.standbys == 0,
                "no standby is connected: start one",
            ),
            (
                !self.standby_names.is_empty() && self.standbys > 0 && self.synchronous == 0,
                "no standby is synchronous: name one in synchronous_standby_names, and grant \
                 pg_read_all_stats to this role so that it can be seen",
            ),
        ];
        let problems = problems.into_iter().filter(|(is_there, _)| *is_there);
        let problems: Vec<_> = problems.map(|(_, problem)| problem).collect();
        if problems.is_empty() { Ok(()) } else { Err(DurabilityProblems(problems)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> DurabilityState {
        DurabilityState {
            fsync: "on".to_owned(),
            full_page_writes: "on".to_owned(),
            standby_names: "ANY 1 (b, c)".to_owned(),
            standbys: 2,
            synchronous: 2,
        }
    }

    #[test]
    fn a_synchronous_cluster_is_durable() {
        assert_eq!(sound().check(), Ok(()));
        assert_eq!(DurabilityState { synchronous: 1, ..sound() }.check(), Ok(()));
    }

    #[test]
    fn every_problem_is_named() {
        let asynchronous = DurabilityState { standby_names: String::new(), ..sound() };
        let unsafe_writes = DurabilityState {
            fsync: "off".to_owned(),
            full_page_writes: "off".to_owned(),
            ..sound()
        };
        let alone = DurabilityState { standbys: 0, synchronous: 0, ..sound() };
        let hidden = DurabilityState { synchronous: 0, ..sound() };
        for (state, words) in [
            (asynchronous, &["synchronous_standby_names"][..]),
            (unsafe_writes, &["fsync = on", "full_page_writes = on"]),
            (alone, &["no standby is connected"]),
            (hidden, &["no standby is synchronous", "pg_read_all_stats"]),
        ] {
            let problems = state.check().expect_err("a problem").to_string();
            assert!(words.iter().all(|word| problems.contains(word)), "{problems}");
        }
    }
}
