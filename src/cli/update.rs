//! `userpool update`: changing the settings of a user pool, and saying which are reset.

use clap::{Args, ValueHint};
use serde_json::Value;
use tonic::Status;

use crate::{
    client::Client,
    proto::{
        self, DescribeUserPoolRequest, DescribeUserPoolResponse, Difference, UpdateUserPoolRequest,
        UserPool,
    },
    user_pool,
};

use super::{
    confirmation,
    connection::ConnectionArgs,
    diff::MODIFIED,
    document::Document,
    error::CliError,
    mask,
    mutation::{ExpectedRevision, MutationArgs},
    outcome::Outcome,
    output::{JsonOutputArgs, print_note},
    text::escape,
};

#[derive(Debug, Args)]
#[expect(clippy::doc_markdown, reason = "the help shows the text as it is")]
#[command(after_help = "To set everything back to an earlier state, use userpool restore.\n\n\
                        Example, change one setting:\n  \
                        echo '{\"MfaConfiguration\": \"OFF\"}' |\n    \
                        userpool update us-east-1_tXLpktx5t - --mask MfaConfiguration")]
pub(super) struct UpdateCommand {
    /// The ID of the user pool.
    #[arg(value_name = "POOL")]
    pool: String,
    /// A JSON file, or "-" for stdin: a request, in the format of "aws cognito-idp
    /// update-user-pool --cli-input-json", in which UserPoolId is optional; or a user pool that
    /// describe or replay printed. What it has that an update cannot change must be as it is, such
    /// as the schema, the domains and their settings, and the factors that "mfa set" sets.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    document: Document,
    /// Change only the settings at these paths, separated by commas, such as
    /// Policies.PasswordPolicy or policies.password_policy. A setting that the file omits is reset
    /// to its default. If omitted, all settings are replaced.
    #[arg(long, value_name = "PATHS", value_delimiter = ',')]
    mask: Vec<String>,
    /// Replace all settings without showing which ones are reset because the file omits them, and
    /// without asking. If omitted, such an update asks on a terminal, and is refused without one.
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

impl UpdateCommand {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        let (request, user_pool) = self.document.update_user_pool()?;
        self.document.check_user_pool(request.user_pool_id, &self.pool)?;
        let mask = if self.mask.is_empty() { request.update_mask } else { self.mask };
        let mut request = UpdateUserPoolRequest {
            user_pool_id: Some(self.pool),
            update_mask: mask.iter().map(|path| mask::to_mask_path(path)).collect(),
            expected_revision: self.expected.expected_revision.or(request.expected_revision),
            request_id: self.mutation.request_id.or(request.request_id),
            validate_only: self.mutation.validate_only || request.validate_only,
            ..request
        };
        let client = self.connection.connect().await?;
        if let Some(user_pool) = user_pool {
            refuse_unchangeable(&client, &self.document, &request, &user_pool).await?;
        }
        let mut retry_flags = Vec::new();
        if !self.yes
            && request.update_mask.is_empty()
            && let Some(revision) = show_resets(&client, &request).await?
            && !request.validate_only
        {
            if !confirmation::confirm("resets settings of the user pool")? {
                return Ok(Outcome::Negative);
            }
            let UpdateUserPoolRequest { expected_revision, request_id, .. } = &mut request;
            let flag =
                confirmation::expect_shown(expected_revision, request_id.as_deref(), revision);
            retry_flags.extend(flag);
        }
        let updated = client.update_user_pool(request).await;
        let updated =
            updated.inspect_err(|status| confirmation::note_retry_flags(status, &retry_flags))?;
        self.output.format().message(&updated)?;
        Ok(Outcome::Success)
    }
}

/// Compares what an update cannot change with the current user pool.
async fn refuse_unchangeable(
    client: &Client,
    document: &Document,
    request: &UpdateUserPoolRequest,
    given: &UserPool,
) -> Result<(), CliError> {
    let current = describe(client, request).await?.user_pool.unwrap_or_default();
    let members = user_pool::unchangeable_differences(given, &current);
    if members.is_empty() {
        if request.update_mask.is_empty() {
            note_kept_factors(given, &current);
        }
        return Ok(());
    }
    let verb = if members.len() == 1 { "differs" } else { "differ" };
    Err(document.invalid(&format!(
        "{} {verb} from the user pool as it is, and an update cannot change that; remove it from \
         the document to update the settings alone, or set everything back with userpool restore",
        members.join(", ")
    )))
}

