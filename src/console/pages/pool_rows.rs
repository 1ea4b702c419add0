//! The rows of a list of user pools: what the list has of each, and what is looked up for it.

use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{FutureExt as _, StreamExt as _, future, future::BoxFuture, stream};
use maud::{Markup, html};

use crate::{
    console::{
        icons::Icon,
        text::{age, count, printable, shorten, time},
        url::{Query, Route},
        value::one_line,
        visit::Visit,
    },
    proto::{
        self, EventView, ListUserPoolEventsRequest, ReadDirection, UserPool, UserPoolDescription,
        UserPoolEventFilter, mfa_configuration,
    },
};

/// How many of them are looked up at the same time.
const CONCURRENT: usize = 8;
/// How many tags a row shows.
const MAX_TAGS: usize = 2;
/// The longest tag in a row.
const MAX_TAG: usize = 32;
/// How many days a row shows, and how many of the newest events at most.
const DAYS: usize = 28;
const MAX_EVENTS: i32 = 28;
/// The height of the bar of a day with so many events or more.
const HEIGHTS: [(u32, u32); 4] = [(10, 4), (4, 3), (2, 2), (1, 1)];

/// A user pool of a list, and what the page looked up about it.
#[derive(Debug)]
pub(super) struct PoolRow {
    listed: UserPoolDescription,
    /// Absent for a deleted user pool: the list has what is known of it.
    described: Option<UserPool>,
    days: [u32; DAYS],
}

/// Looks up what a list does not have.
pub(super) async fn look_up(visit: &Visit, listed: &[UserPoolDescription]) -> Vec<PoolRow> {
    let rows: Vec<_> = listed.iter().map(|pool| row_of(visit, pool.clone())).collect();
    stream::iter(rows).buffered(CONCURRENT).collect().await
}

fn row_of(visit: &Visit, listed: UserPoolDescription) -> BoxFuture<'static, PoolRow> {
    let now = visit.now;
    let described = visit.calls.pool(listed.id());
    let days = i64::try_from(DAYS).unwrap_or_default() - 1;
    let first = now.date_naive() - TimeDelta::days(days);
    let start = first.and_time(chrono::NaiveTime::MIN).and_utc();
    let events = visit.calls.list_user_pool_events(ListUserPoolEventsRequest {
        filter: Some(UserPoolEventFilter {
            user_pool_id: listed.id.clone(),
            start_time: Some(proto::to_timestamp(start)),
            ..UserPoolEventFilter::default()
        }),
        direction: ReadDirection::Backward.into(),
        page_size: MAX_EVENTS,
        // What changed, which a summary says, costs more reads of the log.
        view: EventView::Full.into(),
        ..ListUserPoolEventsRequest::default()
    });
    let row = async move {
        let (described, events) = future::join(described, events).await;
        let described = described.ok().and_then(|found| found.user_pool);
        let mut days = [0; DAYS];
        for event in events.map(|found| found.events).unwrap_or_default() {
            if let Some(number) = event.record_time.and_then(proto::to_date_time)
                && let Some(count) = day_of(number, start).and_then(|day| days.get_mut(day))
            {
                *count += 1;
            }
        }
        PoolRow { listed, described, days }
    };
    row.boxed()
}

fn day_of(at: DateTime<Utc>, start: DateTime<Utc>) -> Option<usize> {
    usize::try_from(at.signed_duration_since(start).num_days()).ok()
}

pub(super) fn table(rows: &[PoolRow], visit: &Visit) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-labelledby="cap" {
            table."stack pools" {
                caption.vh #cap { "User pools" }
                thead { tr {
                    th scope="col" { "Pool" }
                    th scope="col" { "Domain" }
                    th scope="col" { "MFA" }
                    th scope="col" { "Tags" }
                    th scope="col" { (DAYS) " days" }
                    th.num scope="col" { "Revision" }
                    th scope="col" { "Last change" }
                } }
                tbody { @for row in rows { (show(row, visit)) } }
            }
        }
    }
}

