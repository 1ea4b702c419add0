//! `userpool log stat`: statistics of a log.

use std::collections::BTreeMap;

use crate::{
    audit::{self, LogReader},
    event_log::{EventLog as _, Head},
    fs::directory_size,
    proto::{self, UserPoolEventType},
};

use super::{data_dir::DataDirArgs, error::CliError, outcome::Outcome, output::print, progress};

pub(super) async fn run(directory: &DataDirArgs) -> Result<Outcome, CliError> {
    let (data_dir, log) = directory.open()?;
    let Head { position: end, hash } = *log.head().borrow();
    let bar = progress::new_bar(end.0);
    let mut types: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut body, mut stored) = (0_usize, 0_usize);
    let (mut first, mut last) = (None, None);
    let mut reader = LogReader::new(&log, end);
    while let Some(record) = reader.next().await.map_err(CliError::other)? {
        let event = audit::decode_with_record(&record).map_err(CliError::other)?;
        *types.entry(short_name(event.r#type())).or_default() += 1;
        body = body.saturating_add(record.body.len());
        stored = stored.saturating_add(record.stored.len());
        first = first.or(event.record_time);
        last = event.record_time;
        bar.set_position(record.position.0);
    }
    bar.finish_and_clear();
    print(&format!("events        {end}"))?;
    for (name, count) in types {
        print(&format!("  {name:<24} {count}"))?;
    }
    print(&format!("head hash     {hash}"))?;
    for (label, time) in [("first event", first), ("last event", last)] {
        print(&format!("{label:<14}{}", time.map_or_else(|| "-".to_owned(), proto::format_time)))?;
    }
    print(&format!("event bytes   {body}"))?;
    print(&format!("record bytes  {stored}"))?;
    print(&format!("log on disk   {}", directory_size(&data_dir.log())?))?;
    print(&format!("read model    {}", directory_size(&data_dir.read_model())?))?;
    Ok(Outcome::Success)
}

/// The name of a type without the common prefix.
fn short_name(event_type: UserPoolEventType) -> &'static str {
    let name = event_type.as_str_name();
    name.strip_prefix("USER_POOL_EVENT_TYPE_").unwrap_or(name)
}
