//! Watchers: each gets every event once, in order and as it is recorded, over as many
//! connections and nodes as necessary.

use std::{sync::Arc, time::Duration};

use tokio::time::{sleep, timeout};
use userpool::{
    event_log::{EventLog as _, Position, ReadLimit},
    proto::{
        UserPoolEvent, WatchUserPoolEventsRequest,
        user_pool_history_service_client::UserPoolHistoryServiceClient,
        watch_user_pool_events_request::Start, watch_user_pool_events_response::Content,
    },
};

use crate::{
    network::Network, plan::milliseconds, random::Random, situations::Situation, trace::Step,
    world::World,
};

/// How long a watcher waits before it connects again.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(5);

/// Watches until `until` is visible after all faults have ended.
pub(crate) struct Watcher {
    pub(crate) number: usize,
    pub(crate) world: Arc<World>,
    pub(crate) random: Random,
    /// The last position that it saw.
    pub(crate) position: i64,
}

impl Watcher {
    /// Watches until all faults have ended and every event was received.
    pub(crate) async fn watch(mut self) {
        while !self.is_done() {
            self.connect().await;
            sleep(milliseconds(20)).await;
        }
    }

    fn is_done(&self) -> bool {
        let end = self.world.head().position.to_int();
        self.world.violation().is_some() || (self.world.is_healed() && self.position == end)
    }

    /// Watches over one connection.
    async fn connect(&mut self) {
        let mut client = UserPoolHistoryServiceClient::new(Network::new(&self.world));
        let start = Some(Start::AfterPosition(self.position));
        let request = WatchUserPoolEventsRequest { start, ..Default::default() };
        if self.position > 0 {
            self.world.meet(Situation::ResumedWatch);
        }
        let Ok(messages) = client.watch_user_pool_events(request).await else { return };
        let mut messages = messages.into_inner();
        // Cancels the watch now and then.
        while !self.random.once_in(60) && !self.is_done() {
            let message = timeout(SILENCE_TIMEOUT, messages.message()).await;
            let Ok(Ok(Some(message))) = message else {
                if matches!(message, Ok(Err(_))) {
                    self.world.meet(Situation::BrokenWatch);
                }
                return;
            };
            match message.content {
                Some(Content::Event(event)) => self.see(&event).await,
                Some(Content::Checkpoint(checkpoint)) if checkpoint.position != self.position => {
                    let (number, position) = (self.number, self.position);
                    let told = checkpoint.position;
                    self.world.violate(format!(
                        "watcher {number}: a checkpoint at {told} after event {position}"
                    ));
                }
                Some(Content::Checkpoint(_)) | None => (),
            }
        }
    }

    async fn see(&mut self, event: &UserPoolEvent) {
        let (number, before) = (self.number, self.position);
        if event.position != before + 1 {
            let position = event.position;
            self.world.violate(format!("watcher {number}: event {position} after {before}"));
            return;
        }
        let after = Position(u64::try_from(before).expect("a position"));
        let recorded = self.world.log().read(after, ReadLimit { records: 1, bytes: 0 }).await;
        let recorded = recorded.expect("a log in memory");
        if recorded.first().is_none_or(|record| record.hash.0.to_vec() != event.hash) {
            self.world.violate(format!("watcher {number}: another event {}", event.position));
        }
        self.position = event.position;
        self.world.trace(Step::Event, number, after.next().0);
    }
}
