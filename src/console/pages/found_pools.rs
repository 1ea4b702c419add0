//! User pools that a list of the server does not find: by their IDs, by what else begins with a text,
//! and by the time of their last change, which the log knows.

use futures_util::{FutureExt as _, StreamExt as _, stream};
use prost_types::Timestamp;
use tonic::Code;

use crate::{
    console::{failure::Failure, state::State, visit::Visit},
    proto::{
        DeletedUserPools, ListUserPoolsRequest, ListUserPoolsResponse, UserPool,
        UserPoolDescription, UserPoolEventFilter, UserPoolFilter,
    },
};

/// How many user pools with such a domain are found.
const MAX_BY_DOMAIN: i32 = 10;
/// How many events a page of changes looks at.
const MAX_EVENTS: i32 = 40;
/// How many user pools are looked up at the same time.
const CONCURRENT: usize = 8;

/// The user pool with this ID, or `None` if there is none.
async fn with_id(visit: &Visit, id: &str) -> Result<Option<State>, Failure> {
    match State::now(visit, id).await {
        Ok(state) => Ok(Some(state)),
        Err(Failure::Call(status))
            if matches!(status.code(), Code::NotFound | Code::InvalidArgument) =>
        {
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

/// The user pool with this ID, and some whose domain begins with the text.
pub(super) async fn with_id_or_domain(
    visit: &Visit,
    text: &str,
    filter: &UserPoolFilter,
) -> Result<Vec<UserPoolDescription>, Failure> {
    // Every ID has one; so most searches need no call.
    let by_id = if text.contains('_') { with_id(visit, text).await? } else { None };
    let of_any_name = UserPoolFilter { name_prefix: None, ..filter.clone() };
    let by_id = by_id.map(|state| (description(&state), state.pool));
    let by_id = by_id.filter(|(listed, pool)| matches(&of_any_name, listed, pool));
    let mut found: Vec<_> = by_id.into_iter().map(|(listed, _)| listed).collect();
    let has_domains = filter.deleted() != DeletedUserPools::Only;
    if filter.domain_prefix.is_none() && !filter.no_domain && has_domains {
        let request = ListUserPoolsRequest {
            max_results: Some(MAX_BY_DOMAIN),
            filter: Some(UserPoolFilter { domain_prefix: Some(text.to_owned()), ..of_any_name }),
            ..ListUserPoolsRequest::default()
        };
        match visit.calls.list_user_pools(request).await {
            Ok(by_domain) => found.extend(by_domain.user_pools),
            // No domain can begin with the text.
            Err(status) if status.code() == Code::InvalidArgument => (),
            Err(status) => return Err(status.into()),
        }
    }
    Ok(found)
}

/// The user pools that changed since a time and meet the filter, the last changed one first.
pub(super) async fn changed_since(
    visit: &Visit,
    since: Timestamp,
    filter: &UserPoolFilter,
) -> Result<ListUserPoolsResponse, Failure> {
    let newer = UserPoolEventFilter { start_time: Some(since), ..UserPoolEventFilter::default() };
    let page = visit.calls.newest_events(newer, MAX_EVENTS, visit.token()).await?;
    let states = page.events.iter().map(|event| {
        let state = async move { (event.revision, State::now(visit, &event.user_pool_id).await) };
        state.boxed()
    });
    let states: Vec<_> =
        stream::iter(states.collect::<Vec<_>>()).buffered(CONCURRENT).collect().await;
    let mut user_pools = Vec::new();
    for (revision, state) in states {
        let state = state?;
        let listed = description(&state);
        // A user pool is listed at its last change.
        if state.revision == revision && matches(filter, &listed, &state.pool) {
            user_pools.push(listed);
        }
    }
    let next_token = Some(page.next_page_token).filter(|token| !token.is_empty());
    Ok(ListUserPoolsResponse { user_pools, next_token, head_position: page.head_position })
}

/// A user pool as a list of the server has it.
fn description(state: &State) -> UserPoolDescription {
    let UserPool { id, name, last_modified_date, creation_date, domain, custom_domain, .. } =
        state.pool.clone();
    let lambda_config = state.pool.lambda_config.clone();
    let deletion_time = state.time.filter(|_| state.is_deleted);
    let (domain, custom_domain) =
        if state.is_deleted { (None, None) } else { (domain, custom_domain) };
    UserPoolDescription {
        id,
        name,
        lambda_config,
        last_modified_date,
        creation_date,
        revision: state.revision,
        deletion_time,
        domain,
        custom_domain,
        ..UserPoolDescription::default()
    }
}

/// Whether a user pool meets a filter of this console.
fn matches(filter: &UserPoolFilter, listed: &UserPoolDescription, pool: &UserPool) -> bool {
    let domains = || [&listed.domain, &listed.custom_domain].into_iter().flatten();
    let tag = filter.tag_key.as_ref().map(|key| pool.user_pool_tags.get(key));
    let has_value = |value: &String| filter.tag_value.as_ref().is_none_or(|wanted| wanted == value);
    let is_deleted = listed.deletion_time.is_some();
    let is_wanted = match filter.deleted() {
        DeletedUserPools::Only => is_deleted,
        DeletedUserPools::Included => true,
        DeletedUserPools::Unspecified | DeletedUserPools::Excluded => !is_deleted,
    };
    is_wanted
        && filter.name_prefix.as_ref().is_none_or(|prefix| listed.name().starts_with(prefix))
        && tag.is_none_or(|value| value.is_some_and(has_value))
        && filter
            .domain_prefix
            .as_ref()
            .is_none_or(|prefix| domains().any(|domain| domain.starts_with(prefix)))
        && !(filter.no_domain && domains().next().is_some())
}
