//! `UserPoolHistoryService`: parse, ask, answer.

use std::sync::Arc;

use futures_util::stream;
use sha2::{Digest as _, Sha256};
use tonic::{Request, Response, Status, codegen::BoxStream};

use crate::{
    app::{App, Follow, Followed},
    audit::checkpoint::Signer,
    event_log::{Hash, Head, Position},
    proto::{
        self, GetCheckpointKeyRequest, GetCheckpointKeyResponse, GetSignedCheckpointRequest,
        GetSignedCheckpointResponse, HashAnchor, ListUserPoolEventsRequest,
        ListUserPoolEventsResponse, ReplayUserPoolRequest, ReplayUserPoolResponse,
        VerifyUserPoolHistoryRequest, VerifyUserPoolHistoryResponse, WatchCheckpoint,
        WatchUserPoolEventsRequest,
        served::{
            WatchUserPoolEventsResponse, user_pool_history_service_server::UserPoolHistoryService,
            watch_user_pool_events_response::Content,
        },
    },
    user_pool::{EventQuery, Noted, Replay, Watch},
};

use super::{page_token, status};

#[derive(Debug)]
pub(super) struct History {
    pub(super) app: Arc<App>,
    pub(super) signer: Arc<Signer>,
}

#[tonic::async_trait]
impl UserPoolHistoryService for History {
    type WatchUserPoolEventsStream = BoxStream<WatchUserPoolEventsResponse>;

    async fn list_user_pool_events(
        &self,
        request: Request<ListUserPoolEventsRequest>,
    ) -> Result<Response<ListUserPoolEventsResponse>, Status> {
        let query = EventQuery::parse(request.into_inner())?;
        let list = list_name(&query);
        let start = match query.page_token.as_str() {
            "" => None,
            token => Some(page_token::decode_number(&list, token)?),
        };
        let page = self.app.history().page(&query, start).await?;
        let next = page.next.map(|place| page_token::encode(&list, &place.to_be_bytes()));
        Ok(Response::new(ListUserPoolEventsResponse {
            events: page.events,
            next_page_token: next.unwrap_or_default(),
            head_position: page.head.to_int(),
        }))
    }

    async fn replay_user_pool(
        &self,
        request: Request<ReplayUserPoolRequest>,
    ) -> Result<Response<ReplayUserPoolResponse>, Status> {
        let replay = Replay::parse(request.into_inner())?;
        let replayed = self.app.history().replay(&replay, self.app.source().now()).await?;
        Ok(Response::new(ReplayUserPoolResponse {
            user_pool: Some(replayed.user_pool),
            deleted: replayed.deleted,
            revision: replayed.last.revision,
            position: replayed.last.position,
            record_time: replayed.last.record_time,
            hash: replayed.last.hash,
        }))
    }

    async fn watch_user_pool_events(
        &self,
        request: Request<WatchUserPoolEventsRequest>,
    ) -> Result<Response<Self::WatchUserPoolEventsStream>, Status> {
        let watch = Watch::parse(request.into_inner())?;
        let follow = self.app.history().follow(watch)?;
        let watching = Some((follow, Arc::clone(&self.app)));
        // Ends with the first error, which is also how it tells of a shutdown.
        let stream = stream::unfold(watching, |watching| async {
            let (mut follow, app) = watching?;
            let next = next(&mut follow, &app).await;
            let watching = next.is_ok().then_some((follow, app));
            Some((next, watching))
        });
        Ok(Response::new(Box::pin(stream)))
    }

    async fn verify_user_pool_history(
        &self,
        request: Request<VerifyUserPoolHistoryRequest>,
    ) -> Result<Response<VerifyUserPoolHistoryResponse>, Status> {
        let noted = Noted::parse(request.into_inner())?;
        let noted = noted.map(|Noted { position, hash }| Head {
            position: Position(position),
            hash: Hash(hash),
        });
        let verified = self.app.history().verify(noted).await?;
        let problem = verified.problem;
        Ok(Response::new(VerifyUserPoolHistoryResponse {
            valid: problem.is_none(),
            event_count: i64::try_from(verified.events).unwrap_or(i64::MAX),
            head: Some(HashAnchor {
                position: verified.head.position.to_int(),
                hash: verified.head.hash.0.to_vec(),
            }),
            first_invalid_position: problem.as_ref().map(|problem| problem.position.to_int()),
            problem: problem.map(|problem| problem.description),
        }))
    }

    async fn get_signed_checkpoint(
        &self,
        _request: Request<GetSignedCheckpointRequest>,
    ) -> Result<Response<GetSignedCheckpointResponse>, Status> {
        let checkpoint = self.signer.sign(self.app.history().head()?, self.app.source().now());
        Ok(Response::new(GetSignedCheckpointResponse { checkpoint: Some(checkpoint) }))
    }

    async fn get_checkpoint_key(
        &self,
        _request: Request<GetCheckpointKeyRequest>,
    ) -> Result<Response<GetCheckpointKeyResponse>, Status> {
        Ok(Response::new(GetCheckpointKeyResponse {
            public_key: self.signer.public_key().to_vec(),
            public_key_pem: self.signer.public_key_pem(),
        }))
    }
}

/// The next message of a watch.
async fn next(follow: &mut Follow, app: &App) -> Result<WatchUserPoolEventsResponse, Status> {
    let content = match follow.next().await? {
        Followed::Event(event) => Content::Event(event),
        Followed::Checkpoint { position, caught_up } => Content::Checkpoint(WatchCheckpoint {
            position: position.to_int(),
            time: Some(proto::timestamp(app.source().now())),
            caught_up,
        }),
        Followed::Draining => return Err(status::watch_ends()),
    };
    Ok(WatchUserPoolEventsResponse { content: Some(content) })
}

/// What binds a page token to its list: all that must stay the same.
fn list_name(query: &EventQuery) -> String {
    let filter = Hash(Sha256::digest(query.filter.to_bytes()).into());
    format!("ListUserPoolEvents {} {filter}", query.backward)
}