fn show(PoolRow { listed, described, days }: &PoolRow, visit: &Visit) -> Markup {
    let id = listed.id();
    let domains = [&listed.domain, &listed.custom_domain];
    let changed = listed.deletion_time.or(listed.last_modified_date);
    html! {
        tr.gone[listed.deletion_time.is_some()] {
            td.wide {
                a.name href=(Route::Pool(id.to_owned()).path()) { (printable(listed.name())) }
                span."id mono" { (printable(id)) }
            }
            td { span.chips {
                @for domain in domains.into_iter().flatten() {
                    a."chip mono" href=(Route::Domain(domain.clone()).path()) {
                        (Icon::Link.show()) (printable(domain))
                    }
                }
                @if domains.iter().all(|domain| domain.is_none()) { span.muted { "none" } }
            } }
            td { (mfa(described.as_ref())) }
            td { (tags(described.as_ref())) }
            td { (bars(days)) }
            td.num {
                a href=(Route::History(id.to_owned()).path()) { (listed.revision) }
            }
            td {
                @if listed.deletion_time.is_some() { span.deleted { "deleted " } }
                (time(changed, visit.now)) (age(changed, visit.now))
            }
        }
    }
}

fn mfa(described: Option<&UserPool>) -> Markup {
    let Some(pool) = described else { return html! {} };
    match pool.mfa_configuration() {
        mfa_configuration::Value::On => html! { span.on { "on" } },
        mfa_configuration::Value::Optional => html! { span.on { "optional" } },
        mfa_configuration::Value::Off | mfa_configuration::Value::Unspecified => {
            html! { span.off { "off" } }
        }
    }
}

fn tags(described: Option<&UserPool>) -> Markup {
    let Some(tags) = described.map(|pool| &pool.user_pool_tags) else { return html! {} };
    let more = tags.len().saturating_sub(MAX_TAGS);
    html! {
        span.chips {
            @for (key, value) in tags.iter().take(MAX_TAGS) {
                @let tag = format!("{key}={value}");
                @let shown = one_line(&format!("{key} {value}").into());
                @let short = shorten(&shown, MAX_TAG);
                a."chip line" title=[(short != shown).then(|| printable(&tag))]
                    href=(Route::Pools.with(&Query::default().set("tag", tag.as_str()))) {
                    (short)
                }
            }
            @if more > 0 { span."small muted" { "+" (more) } }
        }
    }
}

/// A bar for each day with events, the oldest day at the left; the style sheet makes it larger.
fn bars(days: &[u32; DAYS]) -> Markup {
    let total: u32 = days.iter().sum();
    let events = count(i64::from(total), "event", "events");
    let more = if i64::from(total) < i64::from(MAX_EVENTS) { "" } else { " or more" };
    html! {
        svg.days role="img" aria-label=(format!("{events}{more}")) {
            @if total > 0 { path d=(bar_path(days)) {} }
        }
    }
}

fn bar_path(days: &[u32; DAYS]) -> String {
    // Writing to a string cannot fail.
    let (mut path, mut skipped) = ("M.5 4".to_owned(), 0);
    for count in days {
        if let Some((_, height)) = HEIGHTS.iter().find(|(least, _)| count >= least) {
            if skipped > 0 {
                let _ = write!(path, "m{skipped} 0");
            }
            let _ = write!(path, "v-{height}m1 {height}");
            skipped = 0;
        } else {
            skipped += 1;
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::{DAYS, bar_path};

    #[test]
    fn a_path_has_a_bar_for_each_day_and_is_short() {
        let mut days = [0; DAYS];
        days[2] = 1;
        days[3] = 12;
        days[27] = 4;
        assert_eq!(bar_path(&days), "M.5 4m2 0v-1m1 1v-4m1 4m23 0v-3m1 3");
        assert!(bar_path(&[1_000; DAYS]).len() <= 201);
        assert!(bar_path(&[1, 0].repeat(DAYS / 2).try_into().expect("28 days")).len() <= 201);
    }
}
