//! A session that several callers share, and that is opened again when it ended.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Mutex, time::Instant};

use crate::telemetry::error_chain;

use super::{error::PostgresError, seen::Seen, session::Session, settings::PostgresSettings};

/// How long a failure to open a session answers the callers that waited meanwhile.
const PAUSE: Duration = Duration::from_millis(100);

/// A session, if one is open.
#[derive(Default)]
pub(super) struct Slot(Mutex<State>);

#[derive(Default)]
struct State {
    session: Option<Arc<Session>>,
    failed: Option<(Instant, String)>,
}

impl Slot {
    /// The session, which is opened if there is none.
    ///
    /// # Errors
    /// See [`PostgresError`].
    pub(super) async fn session(
        &self,
        seen: &Seen,
        settings: &PostgresSettings,
    ) -> Result<Arc<Session>, PostgresError> {
        let mut state = self.0.lock().await;
        if let Some(session) = state.session.as_ref().filter(|session| seen.admits(session)) {
            return Ok(Arc::clone(session));
        }
        state.session = None;
        if let Some((at, cause)) = &state.failed
            && at.elapsed() < PAUSE
        {
            let (place, cause) = (settings.place(), cause.clone());
            return Err(PostgresError::Failed { place, cause });
        }
        match seen.open_session(settings).await {
            Ok(session) => {
                *state = State { session: Some(Arc::clone(&session)), failed: None };
                Ok(session)
            }
            Err(error) => {
                state.failed = Some((Instant::now(), error_chain(&error)));
                Err(error)
            }
        }
    }

    /// The session, if one is open and nobody opens another.
    pub(super) fn current(&self, seen: &Seen) -> Option<Arc<Session>> {
        let state = self.0.try_lock().ok()?;
        state.session.as_ref().filter(|session| seen.admits(session)).map(Arc::clone)
    }

    /// Does not use this session again.
    pub(super) async fn leave(&self, session: &Arc<Session>) {
        let mut state = self.0.lock().await;
        if state.session.as_ref().is_some_and(|current| Arc::ptr_eq(current, session)) {
            state.session = None;
        }
    }
}
