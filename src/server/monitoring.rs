//! The listener for those who watch over the server: its metrics, and whether it is
//! alive and ready, over HTTP. It answers from the first moment to the last.
//!
//! Nothing can be changed here, and nothing that is told is of any user pool, so it
//! has neither TLS nor authorisation; but it listens only where it was told to.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::{self, JoinHandle},
    time::{Instant, Sleep, sleep, sleep_until},
};

use crate::transport::{Endpoint, Listener, Socket, listen::ACCEPT_PAUSE};
use crate::{
    telemetry::metrics::{self, Metrics},
    transport::Phase,
};

/// How many connections there may be; more wait to be accepted. They must not take
/// the descriptors that the log needs.
const CONNECTIONS: usize = 32;
/// How long a connection may be open. It is a minute longer than most intervals at
/// which metrics are read, and whoever is cut off connects again.
const LIFE: Duration = Duration::from_mins(2);
/// How long it may be before its first answer. Whoever connects and asks nothing must
/// not keep the places of those who ask.
const FIRST: Duration = Duration::from_secs(10);

/// A listener that answers. Dropped, it ends.
#[derive(Debug)]
pub(super) struct Monitoring {
    pub(super) endpoint: Endpoint,
    task: JoinHandle<io::Result<()>>,
}

#[derive(Debug, Clone)]
struct Monitored {
    phase: watch::Receiver<Phase>,
    metrics: Arc<Metrics>,
}

impl Monitoring {
    pub(super) fn start(
        listener: Listener,
        phase: watch::Receiver<Phase>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let endpoint = listener.endpoint();
        tracing::info!(%endpoint, "metrics are served");
        let routes = Router::new()
            .route("/healthz", get(alive))
            .route("/readyz", get(ready_now))
            .route("/metrics", get(read))
            .with_state(Monitored { phase, metrics });
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let serving = axum::serve(Accepting { listener, places }, routes);
        Self { endpoint, task: tokio::spawn(serving.into_future()) }
    }
}

impl Drop for Monitoring {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The process runs, whatever it is doing.
async fn alive() -> &'static str {
    "alive\n"
}

/// Whether calls are answered.
async fn ready_now(State(monitored): State<Monitored>) -> (StatusCode, String) {
    let phase = *monitored.phase.borrow();
    let status = match phase {
        Phase::Serving => StatusCode::OK,
        Phase::Starting | Phase::Stopping => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, format!("{}\n", phase.name()))
}

async fn read(State(monitored): State<Monitored>) -> impl IntoResponse {
    let metrics = monitored.metrics;
    // Sizes of files are looked up, which a bad disk may hold up.
    let text = task::spawn_blocking(move || metrics.text()).await;
    let content = [(CONTENT_TYPE, metrics::CONTENT_TYPE)];
    match text {
        Ok(Ok(text)) => Ok((content, text)),
        Ok(Err(_)) | Err(_) => Err(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

struct Accepting {
    listener: Listener,
    places: Arc<Semaphore>,
}

impl axum::serve::Listener for Accepting {
    type Io = Bounded;
    type Addr = ();

    async fn accept(&mut self) -> (Bounded, ()) {
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        loop {
            match self.listener.accept().await {
                Ok((socket, _)) => {
                    let opened = Instant::now();
                    let end = Box::pin(sleep_until(opened + FIRST));
                    let socket = socket.plain();
                    return (Bounded { socket, opened, answered: false, end, _place: place }, ());
                }
                Err(_) => sleep(ACCEPT_PAUSE).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

/// A connection that ends, whatever its client does.
struct Bounded {
    socket: Box<dyn Socket>,
    opened: Instant,
    answered: bool,
    end: Pin<Box<Sleep>>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Bounded {
    /// What came of it, unless the connection has been open for too long.
    fn in_time<T>(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            return result;
        }
        ready!(self.end.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Bounded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.socket).poll_read(cx, buffer);
        self.in_time(cx, read)
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !self.answered {
            let end = self.opened + LIFE;
            self.end.as_mut().reset(end);
            self.answered = true;
        }
        let written = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.in_time(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
