//! SPIFFE IDs, as the SPIFFE-ID standard restricts them. Grants compare them as text, so
//! one workload must have exactly one spelling.

/// The scheme of a SPIFFE ID, in any case.
const SCHEME: &str = "spiffe:";
/// The only accepted spelling of the scheme, with the slashes before the trust domain.
const PREFIX: &str = "spiffe://";
/// The longest SPIFFE ID, in bytes.
const MAX_BYTES: usize = 2048;
/// The longest trust domain, in bytes.
const MAX_TRUST_DOMAIN_BYTES: usize = 255;

/// A name has the scheme of a SPIFFE ID, but is not one of a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected spiffe://TRUST-DOMAIN/PATH, with a trust domain of lower-case letters, digits, '.', \
     '-' and '_', and path segments that also have upper-case letters and are not empty, '.' or \
     '..'"
)]
pub(crate) struct SpiffeIdError;

/// Whether a name claims to be a SPIFFE ID, valid or not.
pub(super) fn has_scheme(name: &str) -> bool {
    name.get(..SCHEME.len()).is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCHEME))
}

/// Checks the SPIFFE ID of a workload, which has a path.
pub(super) fn check(id: &str) -> Result<(), SpiffeIdError> {
    let valid = id.len() <= MAX_BYTES && id.strip_prefix(PREFIX).is_some_and(is_workload);
    if valid { Ok(()) } else { Err(SpiffeIdError) }
}

/// Checks what follows the prefix. The allowed characters exclude a user, a port, a query, a
/// fragment and percent-encoding.
fn is_workload(id: &str) -> bool {
    let Some((trust_domain, path)) = id.split_once('/') else { return false };
    let is_common = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_');
    let is_trust_domain = (1..=MAX_TRUST_DOMAIN_BYTES).contains(&trust_domain.len())
        && trust_domain.bytes().all(|byte| is_common(byte) || byte.is_ascii_lowercase());
    let is_segment = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment.bytes().all(|byte| is_common(byte) || byte.is_ascii_alphabetic())
    };
    is_trust_domain && path.split('/').all(is_segment)
}
