//! A connection to a server that accepts writes, and what the server sends without being asked.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    runtime::Handle,
    sync::Notify,
    task::AbortHandle,
    time::timeout,
};
use tokio_postgres::{
    AsyncMessage, CancelToken, Client, Connection, config::LoadBalanceHosts, error::Severity,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    error::PostgresError,
    settings::{PostgresSettings, Target},
    sql,
};

/// How long a request to cancel may take.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);

/// What the database sends without being asked.
#[derive(Default)]
pub(super) struct Messages {
    /// How often it has warned. Not a flag, because statements of several callers overlap.
    pub(super) warnings: AtomicU64,
    /// Somebody has appended.
    pub(super) appended: Notify,
}

/// The task that moves the bytes of a connection.
pub(super) struct Driver(AbortHandle);

impl Drop for Driver {
    /// Closes the connection. A commit that waits for a standby goes on waiting.
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A connection with the settings of a session.
pub(super) struct Raw {
    pub(super) client: Client,
    pub(super) messages: Arc<Messages>,
    pub(super) driver: Driver,
    pub(super) tls: MakeRustlsConnect,
}

impl Raw {
    /// Connects to a server that accepts writes.
    pub(super) async fn connect(settings: &PostgresSettings) -> Result<Self, PostgresError> {
        let place = settings.place();
        let failed = |source| PostgresError::Database { place: place.clone(), source };
        let Target { mut config, tls } = settings.load()?;
        // So that a former primary is not tried first each time.
        config.load_balance_hosts(LoadBalanceHosts::Random);
        let (client, connection) = config.connect(tls.clone()).await.map_err(failed)?;
        let messages = Arc::new(Messages::default());
        let driver = tokio::spawn(drive(connection, Arc::clone(&messages)));
        let driver = Driver(driver.abort_handle());
        let raw = Self { client, messages, driver, tls };
        raw.client.batch_execute(sql::SESSION).await.map_err(failed)?;
        Ok(raw)
    }
}

/// Moves bytes until the session ends, and keeps what was not asked for.
async fn drive<S, T>(mut connection: Connection<S, T>, messages: Arc<Messages>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
        if let AsyncMessage::Notification(_) = message {
            messages.appended.notify_one();
        } else if let AsyncMessage::Notice(notice) = message
            && notice.parsed_severity().is_none_or(|severity| severity == Severity::Warning)
        {
            tracing::warn!(notice = notice.message(), "the database warns");
            // Before the answer to the statement that caused it is delivered.
            messages.warnings.fetch_add(1, Ordering::SeqCst);
        }
    }
    messages.appended.notify_one();
}

/// Cancels what a session does, unless it is disarmed before.
pub(super) struct CancelOnDrop(Option<(CancelToken, MakeRustlsConnect)>);

impl CancelOnDrop {
    pub(super) fn new(client: &Client, tls: &MakeRustlsConnect) -> Self {
        Self(Some((client.cancel_token(), tls.clone())))
    }

    pub(super) fn disarm(&mut self) {
        self.0 = None;
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some((token, tls)) = self.0.take()
            && let Ok(runtime) = Handle::try_current()
        {
            // If it fails, the server is not there, or ends the session itself.
            runtime.spawn(async move {
                let _ = timeout(CANCEL_TIMEOUT, token.cancel_query(tls)).await;
            });
        }
    }
}
