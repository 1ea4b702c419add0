//! Why a token is refused.

use crate::auth::spiffe_id::SpiffeIdError;

/// The reason why a token is refused. The text contains no part of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadToken {
    #[error("this server accepts no tokens; call without one")]
    NotAccepted,
    #[error("the metadata \"authorization\" must be one \"Bearer TOKEN\"")]
    NotBearer,
    #[error("the token is not a signed JWT with valid claims")]
    Malformed,
    #[error("the token is of another type than an access token (typ); expected JWT or at+jwt")]
    Type,
    #[error("the signature algorithm of the token is not allowed")]
    Algorithm,
    #[error("no configured key has the key ID and algorithm of the token")]
    UnknownKey,
    #[error("the signature of the token is invalid")]
    Signature,
    #[error("the token has no {0}")]
    Missing(&'static str),
    #[error("the issuer (iss) of the token is not accepted")]
    Issuer,
    #[error("the audience (aud) of the token does not include this service")]
    Audience,
    #[error("the token has expired; get a new one")]
    Expired,
    #[error("the token is not valid yet")]
    NotYetValid,
    #[error("the subject (sub) of the token is too long or has control characters")]
    Subject,
    #[error("the subject (sub) of the token is not a valid SPIFFE ID: {0}")]
    SpiffeId(SpiffeIdError),
}
