//! Why a signature is refused, in the order of AWS's checks and with its texts. No text
//! repeats a signature.

/// Why a signature is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadSignature {
    /// The request is not signed.
    #[error(
        "Missing Authentication Token: this server has access keys (setting aws-credentials), so \
         every request must be signed with one of them"
    )]
    Missing,
    /// The header is not that of a signature.
    #[error(
        "The header Authorization must be \"AWS4-HMAC-SHA256 Credential=ID/DATE/REGION/SERVICE/\
         aws4_request, SignedHeaders=NAMES, Signature=HEX\": {0}"
    )]
    Malformed(&'static str),
    /// The request has a bearer token.
    #[error("This door takes signatures of AWS access keys, not bearer tokens; call over gRPC")]
    BearerToken,
    /// The signature is for another service.
    #[error("Credential should be scoped to correct service: 'cognito-idp'.")]
    Service,
    /// The signature is for another region.
    #[error(
        "Credential should be scoped to a valid region: this server is {expected} (setting region), \
         the request is for {found}."
    )]
    Region {
        /// The server's region.
        expected: String,
        /// The region in the signature.
        found: String,
    },
    /// The day in the scope is not that of the request.
    #[error(
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: \
         '{scope}' != '{request}'."
    )]
    Day {
        /// The day in the scope.
        scope: String,
        /// The day of the request.
        request: String,
    },
    /// A header is not signed that must be.
    #[error("'{0}' must be a 'SignedHeader' in the AWS Authorization.")]
    Unsigned(&'static str),
    /// The request is too old.
    #[error("Signature expired: {at} is now earlier than {earliest} ({now} - 15 min.)")]
    Expired {
        /// The time of the request.
        at: String,
        /// The earliest accepted time.
        earliest: String,
        /// The server's time.
        now: String,
    },
    /// The request is from the future.
    #[error("Signature not yet current: {at} is still later than {latest} ({now} + 15 min.)")]
    Early {
        /// The time of the request.
        at: String,
        /// The latest accepted time.
        latest: String,
        /// The server's time.
        now: String,
    },
    /// The server does not have the key, or the key has another session token.
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    /// The signature is that of another request or of another secret.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your \
         AWS Secret Access Key and signing method. Consult the service documentation for details."
    )]
    Mismatch,
}

impl BadSignature {
    /// The exception that AWS raises.
    pub(crate) const fn exception(&self) -> &'static str {
        match self {
            Self::Missing => "MissingAuthenticationTokenException",
            Self::Malformed(_) | Self::BearerToken => "IncompleteSignatureException",
            Self::UnknownKey => "UnrecognizedClientException",
            Self::Service
            | Self::Region { .. }
            | Self::Day { .. }
            | Self::Unsigned(_)
            | Self::Expired { .. }
            | Self::Early { .. }
            | Self::Mismatch => "InvalidSignatureException",
        }
    }
}
