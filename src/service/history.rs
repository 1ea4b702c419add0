//! The operations of `UserPoolHistoryService`.

use std::sync::Arc;

use futures_util::{Stream, stream};

use crate::{
    app::{
        App, CountQuery, EventQuery, Follow, FollowItem, ReadMode, ReplayQuery, VerifyQuery,
        WatchQuery, parse_min_position,
    },
    audit::Verification,
    auth::Identity,
    event_log::{Head, Position},
    proto::{
        self, CountUserPoolEventsRequest, CountUserPoolEventsResponse, DescribeLogRequest,
        DescribeLogResponse, HashAnchor, ListUserPoolEventsRequest, ListUserPoolEventsResponse,
        ReplayUserPoolRequest, ReplayUserPoolResponse, VerifyUserPoolHistoryRequest,
        VerifyUserPoolHistoryResponse, WatchCheckpoint, WatchUserPoolEventsRequest,
        served::{WatchUserPoolEventsResponse, watch_user_pool_events_response::Content},
    },
    user_pool::UserPoolState,
};

use super::{Error, Operations, log_id, page_token};

impl Operations {
    pub(crate) async fn list_user_pool_events(
        &self,
        request: ListUserPoolEventsRequest,
    ) -> Result<ListUserPoolEventsResponse, Error> {
        let min_position = request.min_position;
        let query = EventQuery::parse(request)?;
        self.wait_to_read(min_position).await?;
        let list = self.list_name(&list_of_events(&query));
        let start = match query.page_token.as_str() {
            "" => None,
            token => Some(page_token::decode_number(&list, token)?),
        };
        let page = self.app.history().page(&query, start).await?;
        let next = page.next.map(|place| page_token::encode(&list, &place.to_be_bytes()));
        Ok(ListUserPoolEventsResponse {
            events: page.events,
            next_page_token: next.unwrap_or_default(),
            head_position: page.head.to_int(),
        })
    }

    pub(crate) async fn replay_user_pool(
        &self,
        request: ReplayUserPoolRequest,
    ) -> Result<ReplayUserPoolResponse, Error> {
        let min_position = request.min_position;
        let replay = ReplayQuery::parse(request)?;
        self.wait_to_read(min_position).await?;
        let replayed = self.app.history().replay(&replay, self.app.source().now()).await?;
        let deleted = matches!(replayed.state, UserPoolState::Deleted(_));
        let user_pool = replayed.state.last_user_pool().cloned().unwrap_or_default();
        Ok(ReplayUserPoolResponse {
            user_pool: Some(self.with_arn(user_pool)),
            deleted,
            revision: replayed.last.revision,
            position: replayed.last.position,
            record_time: replayed.last.record_time,
            hash: replayed.last.hash,
        })
    }

    /// The stream ends with its first error. A shutdown is also an error.
    pub(crate) async fn watch_user_pool_events(
        &self,
        request: WatchUserPoolEventsRequest,
    ) -> Result<impl Stream<Item = Result<WatchUserPoolEventsResponse, Error>> + use<>, Error> {
        let watch = WatchQuery::parse(request)?;
        let follow = self.app.history().follow(watch).await?;
        let watching = Some((follow, Arc::clone(&self.app)));
        Ok(stream::unfold(watching, |watching| async {
            let (mut follow, app) = watching?;
            let next = next_content(&mut follow, &app).await;
            let next = next.map(|content| WatchUserPoolEventsResponse { content: Some(content) });
            let watching = next.is_ok().then_some((follow, app));
            Some((next, watching))
        }))
    }

