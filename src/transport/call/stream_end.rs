//! Ends a stream whose caller was identified too long ago: when its token expires, or when its
//! connection has reached its maximum age. Other calls are short.

use std::{
    future,
    pin::Pin,
    task::{Context, Poll},
};

use http::Extensions;
use tokio::time::sleep_until;

use crate::{
    auth::{BadToken, TokenExpiry},
    service::Error,
    transport::connection_age::StreamsEnd,
};

/// When a stream ends, if it does not end before.
pub(super) struct StreamEnd(Pin<Box<dyn Future<Output = Error> + Send>>);

impl StreamEnd {
    /// The end of a stream with these extensions of its request.
    pub(super) fn of(request: &Extensions) -> Self {
        let connection = request.get::<StreamsEnd>().cloned();
        let token = request.get::<TokenExpiry>().copied();
        Self(Box::pin(async move {
            tokio::select! {
                () = connection_end(connection) => Error::max_connection_age(),
                () = token_expiry(token) => Error::from(BadToken::Expired),
            }
        }))
    }

    /// Completes with the error that ends the stream.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        self.0.as_mut().poll(cx)
    }
}

async fn connection_end(end: Option<StreamsEnd>) {
    match end {
        Some(mut end) => end.wait().await,
        None => future::pending().await,
    }
}

async fn token_expiry(expiry: Option<TokenExpiry>) {
    match expiry {
        Some(TokenExpiry(instant)) => sleep_until(instant).await,
        None => future::pending().await,
    }
}
