//! `userpool restore`: setting a user pool back to what it was, after showing what changes.

use std::{io::Write as _, sync::Arc};

use clap::Args;
use serde_json::Value;

use crate::{
    app::Source,
    client::Client,
    proto::{
        self, Difference, HistoryPoint, KeptField, KeptFieldReason, ReplayUserPoolResponse,
        RestoreUserPoolRequest, RestoreUserPoolResponse, UnwritableMessage,
    },
};

use super::{
    confirmation,
    connection::ConnectionArgs,
    diff::{self, MODIFIED},
    error::CliError,
    mutation::{ExpectedRevision, MutationArgs},
    outcome::Outcome,
    output::{JsonOutputArgs, OutputFormat, print_note, print_summary},
    replay::replay,
    text::escape,
};

#[derive(Debug, Args)]
#[command(after_help = "Examples, undo a bad update, and bring back a deleted user pool with its \
                        domains:\n  \
                        userpool history us-east-1_tXLpktx5t\n  \
                        userpool restore us-east-1_tXLpktx5t --to 7\n  \
                        userpool restore us-east-1_tXLpktx5t --to 7 --domain")]
pub(super) struct RestoreCommand {
    /// The ID of the user pool. If it is deleted, it comes back under this ID.
    #[arg(value_name = "POOL")]
    pool: String,
    /// Restore the state at this point: a revision (7), a position in the log (@120), a time
    /// (2026-11-17T10:00:00Z), a date (2026-11-17, midnight UTC), or a duration before now (2h).
    #[arg(long, value_name = "POINT")]
    to: HistoryPoint,
    /// Restore the domains and their settings as well. If omitted, they stay as they are.
    #[arg(long)]
    domain: bool,
    /// Restore without showing what changes, and without asking. If omitted, a change asks on a
    /// terminal, is refused without one, and expects the revision that it shows.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    expected: ExpectedRevision,
    #[command(flatten)]
    mutation: MutationArgs,
    #[command(flatten)]
    output: JsonOutputArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl RestoreCommand {
    pub(super) async fn run(self, source: Arc<dyn Source>) -> Result<Outcome, CliError> {
        let MutationArgs { request_id, validate_only } = self.mutation;
        let (client, pool) = (self.connection.connect().await?, escape(&self.pool));
        // A retry would find another revision at a time such as "2h".
        let mut retry_flags = Vec::new();
        let revision = match self.to {
            HistoryPoint::Revision(revision) => revision,
            point @ (HistoryPoint::Position(_) | HistoryPoint::Time(_)) => {
                let as_of = Some(point.as_of(source.now()));
                let revision = replay(&client, self.pool.clone(), as_of).await?.revision;
                retry_flags.push(format!("--to {revision}"));
                revision
            }
        };
        let mut request = RestoreUserPoolRequest {
            user_pool_id: Some(self.pool),
            revision: Some(revision),
            restore_domain: self.domain,
            request_id,
            validate_only,
            expected_revision: self.expected.expected_revision,
        };
        if !self.yes {
            let (is_change, flag) = show(&client, &mut request).await?;
            retry_flags.extend(flag);
            if is_change && !validate_only && !confirmation::confirm("changes the user pool")? {
                return Ok(Outcome::Negative);
            }
        }
        let restored = client.restore_user_pool(request).await;
        let restored =
            restored.inspect_err(|status| confirmation::note_retry_flags(status, &retry_flags))?;
        match self.output.format() {
            format @ OutputFormat::Table => format.value(&readable(&restored)?)?,
            format @ (OutputFormat::Json | OutputFormat::Jsonl) => format.message(&restored)?,
        }
        if self.yes {
            print_lines(format_kept(&restored));
        }
        let RestoreUserPoolResponse { changed, revision, .. } = restored;
        match (validate_only, changed) {
            (true, _) => (),
            (false, true) => {
                print_summary(&format!("restored {pool}, which is now at revision {revision}"));
            }
            (false, false) => print_note("nothing was changed, and nothing was recorded"),
        }
        Ok(Outcome::Success)
    }
}

/// Shows what the request would change, and makes it change nothing else: it expects the
/// revision that is shown. Returns whether it changes anything, and the flag that a retry needs.
async fn show(
    client: &Client,
    request: &mut RestoreUserPoolRequest,
) -> Result<(bool, Option<String>), CliError> {
    let pool = request.user_pool_id.clone().unwrap_or_default();
    let current = replay(client, pool.clone(), None).await?;
    let RestoreUserPoolRequest { expected_revision, request_id, .. } = request;
    let flag =
        confirmation::expect_shown(expected_revision, request_id.as_deref(), current.revision);
    let preview = RestoreUserPoolRequest { validate_only: true, ..request.clone() };
    let restored = client.restore_user_pool(preview).await?;
    let revision = request.revision.unwrap_or_default();
    let mut lines = Vec::new();
    let differences = differences(&current, &restored)?;
    if differences.is_empty() {
        lines.push(format!("{} does not change", escape(&pool)));
    } else {
        let from = diff::format_point(&pool, &current);
        let to = format!("{} restored to revision {revision}", escape(&pool));
        lines.extend(diff::format_differences(&from, &to, &differences));
    }
    lines.extend(format_kept(&restored));
    print_lines(lines);
    Ok((!differences.is_empty(), flag))
}

/// A line for each field that is kept.
fn format_kept(restored: &RestoreUserPoolResponse) -> Vec<String> {
    let kept = restored.kept.iter();
    kept.map(|kept| escape(&format!("kept: {}: {}", kept.path, reason(kept)))).collect()
}

fn print_lines(lines: Vec<String>) {
    for line in lines {
        // Ignored: stderr may be closed.
        let _ = writeln!(anstream::stderr(), "{line}");
    }
}

/// The answer with a member for each field that is kept.
fn readable(restored: &RestoreUserPoolResponse) -> Result<Value, UnwritableMessage> {
    let kept = restored.kept.iter();
    let kept = kept.map(|kept| (format!("kept.{}", kept.path), reason(kept).into()));
    let mut answer = proto::to_json(&RestoreUserPoolResponse { kept: vec![], ..restored.clone() })?;
    if let Some(members) = answer.as_object_mut() {
        members.extend(kept);
    }
    Ok(answer)
}

/// What changes, except for the time of the change.
fn differences(
    current: &ReplayUserPoolResponse,
    restored: &RestoreUserPoolResponse,
) -> Result<Vec<Difference>, UnwritableMessage> {
    let restored = restored.user_pool.as_ref().map(proto::to_json).transpose()?;
    let mut differences = proto::differences(
        &proto::comparable(&proto::to_json(current)?),
        &restored.unwrap_or_default(),
    );
    differences.retain(|difference| difference.path != MODIFIED);
    Ok(differences)
}

/// Why a field is kept. On the command line, a flag asks for the domains.
fn reason(kept: &KeptField) -> &str {
    match kept.reason() {
        KeptFieldReason::DomainNotRequested => "domains are restored only with --domain",
        KeptFieldReason::Immutable | KeptFieldReason::Unspecified => &kept.description,
    }
}
