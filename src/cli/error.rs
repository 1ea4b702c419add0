//! Why a command failed, as a message for people.

use std::{
    collections::{BTreeMap, HashMap},
    error::Error,
    io,
    path::Path,
    process::ExitCode,
};

use tonic::Status;
use tonic_types::{ErrorInfo, FieldViolation, StatusExt as _};

use crate::{
    audit::ExportError,
    proto::{ErrorReason, UnwritableMessage},
    server::ServerError,
    telemetry::error_chain,
};

use super::text::escape;

/// The exit code of a program that SIGPIPE ended: 128 plus 13.
const CLOSED_PIPE: u8 = 141;

/// The exit code if the log is another one than before, or no longer has what it had.
const OTHER_LOG: u8 = 3;

/// The exit code for an invalid command line.
const USAGE: u8 = 2;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The server refused the call: exit code 64 plus the gRPC code.
    #[error("{}", explain(.0))]
    Rpc(Box<Status>),
    /// The log of the server is not the one that was read before: exit code 3.
    #[error("{}", explain(.0))]
    OtherLog(Box<Status>),
    /// The log of this server no longer has what it had: exit code 3.
    #[error(transparent)]
    Forked(Box<ServerError>),
    /// The reader of the output closed it: no message, and exit code 141, as of a program
    /// that SIGPIPE ended.
    #[error("the output is closed")]
    ClosedPipe,
    /// The command line is invalid, or asks for help or the version: exit code 2.
    #[error("{}", .0.render())]
    Usage(clap::Error),
    /// An argument is wrong, as its contents show: exit code 2.
    #[error(transparent)]
    Argument(Box<dyn Error>),
    /// Any other error: exit code 1.
    #[error(transparent)]
    Other(Box<dyn Error>),
}

impl CliError {
    /// An error that is a message alone.
    pub(super) fn message(text: impl Into<String>) -> Self {
        Self::Other(text.into().into())
    }

    /// An error in the contents of an argument.
    pub(super) fn argument(error: impl Into<Box<dyn Error>>) -> Self {
        Self::Argument(error.into())
    }

    /// Any other error.
    pub(super) fn other(error: impl Error + 'static) -> Self {
        Self::Other(error.into())
    }

    /// An error of writing to stdout.
    pub(super) fn stdout(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::ClosedPipe
        } else {
            Self::message(format!("cannot write to standard output: {error}"))
        }
    }

    /// An error of the system, about a file.
    pub(super) fn file(path: &Path, error: &io::Error) -> Self {
        Self::message(format!("{}: {error}", path.display()))
    }

    /// An error in the contents of a file.
    pub(super) fn in_file(path: &Path, error: &dyn Error) -> Self {
        Self::message(format!("{}: {}", path.display(), error_chain(error)))
    }

    /// The exit code of the process: 64 plus the gRPC code, as of grpcurl, or 1.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Rpc(status) => u8::try_from(i32::from(status.code()))
                .map_or(ExitCode::FAILURE, |code| ExitCode::from(code.saturating_add(64))),
            Self::OtherLog(_) | Self::Forked(_) => ExitCode::from(OTHER_LOG),
            Self::ClosedPipe => ExitCode::from(CLOSED_PIPE),
            Self::Usage(_) | Self::Argument(_) => ExitCode::from(USAGE),
            Self::Other(_) => ExitCode::FAILURE,
        }
    }
}

impl From<Status> for CliError {
    fn from(status: Status) -> Self {
        if has_reason(&status, ErrorReason::WrongLog) {
            Self::OtherLog(Box::new(status))
        } else {
            Self::Rpc(Box::new(status))
        }
    }
}

impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        let closed = error.kind() == io::ErrorKind::BrokenPipe;
        if closed { Self::ClosedPipe } else { Self::Other(error.into()) }
    }
}

impl From<UnwritableMessage> for CliError {
    fn from(error: UnwritableMessage) -> Self {
        Self::Other(error.into())
    }
}

impl From<clap::Error> for CliError {
    fn from(error: clap::Error) -> Self {
        Self::Usage(error)
    }
}

