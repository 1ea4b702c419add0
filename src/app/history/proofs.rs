//! Proofs for those who do not trust this server: that a record is in the Merkle tree, and that
//! one tree continues another.

use crate::{
    audit::{
        checkpoint::LogState,
        merkle::{TreeHead, prove_consistency, prove_inclusion},
    },
    event_log::{Hash, Position, ReadLimit, Record},
    proto::{GetConsistencyProofRequest, GetInclusionProofRequest, to_unsigned},
    user_pool::{Check, InvalidRequest, UserPoolId, fields},
};

use super::{History, HistoryError, records::missing, sequence::EventSequence};

/// A request to prove that an event is in the log.
#[derive(Debug, Clone)]
pub struct InclusionQuery {
    event: EventPlace,
    /// The size of the tree. `None`: the newest tree.
    size: Option<u64>,
}

/// Where an event is.
#[derive(Debug, Clone)]
enum EventPlace {
    Position(Position),
    Revision(UserPoolId, u64),
}

/// A request to prove that one tree continues another.
#[derive(Debug, Clone, Copy)]
pub struct ConsistencyQuery {
    old: u64,
    /// The size of the newer tree. `None`: the newest tree.
    new: Option<u64>,
}

/// A record, and the hashes that lead from it to the root.
#[derive(Debug, Clone)]
pub struct InclusionProof {
    /// The record.
    pub record: Record,
    /// Its index among the leaves.
    pub index: u64,
    /// The tree.
    pub tree: TreeHead,
    /// The hashes, from the sibling of the leaf to the child of the root.
    pub hashes: Vec<Hash>,
    /// The end of the log, if the tree is the newest one.
    pub newest: Option<LogState>,
}

/// The hashes that lead from the root of one tree to that of another.
#[derive(Debug, Clone)]
pub struct ConsistencyProof {
    /// The older tree.
    pub old: TreeHead,
    /// The newer tree.
    pub new: TreeHead,
    /// The hashes.
    pub hashes: Vec<Hash>,
    /// The end of the log, if the newer tree is the newest one.
    pub newest: Option<LogState>,
}

impl InclusionQuery {
    /// Checks a request for a proof.
    ///
    /// # Errors
    /// The field rules that it breaks.
    pub fn parse(request: GetInclusionProofRequest) -> Result<Self, InvalidRequest> {
        Check::run(|check| check_inclusion(check, &request))?;
        let GetInclusionProofRequest { position, user_pool_id, revision, tree_size, .. } = request;
        let event = match (position, user_pool_id) {
            (None, Some(id)) => {
                let revision = to_unsigned(revision.unwrap_or_default());
                EventPlace::Revision(UserPoolId::from_trusted(id), revision)
            }
            (position, _) => EventPlace::Position(Position::from_int(position.unwrap_or_default())),
        };
        Ok(Self { event, size: tree_size.map(to_unsigned) })
    }
}

impl ConsistencyQuery {
    /// Checks a request for a proof.
    ///
    /// # Errors
    /// The field rules that it breaks.
    pub fn parse(request: GetConsistencyProofRequest) -> Result<Self, InvalidRequest> {
        Check::run(|check| {
            let GetConsistencyProofRequest { old_size, new_size, min_position } = request;
            check.range("old_size", Some(old_size), 0..=i64::MAX);
            check.range("new_size", new_size, old_size.max(0)..=i64::MAX);
            fields::min_position(check, min_position);
        })?;
        let GetConsistencyProofRequest { old_size, new_size, .. } = request;
        Ok(Self { old: to_unsigned(old_size), new: new_size.map(to_unsigned) })
    }
}

impl ConsistencyQuery {
    /// Asks for the proof from a tree of this size to a newer one.
    #[must_use]
    pub const fn between(old: u64, new: u64) -> Self {
        Self { old, new: Some(new) }
    }
}

impl History {
    /// Proves that an event is in the log.
    ///
    /// # Errors
    /// See [`HistoryError`].
    pub async fn prove_inclusion(
        &self,
        query: &InclusionQuery,
    ) -> Result<InclusionProof, HistoryError> {
        match self.prove_visible(query).await {
            Ok(proof) => Ok(proof),
            Err(error) => {
                self.wait_beyond(error).await?;
                self.prove_visible(query).await
            }
        }
    }

