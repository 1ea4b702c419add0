//! Authentication: establishes the identity of a caller, and logs refused tokens.

use std::sync::Arc;

use http::{HeaderMap, Request};
use tokio::time::Instant;

use crate::{
    app::Source,
    proto::ActorKind,
    telemetry::{
        WarnLimiter,
        metrics::{self, RefusalReason},
    },
};

use super::{
    Peer,
    token::{self, AcceptedToken, BadToken, TokenVerifier},
};

/// The service that ignores tokens, so that a health check succeeds with any metadata.
const HEALTH: &str = "grpc.health.v1.Health/";

/// When the token that identifies a caller expires. In the extensions of its request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TokenExpiry(pub(crate) Instant);

/// Establishes the identity of callers.
#[derive(Debug)]
pub(crate) struct Authentication {
    tokens: Option<TokenVerifier>,
    source: Arc<dyn Source>,
    counts: metrics::RefusalCounters,
    /// Refusals beyond the rate limit are logged at debug.
    warnings: WarnLimiter,
}

impl Authentication {
    /// Verifies tokens with `tokens`, or refuses them if it is `None`. `source` provides
    /// the time.
    pub(crate) fn new(
        tokens: Option<TokenVerifier>,
        source: Arc<dyn Source>,
        counts: metrics::RefusalCounters,
    ) -> Self {
        Self { tokens, source, counts, warnings: WarnLimiter::default() }
    }

    /// Adds the caller's [`Identity`] to the request: that of the certificate, otherwise of
    /// the token, with its [`TokenExpiry`], otherwise of the socket.
    ///
    /// An invalid token is an error even if there is a certificate, so that no caller is
    /// silently treated as another one.
    pub(crate) fn authenticate<B>(
        &self,
        method: &str,
        request: &mut Request<B>,
    ) -> Result<(), BadToken> {
        let token = self.token(method, request.headers_mut());
        let connection = Peer::identity(request.extensions());
        let (identity, result) = match token {
            Ok(Some(token)) if connection.kind != ActorKind::Certificate => {
                let AcceptedToken { identity, valid_for } = token;
                // A token that is valid for longer than the clock can count does not expire.
                let expiry = Instant::now().checked_add(valid_for).map(TokenExpiry);
                expiry.and_then(|expiry| request.extensions_mut().insert(expiry));
                (identity, Ok(()))
            }
            Ok(_) => (connection, Ok(())),
            Err(error) => {
                self.log_refusal(method, error);
                (connection, Err(error))
            }
        };
        request.extensions_mut().insert(identity);
        result
    }

    fn token(
        &self,
        method: &str,
        headers: &mut HeaderMap,
    ) -> Result<Option<AcceptedToken>, BadToken> {
        let token = token::bearer(headers);
        if method.starts_with(HEALTH) {
            return Ok(None);
        }
        let Some(token) = token? else { return Ok(None) };
        let verifier = self.tokens.as_ref().ok_or(BadToken::NotAccepted)?;
        verifier.verify(&token, self.source.now()).map(Some)
    }

    fn log_refusal(&self, method: &str, error: BadToken) {
        self.counts.count(RefusalReason::Unauthenticated);
        if self.warnings.allow() {
            tracing::warn!(method, cause = %error, "token refused");
        } else {
            tracing::debug!(method, cause = %error, "token refused");
        }
    }
}