impl From<ServerError> for CliError {
    fn from(error: ServerError) -> Self {
        if error.is_fork() { Self::Forked(Box::new(error)) } else { Self::Other(error.into()) }
    }
}

impl From<ExportError> for CliError {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Io(error) if error.kind() == io::ErrorKind::BrokenPipe => Self::ClosedPipe,
            ExportError::Io(error) => Self::message(format!("cannot write the export: {error}")),
            ExportError::Mismatch(mismatch) => Self::Other(mismatch.into()),
        }
    }
}

impl From<Box<dyn Error>> for CliError {
    fn from(error: Box<dyn Error>) -> Self {
        Self::Other(error)
    }
}

/// Whether the server refused for this reason.
pub(super) fn has_reason(status: &Status, reason: ErrorReason) -> bool {
    status.get_details_error_info().is_some_and(|info| info.reason == reason_name(reason))
}

fn reason_name(reason: ErrorReason) -> &'static str {
    reason.as_str_name().trim_start_matches("ERROR_REASON_")
}

/// What a user of a deleted user pool can do, if this is the metadata of such a refusal.
fn deleted_pool(metadata: &HashMap<String, String>) -> Option<String> {
    let (pool, time) = (metadata.get("user_pool_id")?, metadata.get("deletion_time")?);
    let last = metadata.get("revision")?.parse::<i64>().ok()?.saturating_sub(1);
    Some(format!(
        "it was deleted at {time}: see its last state with \"userpool replay {pool}\", and its \
         events with \"userpool history {pool}\"; bring it back with \"userpool restore {pool} \
         --to {last}\""
    ))
}

/// Which command shows why the server refused, if one does.
fn remedy(info: &ErrorInfo) -> Option<String> {
    let of = |name: &str| info.metadata.get(name);
    let is_of = |reason: ErrorReason| info.reason == reason_name(reason);
    if is_of(ErrorReason::DomainTaken) {
        Some(format!("to see its owner: userpool domain describe {}", of("domain")?))
    } else if is_of(ErrorReason::IdempotencyMismatch) {
        let id = of("request_id")?;
        Some(format!("to see what it was used for: userpool events --request-id {id}"))
    } else {
        None
    }
}

/// Formats a status: its message, a line for each violation, then the reason and its
/// metadata, and at last the correlation ID of the call.
fn explain(status: &Status) -> String {
    let mut text = match status.message() {
        "" => status.code().description().to_owned(),
        message => escape(message),
    };
    let mut cause = status.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&escape(&error.to_string()));
        cause = error.source();
    }
    let details = status.get_error_details();
    for violation in details.bad_request().iter().flat_map(|refused| &refused.field_violations) {
        let (field, description) = (escape(&violation.field), escape(&violation.description));
        let line = format!("\n  {field}: {description} ({})", escape(&violation.reason));
        text.push_str(&line);
    }
    let is_no_id = |violation: &FieldViolation| {
        violation.field.ends_with("user_pool_id") && violation.reason == "PATTERN"
    };
    if details.bad_request().is_some_and(|refused| refused.field_violations.iter().any(is_no_id)) {
        text.push_str("\n  to find the ID of a user pool: userpool list --name NAME");
    }
    if let Some(info) = details.error_info() {
        if let Some(remedy) = deleted_pool(&info.metadata).or_else(|| remedy(info)) {
            text.push_str("\n  ");
            text.push_str(&escape(&remedy));
        }
        let mut metadata: BTreeMap<_, _> = info.metadata.iter().collect();
        // The counts matter only if not every violation is listed.
        let (total, listed) = ("violations".to_owned(), "violations_listed".to_owned());
        if metadata.get(&total) == metadata.get(&listed) {
            metadata.remove(&total);
            metadata.remove(&listed);
        }
        text.push_str("\n  ");
        text.push_str(&escape(&info.reason));
        for (key, value) in metadata {
            let pair = format!(" {}={}", escape(key), escape(value));
            text.push_str(&pair);
        }
    }
    // The server's log has the call under it.
    if let Some(id) = status.metadata().get("x-request-id").and_then(|id| id.to_str().ok()) {
        text.push_str("\n  correlation_id=");
        text.push_str(&escape(id));
    }
    text
}
