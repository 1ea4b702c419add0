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
    mem,
    panic::{self, AssertUnwindSafe},
    sync::Arc,
    thread,
    time::Instant,
};

use prost::Message;
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot, watch},
};

use crate::{
    audit::codec,
    event_log::{EventLog, Head, Position, ReadLimit, Record},
    telemetry::metrics,
    telemetry::{error_chain, panic_message},
    user_pool::{Checked, UserPoolState, evolve},
};

use super::{
    Context, ExecuteError, LoadError, Outcome, PAGE, ReadModel, ReadModelError, Settings, Source,
    StartError,
    batch::{Batch, Deciding, Decision},
    history::Recent,
    log_failed,
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
pub(super) fn start(
    log: Arc<dyn EventLog>,
    read_model: Arc<ReadModel>,
    visible: Visible,
    source: Arc<dyn Source>,
    settings: Settings,
    mut jobs: Jobs,
) -> Result<watch::Receiver<Life>, StartError> {
    let changes = read_model.changes().map_err(LoadError::from)?;
    settings.metrics.user_pools(changes.user_pool_count());
    let mut writer = Writer { log, read_model, visible, source, settings };
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
}

impl Writer {
    /// Carries out what comes, until nothing will.
    async fn work(&mut self, jobs: &mut Jobs) -> Result<(), LogFailed> {
        let mut taken = Vec::with_capacity(BATCH);
        while jobs.next(&mut taken).await > 0 {
            let changes = self.read_model.changes().map_err(|error| read_model_failed(&error))?;
            let (mut batch, answers) = self.decide(Batch::after(changes), &mut taken).await;
            let records = self.append(&mut batch).await?;
            self.project(batch, records)?;
            // Also refusals waited: they may rest on what this batch has recorded.
            for Answer { to, decision, came_to } in answers {
                self.settings.metrics.command(came_to);
                // Nobody may be waiting any more; what was decided holds all the same.
                let _ = to.send(decision);
            }
        }
        Ok(())
    }

    async fn decide(&self, batch: Batch, jobs: &mut Vec<Job>) -> (Batch, Vec<Answer>) {
        let Self { read_model, source, settings, .. } = self;
        let mut deciding = Deciding { read_model, source: source.as_ref(), settings, batch };
        let mut answers = Vec::with_capacity(jobs.len());
        for job in jobs.drain(..).filter(|job| !job.answer.is_closed()) {
            let Job { checked, context, answer } = job;
            let validate_only = checked.options.validate_only;
            // A fault in the rules costs the command that met it, and no other.
            let decide = AssertUnwindSafe(|| deciding.decide(checked, &context));
            let (mut decision, repeated) = match panic::catch_unwind(decide) {
                Ok(Decision::Answer(answer)) => (answer, false),
                Ok(Decision::Repeated(outcome)) => (Ok(outcome), true),
                Ok(Decision::Recorded { position }) => (self.recorded(position).await, true),
                Err(panic) => {
                    let request_id = &context.correlation_id;
                    tracing::error!(request_id, panic = panic_message(&*panic), "panic");
                    (Err(ExecuteError::Fault), false)
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
        (deciding.batch, answers)
    }

    /// Appends the events of a batch; on return they are durable.
    async fn append(&self, batch: &mut Batch) -> Result<Vec<Record>, LogFailed> {
        let Batch { after, events, bodies, .. } = batch;
        // A batch of refusals is none for the log.
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let traces = events.iter().filter_map(|event| event.traceparent.as_deref());
        let span = self.settings.tracer.append(events.len(), traces);
        let appended = self.log.append(*after, mem::take(bodies)).await;
        span.end();
        appended.map_err(|error| {
            log_failed(&error);
            LogFailed
        })
    }

    /// Projects what is durable, so that it is visible.
    fn project(&self, batch: Batch, records: Vec<Record>) -> Result<(), LogFailed> {
        let Some(head) = records.last().map(Record::head) else { return Ok(()) };
        let Batch { events, mut changes, .. } = batch;
        changes.end(head);
        let user_pools = changes.user_pool_count();
        let begun = Instant::now();
        self.read_model.apply(changes).map_err(|error| read_model_failed(&error))?;
        self.settings.metrics.applied(begun.elapsed());
        self.settings.metrics.projected(head.position.0);
        self.settings.metrics.user_pools(user_pools);
        self.visible.recent.push(events.into_iter().zip(records));
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
        let event = codec::decode(record).map_err(LoadError::from)?;
        let at = event.record_time.unwrap_or_default();
        // Creation and update carry the whole user pool; the answers of the other
        // commands do not show it.
        let payload = event.payload.ok_or(ExecuteError::Fault)?;
        let state = evolve(UserPoolState::Absent, payload, at);
        let user_pool = state.user_pool().map(Message::encode_to_vec).unwrap_or_default().into();
        Ok(Outcome { user_pool, revision: event.revision, position: event.position })
    }
}

fn read_model_failed(error: &ReadModelError) -> LogFailed {
    tracing::error!(
        error = error_chain(error),
        "the read model failed; it is built again at the next start"
    );
    LogFailed
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
