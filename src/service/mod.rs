//! The operations: one function each, with the request message in and the response
//! message, a stream of them, or an [`Error`] out. Page tokens, request fingerprints and the
//! responses of a watch are made here; a protocol adapter only decodes, calls and encodes.
//! Knows nothing of HTTP or gRPC.

mod arn;
mod domains;
mod error;
mod fingerprint;
mod history;
mod mfa;
mod page_token;
mod proofs;
mod tags;
mod user_pools;

use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;

use crate::{
    app::{App, Context, EncodedPool, ExecuteError, Outcome},
    audit::checkpoint::Signer,
    event_log::Position,
    proto::{Actor, UserPool},
    user_pool::{CheckedCommand, InvalidRequest, Rejection, UserPoolArns, UserPoolId},
};

pub use self::error::Error;
pub(crate) use self::error::Refusal;
use self::fingerprint::{Mutation, fingerprint};

/// Every operation of the API.
#[derive(Debug)]
pub struct Operations {
    app: Arc<App>,
    signer: Arc<Signer>,
    /// The AWS account ID in every ARN and every description of a domain.
    account_id: String,
    /// The ARNs of the user pools.
    arns: UserPoolArns,
    /// The name of this server.
    replica: String,
}

/// The caller, as it is recorded with a change.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// The identity that the server established, and the origin of the call.
    pub actor: Actor,
    /// Links the call to logs and traces.
    pub correlation_id: String,
    /// The W3C trace that the call is part of.
    pub traceparent: Option<String>,
}

impl Operations {
    /// The operations of one application.
    #[must_use]
    pub fn new(app: Arc<App>, signer: Arc<Signer>, account_id: String) -> Self {
        let arns = UserPoolArns::new(app.region(), &account_id);
        Self { app, signer, account_id, arns, replica: String::new() }
    }

    /// The same operations, of a server with this name.
    #[must_use]
    pub fn with_replica(self, replica: String) -> Self {
        Self { replica, ..self }
    }

    /// The name of this server among those that share its log, if it shares it.
    pub(crate) fn replica(&self) -> Option<&str> {
        self.app.reads().map(|_| self.replica.as_str()).filter(|name| !name.is_empty())
    }

    /// A user pool that exists, and was not deleted.
    async fn existing_pool(&self, id: UserPoolId) -> Result<EncodedPool, Error> {
        let pool = self.app.describe(&id)?.ok_or_else(|| Error::not_found(&id))?;
        if pool.deleted {
            return Err(self.deleted(id, pool.revision).await);
        }
        Ok(pool)
    }

    /// Checks a request and executes it. The change is durable on return.
    async fn execute<M: Mutation>(
        &self,
        mut request: M,
        caller: Caller,
        check: impl FnOnce(M) -> Result<CheckedCommand, InvalidRequest>,
    ) -> Result<Outcome, Error> {
        let fingerprint = fingerprint(&mut request);
        let Caller { actor, correlation_id, traceparent } = caller;
        let context = Context { actor, correlation_id, traceparent, fingerprint };
        match self.app.execute(check(request)?, context).await {
            Err(ExecuteError::Rejected(Rejection::Deleted { user_pool_id, revision })) => {
                Err(self.deleted(user_pool_id, revision).await)
            }
            answer => Ok(answer?),
        }
    }

    /// Waits until the response shows this position. Without one: what `--reads` promises.
    async fn wait_to_read(&self, min_position: Option<i64>) -> Result<(), Error> {
        Ok(self.app.history().wait_to_read(min_position.map(Position::from_int)).await?)
    }

    /// A decoded user pool with its ARN.
    fn with_arn(&self, user_pool: UserPool) -> UserPool {
        let arn = user_pool.id.as_ref().map(|id| self.arns.of(id));
        UserPool { arn, ..user_pool }
    }

    /// The position of the last visible event. Nothing that was read before this call is later.
    fn head_position(&self) -> i64 {
        self.app.history().head().position.to_int()
    }

    /// The name of a list for its page tokens, which are valid only for this log.
    fn list_name(&self, list: &str) -> String {
        format!("{} {list}", log_id(&self.app))
    }

    /// The refusal of a call for a user pool that was deleted, with the time of its deletion.
    async fn deleted(&self, user_pool_id: UserPoolId, revision: i64) -> Error {
        match self.app.history().last_record_time(&user_pool_id).await {
            Ok(time) => Error::deleted(user_pool_id, revision, time),
            Err(error) => error.into(),
        }
    }
}

/// A stored user pool.
fn decode_pool(encoded: Bytes) -> Result<UserPool, Error> {
    UserPool::decode(encoded).map_err(|_| Error::internal())
}

/// The ID of the log as messages have it: empty for an empty log.
fn log_id(app: &App) -> String {
    app.history().log_id().map(|id| id.to_string()).unwrap_or_default()
}
