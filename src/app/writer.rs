//! The writer: one thread that owns the order of the log.
//!
//! It takes what is waiting, decides each command on the state that the ones
//! before it lead to, appends the events as one batch, projects them, and only
//! then answers anybody. One sync serves the whole batch.
//!
//! To project one batch while the next one is on its way to the disk was tried: with
//! as many callers there are twice as many batches, half as large, and on two cores
//! that costs more CPU time than the disk gives back.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::Arc,
    thread,
    time::Instant,
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot, watch},
};

use crate::{
    event_log::{EventLog, Head, Position, ReadLimit, Record},
    metrics::{self, AppMetrics},
    proto::{self, UserPoolEvent},
    user_pool::{Checked, UserPoolState, evolve},
};

use super::{
    Context, ExecuteError, LoadError, Outcome, PAGE, ReadModel, Settings, Source, StartError,
    batch::{Batch, Deciding, Decision},
    codec,
    history::Recent,
    in_full, log_failed, says,
};

/// How many commands one batch takes at most.
const BATCH: usize = 512;

/// A command on its way to the writer.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) checked: Checked,
    pub(super) context: Context,
    pub(super) answer: oneshot::Sender<Result<Outcome, ExecuteError>>,
}

/// Where commands come from, until the application is closed.
#[derive(Debug)]
pub(super) struct Jobs {
    pub(super) waiting: mpsc::Receiver<Job>,
    pub(super) closed: watch::Receiver<bool>,
}

impl Jobs {
    /// What waits, once there is anything; nothing after the last command.
    async fn next(&mut self, batch: &mut Vec<Job>) -> usize {
        tokio::select! {
            biased;
            () = closed(&mut self.closed) => {
                self.waiting.close();
                self.waiting.recv_many(batch, BATCH).await
            }
            taken = self.waiting.recv_many(batch, BATCH) => taken,
        }
    }
}

async fn closed(told: &mut watch::Receiver<bool>) {
    // An error means that the application is gone, which closes it, too.
    told.wait_for(|closed| *closed).await.map(|_| ()).ok();
}

/// What readers of the history may see: what is durable and projected.
#[derive(Debug)]
pub(super) struct Visible {
    pub(super) head: watch::Sender<Head>,
    pub(super) recent: Arc<Recent>,
}

/// Whether the writer takes commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// It does.
    Running,
    /// It does not: the server stops.
    Ended,
    /// It does not: the log failed.
    Failed,
}

/// Starts the writer. It ends after the last of `jobs`.
pub(super) async fn start(
    log: Arc<dyn EventLog>,
    read_model: Arc<ReadModel>,
    visible: Visible,
    source: Arc<dyn Source>,
    settings: Settings,
    mut jobs: Jobs,
) -> Result<watch::Receiver<Life>, StartError> {
    let last_time = last_record_time(log.as_ref()).await?;
    count_user_pools(&read_model, &settings.metrics);
    let mut writer = Writer { log, read_model, visible, source, settings, last_time };
    let (life, stopped) = watch::channel(Life::Running);
    let runtime = Handle::current();
    let work = move || {
        let worked = AssertUnwindSafe(|| runtime.block_on(writer.work(&mut jobs)));
        if matches!(panic::catch_unwind(worked), Ok(Ok(()))) {
            // Only once the log is let go of may the process end.
            drop(writer);
            life.send_replace(Life::Ended);
        } else {
            life.send_replace(Life::Failed);
        }
    };
    thread::Builder::new().name("writer".to_owned()).spawn(work).map_err(StartError::Thread)?;
    Ok(stopped)
}

/// Nothing can be recorded any more. Whoever waits is not answered, which is how they
/// learn of it.
struct LogFailed;

/// A batch and what its commands are answered.
struct Decided {
    batch: Batch,
    answers: Vec<Answer>,
}

/// What a command is answered once its batch is durable and visible.
struct Answer {
    to: oneshot::Sender<Result<Outcome, ExecuteError>>,
    decision: Result<Outcome, ExecuteError>,
    came_to: metrics::Outcome,
}

#[derive(Debug)]
struct Writer {
    log: Arc<dyn EventLog>,
    read_model: Arc<ReadModel>,
    visible: Visible,
    source: Arc<dyn Source>,
    settings: Settings,
    last_time: DateTime<Utc>,
}

impl Writer {
    /// Carries out what comes, until nothing will.
    async fn work(&mut self, jobs: &mut Jobs) -> Result<(), LogFailed> {
        let mut taken = Vec::with_capacity(BATCH);
        while jobs.next(&mut taken).await > 0 {
            let decided = self.decide(&mut taken).await;
            let records = self.append(&decided.batch.events).await?;
            self.show(decided, records)?;
        }
        Ok(())
    }

    async fn decide(&mut self, jobs: &mut Vec<Job>) -> Decided {
        let head = self.log.head().borrow().position;
        let mut batch = Batch::default();
        let mut answers = Vec::with_capacity(jobs.len());
        for job in jobs.drain(..).filter(|job| !job.answer.is_closed()) {
            let Job { checked, context, answer } = job;
            let validate_only = checked.options.validate_only;
            let mut deciding = Deciding {
                read_model: &self.read_model,
                source: self.source.as_ref(),
                settings: &self.settings,
                batch: &mut batch,
                head,
                last_time: &mut self.last_time,
            };
            // A fault in the rules costs the command that met it, and no other.
            let decide = AssertUnwindSafe(|| deciding.decide(checked, &context));
            let mut repeated = false;
            let mut decision = match panic::catch_unwind(decide) {
                Ok(Decision::Answer(answer)) => answer.map(|outcome| *outcome),
                Ok(Decision::Repeated(outcome)) => {
                    repeated = true;
                    Ok(*outcome)
                }
                Ok(Decision::Recorded { position }) => {
                    repeated = true;
                    self.recorded(position).await
                }
                Err(panic) => {
                    let request_id = &context.correlation_id;
                    tracing::error!(request_id, panic = says(&*panic), "panic");
                    Err(ExecuteError::Fault)
                }
            };
            // What was only validated has no place in the log, also where the answer
            // is that of a request which has one.
            if validate_only && let Ok(outcome) = &mut decision {
                outcome.position = 0;
            }
            let came_to = came_to(&decision, validate_only, repeated);
            answers.push(Answer { to: answer, decision, came_to });
        }
        Decided { batch, answers }
    }

