//! The writer: executes commands, one batch after another.
//!
//! It takes the commands in its queue, decides each on the state after the ones before it,
//! appends the events as one batch, has the projector apply them, and only then answers.
//! The batch needs one sync. While the queue is empty, and while the writer waits for its turn
//! to append, the projector applies the records that other servers append to the log.
//!
//! Projecting one batch while the next is being written to disk was tried: with the same
//! number of callers there are twice as many batches of half the size, and on two cores
//! that costs more CPU time than it saves waiting.

use std::{
    panic::{self, AssertUnwindSafe},
    pin::pin,
    sync::Arc,
    thread,
    time::Duration,
};

use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use prost::Message;
use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::watch,
    time::sleep,
};

use crate::{
    audit::codec,
    event_log::{AppendError, BoxError, EventLog, Fork, Position, ReadError, ReadLimit, Turn},
    telemetry::{WarnLimiter, error_chain, metrics, panic_message},
    user_pool::{UserPoolState, evolve},
};

use super::{
    ExecuteError, Failure, LoadError, Outcome, ReadMode, ReadModel, Settings, Source, StartError,
    append::{RETRY_PAUSE, append, confirm},
    batch::{Batch, Decider, Decision},
    clock::Clock,
    fork,
    jobs::{Job, Jobs, MAX_BATCH},
    projector::Projector,
};

#[cfg(sim_bugs)]
use super::planted_bugs::PlantedBug;

/// How long a command waits for a log that servers share, if that cannot be reached or does not
/// answer.
const LOG_WAIT: Duration = Duration::from_secs(5);

/// Whether the writer takes commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WriterState {
    /// It takes commands.
    Running,
    /// It has ended, because the server is stopping.
    Ended,
    /// It has failed.
    Failed(Failure),
}

