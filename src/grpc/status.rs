//! Renders a refusal as a gRPC status: the code, the message, and details for programs.

use std::collections::HashMap;

use tonic::Status;
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

use crate::{
    service::{Error, Refusal},
    transport::code,
    user_pool::InvalidRequest,
};

/// `ErrorInfo.domain`.
const DOMAIN: &str = "userpool.v1";
/// The maximum bytes of details: clients reject headers over 8 KiB, and base64 and the
/// message add to the details.
const MAX_DETAIL_BYTES: usize = 4 * 1024;
/// The part of them that is reserved for `ErrorInfo` and the names of the types.
const MAX_INFO_BYTES: usize = 512;

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let Refusal { reason, message, aws_exception, invalid, metadata, retry_delay } =
            error.into_refusal();
        let violations = invalid.as_ref().map(|invalid| listed(invalid, &message));
        let aws_exception = aws_exception.map(|name| ("aws_error", name.to_owned()));
        let counts = invalid.iter().zip(&violations).flat_map(|(invalid, listed)| {
            [
                ("violations", invalid.violation_count().to_string()),
                ("violations_listed", listed.len().to_string()),
            ]
        });
        let metadata = metadata.into_iter().chain(aws_exception).chain(counts);
        let metadata: HashMap<_, _> =
            metadata.map(|(key, value)| (key.to_owned(), value)).collect();

        let name = reason.as_str_name();
        let name = name.strip_prefix("ERROR_REASON_").unwrap_or(name);
        let mut details = ErrorDetails::with_error_info(name, DOMAIN, metadata);
        if let Some(violations) = violations {
            details.set_bad_request(violations);
        }
        if retry_delay.is_some() {
            details.set_retry_info(retry_delay);
        }
        Self::with_error_details(code(reason), message, details)
    }
}

/// As many violations as fit into the details, next to the message, which the details
/// repeat.
fn listed(invalid: &InvalidRequest, message: &str) -> Vec<FieldViolation> {
    let mut room = MAX_DETAIL_BYTES.saturating_sub(MAX_INFO_BYTES + message.len());
    let mut listed = Vec::new();
    for violation in invalid.violations() {
        let reason = violation.rule.name();
        // 16 bytes: the protobuf framing of the three texts.
        let size = violation.field.len() + violation.description.len() + reason.len() + 16;
        match room.checked_sub(size) {
            Some(left) => room = left,
            None => break,
        }
        let detail = FieldViolation::new(&violation.field, &violation.description);
        listed.push(FieldViolation { reason: reason.to_owned(), ..detail });
    }
    listed
}
