//! Who calls: the one place where that is established, and where a token that is not
//! believed is told of.

use std::sync::Arc;

use http::Request;

use crate::{
    app::Source,
    proto::ActorKind,
    telemetry::metrics::{self, Refusal},
};

use super::{
    Identity, Peer, Tokens,
    token::{self, BadToken},
};
use crate::telemetry::WarnLimiter;

/// The service that answers whatever comes with the call.
const HEALTH: &str = "/grpc.health.v1.Health/";

/// Establishes who calls.
#[derive(Debug)]
pub(crate) struct Authentication {
    tokens: Option<Tokens>,
    source: Arc<dyn Source>,
    counts: metrics::Refused,
    /// The refusals that are no warnings are there for who asks for them.
    warnings: WarnLimiter,
}

impl Authentication {
    /// Believes `tokens`, at the time that `source` tells.
    pub(crate) fn new(
        tokens: Option<Tokens>,
        source: Arc<dyn Source>,
        counts: metrics::Refused,
    ) -> Self {
        Self { tokens, source, counts, warnings: WarnLimiter::default() }
    }

    /// Puts into the request whom the certificate names, else the token, else the socket.
    ///
    /// A token has to be good also where a certificate says enough, so that nobody is
    /// silently taken for somebody else.
    pub(crate) fn establish<B>(&self, request: &mut Request<B>) -> Result<(), BadToken> {
        let named = self.by_token(request);
        let peer = request.extensions().get::<Peer>();
        let connection = peer.map_or_else(Identity::anonymous, |peer| peer.identity.clone());
        let (identity, established) = match named {
            Ok(Some(named)) if connection.kind != ActorKind::Certificate => (named, Ok(())),
            Ok(_) => (connection, Ok(())),
            Err(bad) => {
                self.tell(request, bad);
                (connection, Err(bad))
            }
        };
        request.extensions_mut().insert(identity);
        established
    }

    fn by_token<B>(&self, request: &mut Request<B>) -> Result<Option<Identity>, BadToken> {
        let token = token::bearer(request.headers_mut());
        if request.uri().path().starts_with(HEALTH) {
            return Ok(None);
        }
        let Some(token) = token? else { return Ok(None) };
        let tokens = self.tokens.as_ref().ok_or(BadToken::NotTaken)?;
        tokens.identity(&token, self.source.now()).map(Some)
    }

    fn tell<B>(&self, request: &Request<B>, bad: BadToken) {
        self.counts.count(Refusal::Unauthenticated);
        let method = request.uri().path().trim_start_matches('/');
        if self.warnings.allow() {
            tracing::warn!(method, cause = %bad, "a token is refused");
        } else {
            tracing::debug!(method, cause = %bad, "a token is refused");
        }
    }
}
