//! Compares the answers that the clients got with the state of the server.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, stream};
use tonic::{Code, transport::Channel};
use userpool::proto::{
    DescribeUserPoolRequest, ListUserPoolDomainsRequest, ListUserPoolsRequest, UserPool,
    WatchUserPoolEventsRequest, user_pool_history_service_client::UserPoolHistoryServiceClient,
    user_pool_service_client::UserPoolServiceClient, watch_user_pool_events_request::Start,
    watch_user_pool_events_response::Content,
};

use super::{
    load::{Attempt, Outcome},
    log::Log,
};
use crate::{random::Random, support::Client};

/// How many retries run at a time.
const AT_A_TIME: usize = 16;
/// How many of the older acknowledged requests are retried each time.
const OLD_RETRIES: usize = 40;

/// All answers that clients got, and the log as far as it was read.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) log: Log,
    /// Made since the last check.
    pub(super) fresh: Vec<Attempt>,
    /// Acknowledged, and to be retried with the same request ID.
    retriable: Vec<Attempt>,
    /// How many were acknowledged.
    pub(super) acknowledged: usize,
    /// How many had no answer.
    pub(super) unknown: usize,
}

impl Ledger {
    /// Checks a server that was started on the data of the previous one.
    pub(super) async fn check(&mut self, channel: &Channel, random: &mut Random) {
        let before = self.log.head.position.to_int();
        read_on(&mut self.log, channel).await;
        let mut client = UserPoolServiceClient::new(channel.clone());
        let known = self.retriable.len();
        let fresh = std::mem::take(&mut self.fresh);
        let touched: Vec<_> = fresh.into_iter().map(|attempt| self.settle(attempt)).collect();
        let mut done_now = 0;
        for attempt in touched.into_iter().flatten() {
            done_now += self.finish(attempt, &mut client).await;
        }
        let head = self.log.head.position.to_int();
        read_on(&mut self.log, channel).await;
        let now = self.log.head.position.to_int();
        assert_eq!(now, head + done_now, "retries record only what was not recorded");

        // Retries the latest acknowledged calls and some older ones.
        let mut again = self.older_attempts(random);
        again.extend_from_slice(&self.retriable[known..]);
        self.retry(again, &client).await;
        let changed = self.log.pools.iter().filter(|(_, pool)| pool.position > before);
        let changed: Vec<_> = changed.map(|(id, _)| id.clone()).collect();
        self.compare(&changed, &client).await;
    }

    /// Reads the log and retries a few acknowledged calls: they record nothing, but
    /// all earlier answers must still hold.
    pub(super) async fn look(&mut self, channel: &Channel, random: &mut Random) {
        read_on(&mut self.log, channel).await;
        self.retry(self.older_attempts(random), &UserPoolServiceClient::new(channel.clone())).await;
    }

    fn older_attempts(&self, random: &mut Random) -> Vec<Attempt> {
        let any = |_| random.pick(&self.retriable).cloned();
        (0..OLD_RETRIES).filter_map(any).collect()
    }

    /// The same check for all calls, from the beginning.
    pub(super) async fn check_all(&mut self, channel: &Channel, random: &mut Random) {
        self.check(channel, random).await;
        let mut log = Log::default();
        read_on(&mut log, channel).await;
        assert!(log == self.log, "the log is equal to its parts");
        let client = UserPoolServiceClient::new(channel.clone());
        self.retry(self.retriable.clone(), &client).await;
        let all: Vec<_> = self.log.pools.keys().cloned().collect();
        self.compare(&all, &client).await;
        self.compare_lists(&client).await;
        read_on(&mut log, channel).await;
        assert_eq!(log.head, self.log.head, "retries record nothing");
    }

    /// The results as counts.
    pub(super) fn summary(&self) -> String {
        let events = self.log.head.position;
        let (acknowledged, unknown) = (self.acknowledged, self.unknown);
        format!("{events} events; {acknowledged} commands acknowledged, {unknown} unanswered")
    }

    /// Compares an attempt with the log; returns it if its outcome is unknown and it
    /// can be retried.
    fn settle(&mut self, attempt: Attempt) -> Option<Attempt> {
        let recorded = self.log.marks.get(&attempt.mark);
        match attempt.outcome {
            Outcome::Acknowledged { revision, position, shown } => {
                assert!(recorded.is_some(), "lost: {attempt}");
                let recorded = recorded.expect("there");
                assert_eq!((recorded.position, recorded.revision), (position, revision));
                assert!(shown.is_none() || shown == recorded.shown, "{attempt}");
                self.acknowledged += 1;
                self.retriable.extend(Some(attempt).filter(|attempt| attempt.has_request_id));
                None
            }
            Outcome::NotRecorded => {
                assert_eq!(recorded, None, "refused, and recorded: {attempt}");
                None
            }
            Outcome::Unknown => {
                self.unknown += 1;
                Some(attempt).filter(|attempt| attempt.has_request_id)
            }
        }
    }

