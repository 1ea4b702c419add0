//! The phase of a server that shares its log: whether it reaches the log and keeps up with it.

use std::{convert::Infallible, future::pending, time::Duration};

use tokio::{sync::watch, time::sleep};

use crate::{
    app::{App, Contact},
    telemetry::metrics::AppMetrics,
    transport::Phase,
};

/// How often the log is asked for its end.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long the log does not answer before health reports it.
const MAX_SILENCE: Duration = Duration::from_secs(5);

/// The phase of a server with this contact to its log.
const fn phase(contact: Contact, max_lag: Duration) -> Phase {
    if contact.silence.as_nanos() > MAX_SILENCE.as_nanos() {
        Phase::LogUnreachable
    } else if contact.lag.as_nanos() > max_lag.as_nanos() {
        Phase::Behind
    } else {
        Phase::Serving
    }
}

/// Keeps the phase up to date. Does nothing if the server has the log for itself.
pub(super) async fn follow(
    app: &App,
    max_lag: Duration,
    metrics: &AppMetrics,
    phases: watch::Sender<Phase>,
) -> Infallible {
    let Some(mut log) = app.log_contact() else { return pending().await };
    let mut last = Phase::Serving;
    loop {
        let contact = log.ask().await;
        metrics.set_log_contact(contact.lag, contact.silence);
        let now = phase(contact, max_lag);
        if now != last {
            let (lag, silence) = (contact.lag.as_secs(), contact.silence.as_secs());
            tracing::warn!(phase = now.name(), lag, silence, "contact with the log changed");
            phases.send_replace(now);
            last = now;
        }
        sleep(INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Contact, Phase, phase};

    #[test]
    fn a_server_is_behind_only_while_the_log_answers() {
        let of = |lag, silence| {
            let (lag, silence) = (Duration::from_secs(lag), Duration::from_secs(silence));
            phase(Contact { lag, silence }, Duration::from_secs(10))
        };
        assert_eq!(of(10, 5), Phase::Serving);
        assert_eq!(of(11, 5), Phase::Behind);
        assert_eq!(of(11, 6), Phase::LogUnreachable);
        assert!(of(11, 6).is_ready());
        assert!(!of(11, 5).is_ready());
    }
}
