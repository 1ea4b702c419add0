//! The settings of a server that shares its log with others.

use std::{fs, time::Duration};

use clap::{Args, ValueEnum};

use crate::app::{ReadMode, ReadSettings};

/// The file with the name of the machine.
const HOST_NAME: &str = "/proc/sys/kernel/hostname";
/// The name of a server on a machine that has none.
const UNNAMED: &str = "userpool";

#[derive(Debug, Args)]
#[command(next_help_heading = "Servers that share a log (without effect with sled)")]
pub(super) struct ReplicaArgs {
    /// What a read shows that names no position. Without effect with sled, where every read shows
    /// every change.
    #[arg(long, env = "USERPOOL_READS", value_name = "MODE", default_value = "latest")]
    reads: Reads,
    /// With --reads local, refuse reads when the log was not heard of for this long: a duration,
    /// such as 5s or 1m. Without effect with sled.
    #[arg(
        long,
        env = "USERPOOL_MAX_STALENESS",
        value_name = "DURATION",
        default_value = "5s",
        value_parser = duration
    )]
    max_staleness: Duration,
    /// Report that this server is not ready when an event that the log has is not visible here for
    /// this long: a duration, such as 10s or 1m. Without effect with sled.
    #[arg(
        long,
        env = "USERPOOL_MAX_LAG",
        value_name = "DURATION",
        default_value = "10s",
        value_parser = duration
    )]
    max_lag: Duration,
    /// The name of this server among those that share its log: 1 to 63 letters, digits, dots and
    /// hyphens. If omitted, the name of the machine. Without effect with sled.
    #[arg(long, env = "USERPOOL_REPLICA", value_name = "NAME", value_parser = name)]
    replica: Option<String>,
}

/// What reads show.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Reads {
    /// Every change that any server acknowledged before; asks the log once for all waiting reads.
    Latest,
    /// The same, even if the log has two writable copies by mistake; a commit for each question.
    Strict,
    /// What this server has, without a question.
    Local,
}

impl ReplicaArgs {
    pub(super) const fn reads(&self) -> ReadSettings {
        let mode = match self.reads {
            Reads::Latest => ReadMode::Latest,
            Reads::Strict => ReadMode::Strict,
            Reads::Local => ReadMode::Local,
        };
        ReadSettings { mode, max_staleness: self.max_staleness }
    }

    pub(super) const fn max_lag(&self) -> Duration {
        self.max_lag
    }

    pub(super) fn name(self) -> String {
        self.replica.or_else(host_name).unwrap_or_else(|| UNNAMED.to_owned())
    }
}

/// The name of the machine, if it can be that of a server.
fn host_name() -> Option<String> {
    name(fs::read_to_string(HOST_NAME).ok()?.trim()).ok()
}

fn name(text: &str) -> Result<String, String> {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    let fits = (1..=63).contains(&text.len()) && text.bytes().all(is_legal);
    let expected = "expected 1 to 63 letters, digits, dots and hyphens, such as userpool-0";
    if fits { Ok(text.to_owned()) } else { Err(expected.to_owned()) }
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).ok().filter(|duration| !duration.is_zero());
    duration.ok_or_else(|| "expected a duration above 0s, such as 5s or 1m".to_owned())
}