/// Says which MFA factors stay although the document does not have them. It may be from AWS,
/// which does not show them with the user pool.
fn note_kept_factors(given: &UserPool, current: &UserPool) {
    let in_document = user_pool::factor_members(given);
    let mut kept = user_pool::factor_members(current);
    kept.retain(|member| !in_document.contains(member));
    if !kept.is_empty() {
        print_note(&format!(
            "the user pool keeps {}, which the document does not have and an update cannot change; \
             to change the factors, use userpool mfa set",
            kept.join(" and ")
        ));
    }
}

/// Shows the members that an update of all settings would reset, although its document does not
/// name them, and returns the revision of the user pool that is shown. Nothing, if there are none,
/// or if the update may be a retry. The server decides both updates.
async fn show_resets(
    client: &Client,
    request: &UpdateUserPoolRequest,
) -> Result<Option<i64>, CliError> {
    let preview = async {
        // First, so that a change after it is refused.
        let described = describe(client, request).await?;
        Ok((described, try_update(client, request, Vec::new()).await?))
    };
    let (described, replaced) = match preview.await {
        Ok(preview) => preview,
        // An update that was recorded is answered, whatever happened to the user pool since.
        Err(status) if confirmation::may_be_retry(request.request_id.as_deref(), &status) => {
            return Ok(None);
        }
        Err(status) => return Err(Status::into(status)),
    };
    let named = mask::settings(request);
    let kept = if named.is_empty() { None } else { try_update(client, request, named).await.ok() };
    let current = described.user_pool.unwrap_or_default();
    let mut kept = kept.unwrap_or_else(|| current.clone());
    // All tags are one setting, but each of them can be lost.
    for (tag, value) in current.user_pool_tags {
        kept.user_pool_tags.entry(tag).or_insert(value);
    }
    let mut resets = proto::differences(&proto::to_json(&kept)?, &proto::to_json(&replaced)?);
    resets.retain(|reset| reset.path != MODIFIED);
    if resets.is_empty() {
        return Ok(None);
    }
    print_note(&format_resets(&resets));
    Ok(Some(described.revision))
}

/// The user pool after an update with this mask, which is not recorded.
async fn try_update(
    client: &Client,
    request: &UpdateUserPoolRequest,
    update_mask: Vec<String>,
) -> Result<UserPool, Status> {
    let request = UpdateUserPoolRequest {
        request_id: None,
        // A retry of an update that was recorded expects an earlier revision.
        expected_revision: None,
        validate_only: true,
        update_mask,
        ..request.clone()
    };
    Ok(client.update_user_pool(request).await?.user_pool.unwrap_or_default())
}

async fn describe(
    client: &Client,
    request: &UpdateUserPoolRequest,
) -> Result<DescribeUserPoolResponse, Status> {
    let request = DescribeUserPoolRequest {
        user_pool_id: request.user_pool_id.clone(),
        ..DescribeUserPoolRequest::default()
    };
    client.describe_user_pool(request).await
}

fn format_resets(resets: &[Difference]) -> String {
    let (count, them) = match resets.len() {
        1 => ("1 setting".to_owned(), "it"),
        count => (format!("{count} settings"), "them"),
    };
    let lines = resets.iter().map(|Difference { path, from, to }| {
        let shown = |value: &Option<Value>| value.as_ref().map(ToString::to_string);
        let from = shown(from).unwrap_or_else(|| "absent".to_owned());
        let to = shown(to).map_or_else(|| "is removed".to_owned(), |to| format!("becomes {to}"));
        escape(&format!("{path}: {from} {to}"))
    });
    let lines: Vec<_> = lines.collect();
    format!(
        "the document omits {count}, which this update resets; to keep {them}, name the settings to \
         change with --mask, or change single tags with userpool tag:\n  {}",
        lines.join("\n  ")
    )
}