/// Why nothing can be recorded any more. Waiting callers learn of it when the sender of
/// their answer is dropped.
#[derive(Debug, thiserror::Error)]
enum WriterError {
    /// An append whose outcome stays unknown.
    #[error("the log failed; no command is acknowledged until the server is started again")]
    Append(#[from] AppendError),
    /// The records cannot be applied to the read model.
    #[error("the read model cannot follow the log; it is checked again at the next start")]
    Project(#[from] LoadError),
}

impl WriterError {
    const fn failure(&self) -> Failure {
        match self {
            Self::Project(LoadError::ReadModel(_)) => Failure::ReadModel,
            Self::Append(AppendError::Forked(fork))
            | Self::Project(LoadError::Log(ReadError::Forked(fork))) => Failure::Forked(*fork),
            Self::Append(_) | Self::Project(_) => Failure::Log,
        }
    }
}

/// Starts the writer. It ends after the last of `jobs`.
///
/// It runs on its own thread, unless the runtime is single-threaded.
pub(super) fn start(
    writer: Writer,
    jobs: Jobs,
) -> Result<watch::Receiver<WriterState>, StartError> {
    let (state, states) = watch::channel(WriterState::Running);
    let work = run(writer, jobs, state);
    let runtime = Handle::current();
    if runtime.runtime_flavor() == RuntimeFlavor::CurrentThread {
        runtime.spawn(work);
    } else {
        let work = move || runtime.block_on(work);
        thread::Builder::new().name("writer".to_owned()).spawn(work).map_err(StartError::Thread)?;
    }
    Ok(states)
}

async fn run(mut writer: Writer, mut jobs: Jobs, state: watch::Sender<WriterState>) {
    let ended = match AssertUnwindSafe(writer.work(&mut jobs)).catch_unwind().await {
        Ok(Ok(())) => WriterState::Ended,
        Ok(Err(error)) => {
            let failure = error.failure();
            if let Failure::Forked(fork) = failure {
                fork::report(&writer.forked, fork);
            } else {
                tracing::error!(error = error_chain(&error), "the writer stopped");
            }
            WriterState::Failed(failure)
        }
        Err(_) => WriterState::Failed(Failure::Log),
    };
    // Release the log first, because the process may end after this.
    drop(writer);
    state.send_replace(ended);
}

/// The answer to a command, once its batch is durable and visible.
struct Answer {
    result: Result<Outcome, ExecuteError>,
    outcome: metrics::CommandOutcome,
}

#[derive(Debug)]
pub(super) struct Writer {
    pub(super) log: Arc<dyn EventLog>,
    pub(super) read_model: Arc<ReadModel>,
    pub(super) projector: Projector,
    pub(super) source: Arc<dyn Source>,
    pub(super) clock: Clock,
    /// How the log has forked, if servers share it.
    pub(super) forked: watch::Sender<Option<Fork>>,
    pub(super) settings: Settings,
    pub(super) warnings: WarnLimiter,
}

impl Writer {
    /// Executes commands until the queue is closed, and follows the log in between.
    async fn work(&mut self, jobs: &mut Jobs) -> Result<(), WriterError> {
        let mut taken = Vec::with_capacity(MAX_BATCH);
        let log = Arc::clone(&self.log);
        let mut forked = log.forked();
        loop {
            tokio::select! {
                biased;
                count = jobs.next(&mut taken) => {
                    if count == 0 {
                        return Ok(());
                    }
                    self.execute(&mut taken, jobs).await?;
                }
                () = self.projector.wait_for_records() => self.projector.catch_up().await?,
                fork = &mut forked => return Err(AppendError::Forked(fork).into()),
            }
        }
    }

    /// Executes commands as one batch. If another writer appends first, decides them again
    /// on the new state.
    async fn execute(&mut self, taken: &mut Vec<Job>, jobs: &mut Jobs) -> Result<(), WriterError> {
        self.projector.catch_up().await?;
        let is_shared = self.log.is_shared();
        let answers = loop {
            let turn = if is_shared { self.turn(taken, jobs).await? } else { None };
            taken.retain(|job| !job.answer.is_closed());
            if taken.is_empty() {
                self.log.end_turn().await;
                return Ok(());
            }
            let batch = Batch::new(self.read_model.changes());
            let now = turn.and_then(|turn| turn.now).map(DateTime::from);
            let (batch, answers) = self.decide(batch, taken, now, is_shared).await;
            #[cfg(sim_bugs)]
            let answers = if PlantedBug::EarlyAnswer.is_planted() {
                self.answer(taken, answers);
                Vec::new()
            } else {
                answers
            };
            let repeats = |answer: &Answer| answer.outcome == metrics::CommandOutcome::Repeated;
            let repeats = answers.iter().any(repeats);
            let committed = if is_shared {
                self.commit_in_time(batch, repeats, taken).await
            } else {
                self.commit(batch, repeats).await
            };
            match committed {
                Err(WriterError::Append(AppendError::Conflict { expected, actual }))
                    if is_shared =>
                {
                    tracing::debug!(%expected, %actual, "another writer was first; deciding again");
                    self.settings.metrics.count_log_conflict();
                    self.projector.catch_up_after_conflict(actual).await?;
                }
                Err(WriterError::Append(AppendError::NotAppended(error))) if is_shared => {
                    self.pause(&error, taken).await;
                }
                committed => break committed.map(|()| answers)?,
            }
        };
        // Refusals are also sent only now, because they may depend on events of this batch.
        self.answer(taken, answers);
        Ok(())
    }

    /// Waits for the turn to append, and then takes the commands that came meanwhile. Returns
    /// `None` if nobody waits for an answer any more.
    async fn turn(
        &mut self,
        taken: &mut Vec<Job>,
        jobs: &mut Jobs,
    ) -> Result<Option<Turn>, WriterError> {
        let log = Arc::clone(&self.log);
        loop {
            let mut turn = log.turn();
            let turn = loop {
                tokio::select! {
                    biased;
                    turn = &mut turn => break turn,
                    () = self.projector.wait_for_records() => self.projector.catch_up().await?,
                }
            };
            match turn {
                Ok(turn) => {
                    self.projector.catch_up_in_turn(turn.head).await?;
                    jobs.fill(taken);
                    return Ok(Some(turn));
                }
                Err(AppendError::NotAppended(error)) => self.pause(&error, taken).await,
                Err(error) => return Err(error.into()),
            }
            taken.retain(|job| !job.answer.is_closed());
            if *jobs.closed.borrow() {
                for job in taken.drain(..) {
                    let _ = job.answer.send(Err(ExecuteError::ShuttingDown));
                }
            }
            if taken.is_empty() {
                return Ok(None);
            }
        }
    }

    /// Waits before the log is used again, which failed without writing anything. Then answers
    /// the commands that have waited too long.
    async fn pause(&self, error: &BoxError, taken: &mut Vec<Job>) {
        if self.warnings.allow() {
            let error = error_chain(&**error);
            tracing::warn!(error, "the log cannot be appended to; retrying");
        }
        sleep(RETRY_PAUSE).await;
        for job in taken.extract_if(.., |job| job.sent_at.elapsed() > LOG_WAIT) {
            self.settings.metrics.count_command(metrics::CommandOutcome::Failed);
            let _ = job.answer.send(Err(ExecuteError::LogUnreachable));
        }
    }

    /// Makes a batch durable and visible, as [`commit`](Self::commit). If the outcome stays
    /// unknown for long, answers the commands before that, because they may be needed elsewhere;
    /// no other command is executed before the outcome is known.
    async fn commit_in_time(
        &self,
        batch: Batch,
        repeats: bool,
        taken: &mut Vec<Job>,
    ) -> Result<(), WriterError> {
        let mut commit = pin!(self.commit(batch, repeats));
        tokio::select! {
            biased;
            committed = &mut commit => return committed,
            () = sleep(LOG_WAIT) => (),
        }
        tracing::warn!("the log has not answered; whether it has the last batch is unknown");
        for job in taken.drain(..) {
            self.settings.metrics.count_command(metrics::CommandOutcome::Failed);
            let _ = job.answer.send(Err(ExecuteError::LogUnavailable));
        }
        commit.await
    }

    fn answer(&self, jobs: &mut Vec<Job>, answers: Vec<Answer>) {
        for (job, Answer { result, outcome }) in jobs.drain(..).zip(answers) {
            self.settings.metrics.count_command(outcome);
            // The caller may have given up; the command is recorded all the same.
            let _ = job.answer.send(result);
        }
    }

    /// Decides commands into a batch. Keeps them if `again` is set, because they may have to
    /// be decided again.
    async fn decide(
        &self,
        batch: Batch,
        jobs: &mut [Job],
        shared_time: Option<DateTime<Utc>>,
        again: bool,
    ) -> (Batch, Vec<Answer>) {
        let Self { read_model, source, clock, settings, .. } = self;
        let source = source.as_ref();
        let mut decider = Decider { read_model, source, clock, settings, shared_time, batch };
        let mut answers = Vec::with_capacity(jobs.len());
        for Job { checked, context, .. } in jobs {
            let command = if again { checked.clone() } else { checked.take() };
            let Some(command) = command else {
                let result = Err(ExecuteError::Fault);
                answers.push(Answer { result, outcome: metrics::CommandOutcome::Failed });
                continue;
            };
            let validate_only = command.options.validate_only;
            // A panic in the rules fails this command and no other.
            let decide = AssertUnwindSafe(|| decider.decide(command, context));
            let (mut result, is_repeated) = match panic::catch_unwind(decide) {
                Ok(Decision::Answer(answer)) => (answer, false),
                Ok(Decision::Repeated(outcome)) => (Ok(outcome), true),
                Ok(Decision::Recorded { position }) => (self.recorded(position).await, true),
                Err(panic) => {
                    let correlation_id = &context.correlation_id;
                    tracing::error!(correlation_id, panic = panic_message(&*panic), "panic");
                    (Err(ExecuteError::Fault), false)
                }
            };
            // A command that was only validated has no position, even if its answer is
            // repeated from a recorded one.
            if validate_only && let Ok(outcome) = &mut result {
                outcome.position = 0;
            }
            let outcome = outcome_label(&result, validate_only, is_repeated);
            answers.push(Answer { result, outcome });
        }
        (decider.batch, answers)
    }

    /// Makes a batch durable and visible. With `repeats`, there are answers that acknowledge what
    /// was recorded before. Without events, the answers are reads.
    async fn commit(&self, batch: Batch, repeats: bool) -> Result<(), WriterError> {
        let Batch { expected, events, bodies, changes, .. } = batch;
        if events.is_empty() {
            let is_strict = self.settings.reads.mode == ReadMode::Strict;
            let confirmed = confirm(self.log.as_ref(), expected, repeats || is_strict).await;
            self.log.end_turn().await;
            return Ok(confirmed?);
        }
        let traces = events.iter().filter_map(|event| event.traceparent.as_deref());
        let span = self.settings.tracer.append(events.len(), traces);
        let appended = append(self.log.as_ref(), &self.settings.metrics, expected, bodies).await;
        span.end();
        Ok(self.projector.apply(changes, events, appended?).map_err(LoadError::from)?)
    }

    /// The outcome of a command that was recorded before: the state after its event.
    async fn recorded(&self, position: i64) -> Result<Outcome, ExecuteError> {
        let position = Position::from_int(position);
        let before = Position(position.0.saturating_sub(1));
        let read = self.log.read(before, ReadLimit { records: 1, ..ReadLimit::PAGE }).await;
        let records = read.map_err(LoadError::from)?;
        let record = records.first().ok_or(ExecuteError::Fault)?;
        let event = codec::decode(record).map_err(LoadError::from)?;
        let at = event.record_time.unwrap_or_default();
        // Creations and updates carry the whole user pool; the responses to other commands
        // do not contain it.
        let payload = event.payload.ok_or(ExecuteError::Fault)?;
        let state = evolve(UserPoolState::Absent, payload, at);
        let user_pool = state.user_pool().map(Message::encode_to_vec).unwrap_or_default().into();
        let (revision, position) = (event.revision, event.position);
        Ok(Outcome { user_pool, revision, position, changed: true })
    }
}

/// The label under which a command is counted.
fn outcome_label(
    decided: &Result<Outcome, ExecuteError>,
    validate_only: bool,
    is_repeated: bool,
) -> metrics::CommandOutcome {
    match decided {
        Ok(_) if validate_only => metrics::CommandOutcome::Validated,
        Ok(_) if is_repeated => metrics::CommandOutcome::Repeated,
        Ok(_) => metrics::CommandOutcome::CarriedOut,
        Err(ExecuteError::Rejected(_) | ExecuteError::RequestIdReused { .. }) => {
            metrics::CommandOutcome::Refused
        }
        Err(
            ExecuteError::Overloaded
            | ExecuteError::ShuttingDown
            | ExecuteError::LogUnavailable
            | ExecuteError::LogUnreachable
            | ExecuteError::Forked(_)
            | ExecuteError::Clock(_)
            | ExecuteError::Fault
            | ExecuteError::Unreadable(_),
        ) => metrics::CommandOutcome::Failed,
    }
}
