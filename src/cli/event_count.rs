//! How many events there are by caller, type, day or user pool.

use std::{collections::BTreeMap, io, net::SocketAddr};

use anstyle::Style;
use clap::ValueEnum;
use serde_json::{Value, json};

use crate::{
    client::Client,
    proto::{
        ActorKind, CountInterval, CountUserPoolEventsRequest, ReadDirection, UserPoolEvent,
        to_date_time,
    },
};

use super::{
    cell::Cell,
    csv,
    error::CliError,
    event::{actor_identity, type_name},
    event_list::EventList,
    event_output::EventFormat,
    output::{OutputFormat, print},
    progress,
    table::render_rows,
    text::escape,
};

/// What events have in common that are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum CountBy {
    /// The caller, with its kind: token:NAME. Anonymous callers are counted by their address.
    Actor,
    /// The type of the event.
    Type,
    /// The day, in UTC.
    Day,
    /// The user pool.
    Pool,
}

/// The number of events with each key, in the order in which they are shown.
#[derive(Debug)]
pub(super) struct EventCounts {
    key: CountBy,
    counts: Vec<(String, u64)>,
}

impl CountBy {
    const fn name(self) -> &'static str {
        match self {
            Self::Actor => "actor",
            Self::Type => "type",
            Self::Day => "day",
            Self::Pool => "pool",
        }
    }

    fn of(self, event: &UserPoolEvent) -> String {
        match self {
            Self::Actor => actor(event),
            Self::Type => type_name(event),
            Self::Day => {
                let at = event.record_time.and_then(to_date_time);
                at.map(|at| at.date_naive().to_string()).unwrap_or_default()
            }
            Self::Pool => event.user_pool_id.clone(),
        }
    }
}

/// The caller; if it is anonymous, with its address, since its port differs from call to call.
fn actor(event: &UserPoolEvent) -> String {
    let identity = actor_identity(event);
    let Some(actor) = &event.actor else { return identity };
    let address = actor.peer_address.parse::<SocketAddr>();
    match (actor.kind(), address) {
        (ActorKind::Anonymous | ActorKind::Unspecified, Ok(address)) => {
            format!("{identity} {}", address.ip())
        }
        _ => identity,
    }
}

/// Reads the events page by page. Shows the progress on a terminal.
async fn list_counts(
    client: &Client,
    list: &EventList,
    key: CountBy,
) -> Result<BTreeMap<String, u64>, CliError> {
    let mut counts = BTreeMap::<String, u64>::new();
    let spinner = progress::new_spinner();
    let count = |event: &UserPoolEvent| {
        *counts.entry(key.of(event)).or_default() += 1;
        spinner.inc(1);
        Ok(())
    };
    let read = list.read(client, ReadDirection::Forward, count).await;
    spinner.finish_and_clear();
    read?;
    Ok(counts)
}

/// The server counts all events by day and type.
async fn server_counts(client: &Client, key: CountBy) -> Result<BTreeMap<String, u64>, CliError> {
    let mut counts = BTreeMap::<String, u64>::new();
    let mut page_token = String::new();
    loop {
        let request = CountUserPoolEventsRequest {
            interval: CountInterval::Day.into(),
            page_token,
            ..CountUserPoolEventsRequest::default()
        };
        let page = client.count_user_pool_events(request).await?;
        for counted in page.counts {
            let event = UserPoolEvent {
                r#type: counted.r#type,
                record_time: counted.start_time,
                ..UserPoolEvent::default()
            };
            *counts.entry(key.of(&event)).or_default() += counted.count.unsigned_abs();
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(counts);
        }
    }
}

impl EventCounts {
    /// Counts the events of a list. Asks the server for its counts if it keeps them.
    ///
    /// # Errors
    /// The server refuses.
    pub(super) async fn read(
        client: &Client,
        list: &EventList,
        key: CountBy,
    ) -> Result<Self, CliError> {
        let counts = if list.has_all_events() && matches!(key, CountBy::Type | CountBy::Day) {
            server_counts(client, key).await?
        } else {
            list_counts(client, list, key).await?
        };
        let mut counts: Vec<_> = counts.into_iter().collect();
        // Days stay in their order; everything else is a ranking.
        if key != CountBy::Day {
            counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        }
        Ok(Self { key, counts })
    }

    /// Prints the counts.
    ///
    /// # Errors
    /// Stdout cannot be written.
    pub(super) fn print(&self, format: EventFormat) -> Result<(), CliError> {
        let name = self.key.name();
        let document = |(key, count): &(String, u64)| json!({ name: key, "events": count });
        match format {
            EventFormat::Table => {
                let column = format!("~{}", name.to_uppercase());
                let row = |(key, count): &(String, u64)| {
                    vec![Cell::from(escape(key)), count.to_string().into()]
                };
                let rows: Vec<_> = self.counts.iter().map(row).collect();
                let mut lines = render_rows(&[&column, "#EVENTS"], &rows).into_iter();
                let heading = lines.next().unwrap_or_default();
                let bold = Style::new().bold();
                print(&format!("{bold}{heading}{bold:#}"))?;
                lines.try_for_each(|line| print(&line))
            }
            EventFormat::Json => {
                let counts: Vec<Value> = self.counts.iter().map(document).collect();
                OutputFormat::Json.value(&json!({ "counts": counts }))
            }
            EventFormat::Jsonl => {
                self.counts.iter().try_for_each(|count| OutputFormat::Jsonl.value(&document(count)))
            }
            EventFormat::Csv => {
                let write = || {
                    let mut writer = csv::new_writer(io::stdout());
                    writer.write_record([name, "events"])?;
                    for (key, count) in &self.counts {
                        writer.write_record([csv::text(key), count.to_string()])?;
                    }
                    writer.flush()
                };
                write().map_err(|error| CliError::stdout(&error))
            }
        }
    }
}
