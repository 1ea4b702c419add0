//! Failures as a person reads them: what, where, and what helps.

use std::{collections::BTreeMap, error::Error, io, path::Path};

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::{CliError, output::printable};

/// The message, a line for each violation, then the reason and what goes with it.
pub(super) fn explain(status: &Status) -> String {
    let mut text = match status.message() {
        "" => status.code().description().to_owned(),
        message => printable(message),
    };
    let mut cause = status.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&printable(&error.to_string()));
        cause = error.source();
    }
    let details = status.get_error_details();
    for violation in details.bad_request().iter().flat_map(|refused| &refused.field_violations) {
        let (field, description) = (&violation.field, &violation.description);
        let line = format!("\n  {field}: {description} ({})", violation.reason);
        text.push_str(&line);
    }
    if let Some(info) = details.error_info() {
        let mut metadata: BTreeMap<_, _> = info.metadata.iter().collect();
        // Told only where it says that there are more than are listed.
        let (total, listed) = ("violations".to_owned(), "violations_listed".to_owned());
        if metadata.get(&total) == metadata.get(&listed) {
            metadata.remove(&total);
            metadata.remove(&listed);
        }
        text.push_str("\n  ");
        text.push_str(&info.reason);
        for (key, value) in metadata {
            let pair = format!(" {key}={}", printable(value));
            text.push_str(&pair);
        }
    }
    let id = status.metadata().get("x-request-id").and_then(|id| id.to_str().ok());
    // What to look for in the server's log, where that is what is left to do.
    if let Some(id) = id.filter(|_| matches!(status.code(), Code::Internal | Code::DataLoss)) {
        text.push_str("\n  x-request-id=");
        text.push_str(&printable(id));
    }
    text
}

/// What the system says of a file.
pub(super) fn named(path: &Path, error: &io::Error) -> CliError {
    told(format!("{}: {error}", path.display()))
}

pub(super) fn told(sentence: impl Into<String>) -> CliError {
    CliError::Other(sentence.into().into())
}

pub(super) fn other(error: impl Error + 'static) -> CliError {
    CliError::Other(error.into())
}
