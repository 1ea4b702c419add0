//! `userpool restore`: setting a user pool back to what it was, after showing what changes.

use std::{io::Write as _, sync::Arc};

use clap::Args;
use tonic::Code;

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
    output::{OutputArgs, print_note},
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
    /// Restore without showing what changes, and without asking. Required without a terminal.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    expected: ExpectedRevision,
    #[command(flatten)]
    mutation: MutationArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl RestoreCommand {
    pub(super) async fn run(self, source: Arc<dyn Source>) -> Result<Outcome, CliError> {
        let MutationArgs { request_id, validate_only } = self.mutation;
        if !(self.yes || validate_only || confirmation::can_ask()) {
            return Err(CliError::message(
                "this changes the user pool, and there is no terminal to ask on; to restore \
                 without asking, add --yes; to see what would change, add --validate-only",
            ));
        }
        let client = self.connection.connect().await?;
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
            let is_change = show(&client, &mut request).await?;
            if is_change && !validate_only && !confirmation::confirm()? {
                return Ok(Outcome::Negative);
            }
        }
        if let Some(expected) = request.expected_revision {
            retry_flags.push(format!("--expected-revision {expected}"));
        }
        let restored = client.restore_user_pool(request).await.inspect_err(|status| {
            // The request of a retry must be the same.
            if matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded)
                && !retry_flags.is_empty()
            {
                print_note(&format!("a retry also needs {}", retry_flags.join(" ")));
            }
        })?;
        self.output.or_json().message(&restored)?;
        Ok(Outcome::Success)
    }
}

/// Shows what the request would change, and makes it change nothing else: it expects the
/// revision that is shown. Returns whether it changes anything.
async fn show(client: &Client, request: &mut RestoreUserPoolRequest) -> Result<bool, CliError> {
    let pool = request.user_pool_id.clone().unwrap_or_default();
    let current = replay(client, pool.clone(), None).await?;
    request.expected_revision.get_or_insert(current.revision);
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
    lines.extend(restored.kept.iter().map(format_kept));
    for line in lines {
        // Ignored: stderr may be closed.
        let _ = writeln!(anstream::stderr(), "{line}");
    }
    Ok(!differences.is_empty())
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

/// A field that is kept. On the command line, a flag asks for the domains.
fn format_kept(kept: &KeptField) -> String {
    let KeptField { path, description, .. } = kept;
    let reason = match kept.reason() {
        KeptFieldReason::DomainNotRequested => "domains are restored only with --domain",
        KeptFieldReason::Immutable | KeptFieldReason::Unspecified => description,
    };
    escape(&format!("kept: {path}: {reason}"))
}