    /// Appends the events of a batch; on return they are durable.
    async fn append(&self, events: &[UserPoolEvent]) -> Result<Vec<Record>, LogFailed> {
        // A batch of refusals is none for the log.
        let Some(first) = events.first() else { return Ok(Vec::new()) };
        let expected =
            Position(u64::try_from(first.position).unwrap_or_default().saturating_sub(1));
        let bodies: Vec<Bytes> = events.iter().map(codec::encode).collect();
        let traces = events.iter().filter_map(|event| event.traceparent.as_deref());
        let span = self.settings.tracer.append(events.len(), traces);
        let appended = self.log.append(expected, bodies).await;
        span.end();
        appended.map_err(|error| {
            log_failed(&error);
            LogFailed
        })
    }

    /// Projects what is durable, so that it is visible, and answers.
    fn show(&self, decided: Decided, records: Vec<Record>) -> Result<(), LogFailed> {
        self.project(decided.batch, records)?;
        // Also refusals waited: they may rest on what this batch has recorded.
        for Answer { to, decision, came_to } in decided.answers {
            self.settings.metrics.command(came_to);
            // Nobody may be waiting any more; what was decided holds all the same.
            let _ = to.send(decision);
        }
        Ok(())
    }

    fn project(&self, batch: Batch, records: Vec<Record>) -> Result<(), LogFailed> {
        let Some(head) = records.last().map(Record::head) else { return Ok(()) };
        let with_hash = |(event, record): (UserPoolEvent, Record)| {
            let (previous_hash, hash) = (record.previous_hash.0.to_vec(), record.hash.0.to_vec());
            UserPoolEvent { previous_hash, hash, record: Some(record.stored), ..event }
        };
        let events: Vec<_> = batch.events.into_iter().zip(records).map(with_hash).collect();
        let begun = Instant::now();
        self.read_model.apply(&events, batch.pools).map_err(|error| {
            tracing::error!(
                error = in_full(&error),
                "the read model failed; it is built again at the next start"
            );
            LogFailed
        })?;
        self.settings.metrics.applied(begun.elapsed());
        self.settings.metrics.projected(head.position.0);
        count_user_pools(&self.read_model, &self.settings.metrics);
        self.visible.recent.push(events);
        self.visible.head.send_replace(head);
        Ok(())
    }

    /// The outcome of a command that was carried out before: what the state was
    /// after its event.
    async fn recorded(&self, position: i64) -> Result<Outcome, ExecuteError> {
        let position = Position(u64::try_from(position).unwrap_or_default());
        let before = Position(position.0.saturating_sub(1));
        let read = self.log.read(before, ReadLimit { records: 1, ..PAGE }).await;
        let records = read.map_err(LoadError::from)?;
        let record = records.first().ok_or(ExecuteError::Fault)?;
        let event = codec::decode(record)?;
        let at = event.record_time.unwrap_or_default();
        // Creation and update carry the whole user pool; the answers of the other
        // commands do not show it.
        let payload = event.payload.ok_or(ExecuteError::Fault)?;
        let state = evolve(UserPoolState::Absent, payload, at);
        let user_pool = state.user_pool().cloned().unwrap_or_default();
        Ok(Outcome { user_pool, revision: event.revision, position: event.position })
    }
}

/// What cannot be read here is told where it is asked for.
fn count_user_pools(read_model: &ReadModel, metrics: &AppMetrics) {
    if let Ok(count) = read_model.user_pool_count() {
        metrics.user_pools(count);
    }
}

/// What to count a command as, once its batch is durable.
fn came_to(
    decided: &Result<Outcome, ExecuteError>,
    validate_only: bool,
    repeated: bool,
) -> metrics::Outcome {
    match decided {
        Ok(_) if validate_only => metrics::Outcome::Validated,
        Ok(_) if repeated => metrics::Outcome::Repeated,
        Ok(_) => metrics::Outcome::CarriedOut,
        Err(ExecuteError::Rejected(_) | ExecuteError::RequestIdReused { .. }) => {
            metrics::Outcome::Refused
        }
        Err(
            ExecuteError::Overloaded
            | ExecuteError::ShuttingDown
            | ExecuteError::LogUnavailable
            | ExecuteError::Fault
            | ExecuteError::Unreadable(_),
        ) => metrics::Outcome::Failed,
    }
}

/// When the last record was made: times go on from there, never back.
async fn last_record_time(log: &dyn EventLog) -> Result<DateTime<Utc>, LoadError> {
    let head = log.head().borrow().position;
    let Some(before) = head.0.checked_sub(1) else { return Ok(DateTime::UNIX_EPOCH) };
    let records = log.read(Position(before), ReadLimit { records: 1, ..PAGE }).await?;
    let event = records.first().map(codec::decode).transpose()?;
    let at = event.and_then(|event| event.record_time).unwrap_or_default();
    Ok(proto::date_time(at).unwrap_or(DateTime::UNIX_EPOCH))
}