    async fn prove_visible(&self, query: &InclusionQuery) -> Result<InclusionProof, HistoryError> {
        let position = match &query.event {
            EventPlace::Position(position) => *position,
            EventPlace::Revision(id, revision) => self.position_of(id, *revision)?,
        };
        self.wait_for(position).await?;
        let (index, tree, hashes, newest) = {
            let all = self.read_model.tree();
            let size = checked_size(query.size, all.size())?;
            if position.0 > size {
                return Err(HistoryError::AfterTree { position, tree_size: size });
            }
            let index = position.0.saturating_sub(1);
            let tree = TreeHead { size, root: all.root(size)? };
            let hashes = prove_inclusion(&all, index, size)?;
            (index, tree, hashes, (size == all.size()).then(|| all.state()))
        };
        let records = self.read_at(vec![position], ReadLimit::PAGE).await?;
        let record = records.into_iter().next().ok_or_else(|| missing(position))?;
        if tree.verify_inclusion(&record.stored, index, &hashes).is_err() {
            return Err(self.report_tree(tree.size).await);
        }
        Ok(InclusionProof { record, index, tree, hashes, newest })
    }

    /// Proves that the log of one size continues that of another.
    ///
    /// # Errors
    /// See [`HistoryError`].
    pub async fn prove_consistency(
        &self,
        query: ConsistencyQuery,
    ) -> Result<ConsistencyProof, HistoryError> {
        match self.prove_visible_sizes(query) {
            Ok(proof) => Ok(proof),
            Err(error) => {
                self.wait_beyond(error).await?;
                self.prove_visible_sizes(query)
            }
        }
    }

    fn prove_visible_sizes(
        &self,
        query: ConsistencyQuery,
    ) -> Result<ConsistencyProof, HistoryError> {
        let all = self.read_model.tree();
        let old = checked_size(Some(query.old), all.size())?;
        let new = checked_size(query.new, all.size())?;
        let hashes = prove_consistency(&all, old, new)?;
        let newest = (new == all.size()).then(|| all.state());
        let [old, new] = [old, new].map(|size| all.root(size).map(|root| TreeHead { size, root }));
        let (old, new) = (old?, new?);
        if new.verify_continues(&old, &hashes).is_err() {
            return Err(self.read_model.report_tree(new.size).into());
        }
        Ok(ConsistencyProof { old, new, hashes, newest })
    }

    /// The position of the event of a user pool with this revision.
    fn position_of(&self, id: &UserPoolId, revision: u64) -> Result<Position, HistoryError> {
        let sequence = EventSequence::stream(self, id, self.head().position)?;
        let found = self.read_model.positions(id, revision..=revision)?;
        let beyond = || HistoryError::BeyondEnd {
            what: "revision",
            requested: revision.to_string(),
            current: sequence.length().to_string(),
        };
        found.first().copied().ok_or_else(beyond)
    }
}

/// The requested size, or else the newest one, which it must not exceed.
fn checked_size(requested: Option<u64>, newest: u64) -> Result<u64, HistoryError> {
    match requested {
        Some(size) if size > newest => Err(HistoryError::BeyondEnd {
            what: "tree size",
            requested: size.to_string(),
            current: newest.to_string(),
        }),
        requested => Ok(requested.unwrap_or(newest)),
    }
}

fn check_inclusion(check: &mut Check, request: &GetInclusionProofRequest) {
    let GetInclusionProofRequest { position, user_pool_id, revision, tree_size, min_position } =
        request;
    check.range("position", *position, 1..=i64::MAX);
    if position.is_some() {
        check.forbid("user_pool_id", user_pool_id.as_ref());
        check.forbid("revision", revision.as_ref());
    } else {
        fields::user_pool_id(check, user_pool_id.as_ref());
        check.required("revision", revision.as_ref());
        check.range("revision", *revision, 1..=i64::MAX);
    }
    check.range("tree_size", *tree_size, 1..=i64::MAX);
    fields::min_position(check, *min_position);
}