    pub(crate) async fn verify_user_pool_history(
        &self,
        request: VerifyUserPoolHistoryRequest,
    ) -> Result<VerifyUserPoolHistoryResponse, Error> {
        let min_position = request.min_position;
        let VerifyQuery { expected, log_id } = VerifyQuery::parse(request)?;
        self.wait_to_read(min_position).await?;
        if let Some(expected) = log_id {
            self.app.history().check_log(expected).await?;
        }
        let Verification { head, root, mismatch } = self.app.history().verify(expected).await?;
        Ok(VerifyUserPoolHistoryResponse {
            valid: mismatch.is_none(),
            event_count: head.position.to_int(),
            head: Some(self.anchor(head)),
            first_invalid_position: mismatch.as_ref().map(|mismatch| mismatch.position.to_int()),
            problem: mismatch.map(|mismatch| mismatch.cause.to_string()),
            root_hash: root.0.to_vec(),
        })
    }

    pub(crate) async fn describe_log(
        &self,
        request: DescribeLogRequest,
        caller: &Identity,
    ) -> Result<DescribeLogResponse, Error> {
        let history = self.app.history();
        // Without a position, it also answers when the log cannot be reached.
        if let Some(position) = parse_min_position(request.min_position)? {
            history.wait_for(Position::from_int(position)).await?;
        }
        let (user_pools, domains) = self.app.counts();
        Ok(DescribeLogResponse {
            head: Some(self.anchor(history.head())),
            durable_position: history.durable().position.to_int(),
            user_pool_count: i64::try_from(user_pools).unwrap_or(i64::MAX),
            domain_count: i64::try_from(domains).unwrap_or(i64::MAX),
            region: self.app.region().to_owned(),
            engine: history.engine().to_owned(),
            checkpoint_key: self.signer.public_key().to_vec(),
            server_version: env!("CARGO_PKG_VERSION").to_owned(),
            caller: caller.to_string(),
            reads: match self.app.reads() {
                None => proto::ReadMode::Unspecified,
                Some(ReadMode::Latest) => proto::ReadMode::Latest,
                Some(ReadMode::Strict) => proto::ReadMode::Strict,
                Some(ReadMode::Local) => proto::ReadMode::Local,
            }
            .into(),
            replica: self.replica().unwrap_or_default().to_owned(),
        })
    }

    pub(crate) async fn count_user_pool_events(
        &self,
        request: CountUserPoolEventsRequest,
    ) -> Result<CountUserPoolEventsResponse, Error> {
        let min_position = request.min_position;
        let query = CountQuery::parse(request)?;
        self.wait_to_read(min_position).await?;
        let list = self.list_name(&list_of_counts(&query));
        let start = match query.page_token.as_str() {
            "" => None,
            token => Some(page_token::decode_number(&list, token)?),
        };
        let page = self.app.history().count(&query, start)?;
        let next = page.next.map(|hour| page_token::encode(&list, &hour.to_be_bytes()));
        Ok(CountUserPoolEventsResponse {
            counts: page.counts,
            next_page_token: next.unwrap_or_default(),
            head_position: page.head.to_int(),
        })
    }

    /// The anchor of an event of this log.
    fn anchor(&self, Head { position, hash }: Head) -> HashAnchor {
        let log_id = log_id(&self.app);
        HashAnchor { position: position.to_int(), hash: hash.0.to_vec(), log_id }
    }
}

async fn next_content(follow: &mut Follow, app: &App) -> Result<Content, Error> {
    Ok(match follow.next().await? {
        FollowItem::Event(event) => Content::Event(event),
        FollowItem::Checkpoint { last, caught_up } => Content::Checkpoint(WatchCheckpoint {
            position: last.position.to_int(),
            hash: last.hash.0.to_vec(),
            log_id: log_id(app),
            time: Some(proto::to_timestamp(app.source().now())),
            caught_up,
        }),
        FollowItem::Draining => return Err(Error::watch_ended()),
    })
}

/// The name of the list of the events that meet a filter, in a direction.
fn list_of_events(query: &EventQuery) -> String {
    let list = format!("ListUserPoolEvents {}", query.backward);
    page_token::list_of(&list, &query.filter.to_bytes())
}

/// The name of the list of the counts of these hours.
fn list_of_counts(query: &CountQuery) -> String {
    let CountQuery { hours, hours_per_count, page_token: _ } = query;
    format!("CountUserPoolEvents {}-{} {hours_per_count}", hours.start, hours.end)
}
