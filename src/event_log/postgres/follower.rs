//! Follows a log: learns of each append from a notification, or by asking.

use std::{
    ptr,
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout};

use crate::telemetry::{WarnLimiter, error_chain};

use super::{
    engine::Engine, error::PostgresError, replicas::REPORT_INTERVAL, settings::Durability,
};

/// How often the head is asked for without a notification.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// How often the durability of the database is checked.
const CHECK_INTERVAL: Duration = Duration::from_secs(30);

/// Follows the log as long as it is open.
pub(super) async fn follow(engine: Weak<Engine>) {
    let warnings = WarnLimiter::default();
    let mut checked = Instant::now();
    let mut reported: Option<Instant> = None;
    let mut listening = Weak::new();
    while let Some(engine) = engine.upgrade() {
        let asked = async {
            let session = engine.session(&engine.listener).await?;
            if !ptr::eq(listening.as_ptr(), Arc::as_ptr(&session)) {
                session.listen().await?;
                listening = Arc::downgrade(&session);
            }
            engine.latest().await?;
            if let Some(name) = &engine.settings.replica
                && reported.is_none_or(|reported| reported.elapsed() >= REPORT_INTERVAL)
            {
                reported = Some(Instant::now());
                if let Err(error) = session.report(name, engine.applied()).await {
                    let error = error_chain(&error);
                    tracing::warn!(error, "this server cannot describe itself in the database");
                }
            }
            if engine.settings.durability == Durability::Synchronous
                && checked.elapsed() >= CHECK_INTERVAL
            {
                checked = Instant::now();
                session.check_durability().await?;
            }
            Ok::<_, PostgresError>(session)
        };
        match asked.await {
            Ok(session) => {
                engine.metrics.set_durability_problems(0);
                drop(engine);
                let _ = timeout(POLL_INTERVAL, session.wait_for_append()).await;
            }
            Err(error) => {
                if let PostgresError::NotDurable { problems, .. } = &error {
                    engine.metrics.set_durability_problems(problems.count());
                    // Each new session checks it again, and nothing is appended without one.
                    engine.seen.leave_sessions();
                }
                if warnings.allow() {
                    let error = error_chain(&error);
                    tracing::warn!(error, "the log cannot be followed; retrying");
                }
                drop(engine);
                sleep(POLL_INTERVAL).await;
            }
        }
    }
}
