//! The names of user pools, which say more to people than their IDs.

use std::collections::{BTreeSet, HashMap};

use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream};
use maud::{Markup, html};

use crate::proto::UserPoolEvent;

use super::{
    calls::Calls,
    failure::has_reason,
    text::printable,
    url::{Query, Route},
};

/// How many user pools are looked up at the same time.
const CONCURRENT: usize = 8;

/// The names that user pools have now, or had when they were deleted, by their IDs.
#[derive(Debug)]
pub(super) struct Names(HashMap<String, String>);

impl Names {
    /// Looks up the user pools of events. What is not found is shown by its ID.
    pub(super) async fn of(calls: &Calls, events: &[UserPoolEvent]) -> Self {
        let ids: BTreeSet<_> = events.iter().map(|event| event.user_pool_id.as_str()).collect();
        let names: Vec<_> = ids.into_iter().map(|id| name_of(calls, id.to_owned())).collect();
        let names: Vec<_> = stream::iter(names).buffer_unordered(CONCURRENT).collect().await;
        Self(names.into_iter().flatten().collect())
    }

    /// The name of a user pool, or its ID.
    pub(super) fn name(&self, id: &str) -> String {
        printable(self.0.get(id).map_or(id, String::as_str))
    }

    /// The user pool of an event, and the revision that the event made.
    pub(super) fn show(&self, event: &UserPoolEvent) -> Markup {
        let id = &event.user_pool_id;
        let at = Query::default().set("at", event.revision.to_string());
        html! {
            a.name href=(Route::Pool(id.clone()).path()) title=(printable(id)) { (self.name(id)) } " "
            a.at href=(Route::History(id.clone()).with(&at)) { "r" (event.revision) }
        }
    }
}

fn name_of(calls: &Calls, id: String) -> BoxFuture<'_, Option<(String, String)>> {
    let named = async move {
        let pool = match calls.pool(&id).await {
            Ok(described) => described.user_pool,
            Err(status) if has_reason(&status, "USER_POOL_DELETED") => {
                calls.pool_at(&id, None).await.ok()?.user_pool
            }
            Err(_) => None,
        };
        Some((id, pool?.name?))
    };
    named.boxed()
}