    /// Retries a call with an unknown outcome. Returns how many events that recorded.
    async fn finish(&mut self, mut attempt: Attempt, client: &mut Client) -> i64 {
        let recorded = self.log.marks.get(&attempt.mark).copied();
        let (outcome, _) = attempt.send(client).await;
        attempt.outcome = outcome;
        match (outcome, recorded) {
            (Outcome::Acknowledged { position, revision, shown }, Some(recorded)) => {
                assert_eq!((recorded.position, recorded.revision), (position, revision));
                assert!(shown.is_none() || shown == recorded.shown, "{attempt}");
                self.retriable.push(attempt);
                0
            }
            (Outcome::Acknowledged { position, .. }, None) => {
                assert!(position > self.log.head.position.to_int(), "{attempt}");
                self.fresh.push(attempt);
                1
            }
            (Outcome::NotRecorded, None) => 0,
            (Outcome::NotRecorded | Outcome::Unknown, _) => {
                unreachable!("{attempt} after {recorded:?}")
            }
        }
    }

    /// Retries acknowledged calls; the answer is the first one.
    async fn retry(&self, attempts: Vec<Attempt>, client: &Client) {
        let retries = attempts.into_iter().map(|attempt| {
            let mut client = client.clone();
            async move {
                let (outcome, _) = attempt.send(&mut client).await;
                assert_eq!(outcome, attempt.outcome, "{attempt}");
            }
        });
        stream::iter(retries).buffer_unordered(AT_A_TIME).collect::<Vec<_>>().await;
    }

    /// Compares these user pools, as the server shows them, with the folded log.
    async fn compare(&self, ids: &[String], client: &Client) {
        let compared = ids.iter().map(|id| {
            let mut client = client.clone();
            let pool = &self.log.pools[id];
            async move {
                let request = DescribeUserPoolRequest {
                    user_pool_id: Some(id.clone()),
                    ..DescribeUserPoolRequest::default()
                };
                let shown = client.describe_user_pool(request).await;
                let Some(expected) = pool.state.user_pool() else {
                    assert_eq!(shown.expect_err("deleted").code(), Code::NotFound, "{id}");
                    return;
                };
                let shown = shown.expect("described").into_inner();
                assert_eq!((shown.revision, shown.position), (pool.revision, pool.position));
                // The ARN is not in the log.
                let shown = shown.user_pool.map(|shown| UserPool { arn: None, ..shown });
                assert_eq!(shown.as_ref(), Some(expected), "{id}");
            }
        });
        stream::iter(compared).buffer_unordered(AT_A_TIME).collect::<Vec<_>>().await;
    }

    async fn compare_lists(&self, client: &Client) {
        let mut client = client.clone();
        let (mut shown, mut next_token) = (Vec::new(), None);
        loop {
            let request = ListUserPoolsRequest {
                max_results: Some(60),
                next_token,
                ..ListUserPoolsRequest::default()
            };
            let page = client.list_user_pools(request).await.expect("listed").into_inner();
            shown.extend(page.user_pools.into_iter().map(|pool| (pool.id, pool.revision)));
            next_token = page.next_token;
            if next_token.is_none() {
                break;
            }
        }
        let active = self.log.active().into_iter();
        let expected: Vec<_> =
            active.map(|(shown, pool): (&UserPool, _)| (shown.id.clone(), pool.revision)).collect();
        assert_eq!(shown, expected, "the list");

        let (mut shown, mut next_token) = (BTreeSet::new(), None);
        loop {
            let request = ListUserPoolDomainsRequest {
                max_results: Some(60),
                next_token,
                ..ListUserPoolDomainsRequest::default()
            };
            let page = client.list_user_pool_domains(request).await.expect("listed").into_inner();
            let pairs = page.domains.into_iter().map(|domain| (domain.domain, domain.user_pool_id));
            shown.extend(pairs);
            next_token = page.next_token;
            if next_token.is_none() {
                break;
            }
        }
        let domains = self.log.domains.clone().into_iter();
        let expected: BTreeSet<_> = domains.map(|(prefix, id)| (Some(prefix), Some(id))).collect();
        assert_eq!(shown, expected, "the domains");
    }
}

/// Reads the log to its end.
async fn read_on(log: &mut Log, channel: &Channel) {
    let mut client = UserPoolHistoryServiceClient::new(channel.clone());
    let request = WatchUserPoolEventsRequest {
        start: Some(Start::AfterPosition(log.head.position.to_int())),
        include_records: true,
        ..Default::default()
    };
    let watched = client.watch_user_pool_events(request).await;
    let mut watch = watched.expect("what was seen before is still there").into_inner();
    loop {
        let message = watch.message().await.expect("a message").expect("no end");
        match message.content.expect("content") {
            Content::Event(event) => log.follow(&event),
            Content::Checkpoint(checkpoint) if checkpoint.caught_up => return,
            Content::Checkpoint(_) => (),
        }
    }
}
