//! `userpool create`, `describe` and `delete`.

use clap::{Args, ValueHint};

use crate::{
    client::Client,
    proto::{CreateUserPoolRequest, DeleteUserPoolRequest, DescribeUserPoolRequest},
    user_pool,
};

use super::{
    confirmation,
    connection::ConnectionArgs,
    document::Document,
    error::CliError,
    mutation::{ExpectedRevision, MutationArgs},
    outcome::Outcome,
    output::{JsonOutputArgs, print_note, print_summary},
    text::escape,
};

#[derive(Debug, Args)]
#[command(after_help = "Examples, create a user pool, and copy one:\n  \
                        echo '{\"PoolName\": \"people\"}' | userpool create -\n  \
                        userpool describe us-east-1_tXLpktx5t | userpool create -")]
pub(super) struct CreateCommand {
    /// A JSON file, or "-" for stdin: a request, in the format of "aws cognito-idp
    /// create-user-pool --cli-input-json", or a user pool that describe or replay printed. The new
    /// one gets its settings and its schema, but not its domains and the factors that "mfa set"
    /// sets.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    document: Document,
    #[command(flatten)]
    mutation: MutationArgs,
    #[command(flatten)]
    output: JsonOutputArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  userpool describe us-east-1_tXLpktx5t -o table")]
pub(super) struct DescribeCommand {
    /// The ID of the user pool.
    #[arg(value_name = "POOL")]
    pool: String,
    #[command(flatten)]
    output: JsonOutputArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples, asking first, and in a script:\n  \
                        userpool delete us-east-1_tXLpktx5t\n  \
                        userpool delete us-east-1_tXLpktx5t --expected-revision 3 --yes")]
pub(super) struct DeleteCommand {
    /// The ID of the user pool.
    #[arg(value_name = "POOL")]
    pool: String,
    /// Delete without asking. If omitted, the command shows what it deletes and asks on a terminal,
    /// and is refused without one.
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

impl CreateCommand {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        let (request, user_pool) = self.document.create_user_pool()?;
        let factors = user_pool.as_ref().map(user_pool::factor_members).unwrap_or_default();
        if !factors.is_empty() {
            print_note(&format!(
                "a new user pool does not get {} of the document; to set the factors, use userpool \
                 mfa set",
                factors.join(" and ")
            ));
        }
        let request = CreateUserPoolRequest {
            request_id: self.mutation.request_id.or(request.request_id),
            validate_only: self.mutation.validate_only || request.validate_only,
            ..request
        };
        let client = self.connection.connect().await?;
        let is_recorded = !request.validate_only;
        let created = client.create_user_pool(request).await?;
        self.output.format().message(&created)?;
        let pool = created.user_pool.as_ref().filter(|_| is_recorded);
        if let Some(id) = pool.and_then(|pool| pool.id.as_ref()) {
            print_summary(&format!("created {}", escape(id)));
        }
        Ok(Outcome::Success)
    }
}

impl DescribeCommand {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        let request = DescribeUserPoolRequest {
            user_pool_id: Some(self.pool),
            ..DescribeUserPoolRequest::default()
        };
        let client = self.connection.connect().await?;
        let described = client.describe_user_pool(request).await?;
        self.output.format().message(&described)?;
        Ok(Outcome::Success)
    }
}

impl DeleteCommand {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        let mut request = DeleteUserPoolRequest {
            user_pool_id: Some(self.pool),
            request_id: self.mutation.request_id,
            validate_only: self.mutation.validate_only,
            expected_revision: self.expected.expected_revision,
        };
        let client = self.connection.connect().await?;
        let asks = !self.yes && !request.validate_only;
        let mut retry_flags = Vec::new();
        if asks && let Some((shown, flag)) = show(&client, &mut request).await? {
            retry_flags.extend(flag);
            print_note(&shown);
            if !confirmation::confirm("deletes the user pool")? {
                return Ok(Outcome::Negative);
            }
        }
        let deleted = client.delete_user_pool(request).await;
        let deleted =
            deleted.inspect_err(|status| confirmation::note_retry_flags(status, &retry_flags))?;
        self.output.format().message(&deleted)?;
        Ok(Outcome::Success)
    }
}

/// Says what the request would delete, and makes it delete nothing else: it expects the revision
/// that is shown. Returns the flag that a retry needs as well; nothing, if it may be one.
async fn show(
    client: &Client,
    request: &mut DeleteUserPoolRequest,
) -> Result<Option<(String, Option<String>)>, CliError> {
    let describe = DescribeUserPoolRequest {
        user_pool_id: request.user_pool_id.clone(),
        ..DescribeUserPoolRequest::default()
    };
    let described = match client.describe_user_pool(describe).await {
        Ok(described) => described,
        Err(status) if confirmation::may_be_retry(request.request_id.as_deref(), &status) => {
            return Ok(None);
        }
        Err(status) => return Err(status.into()),
    };
    let revision = described.revision;
    let DeleteUserPoolRequest { expected_revision, request_id, .. } = request;
    let flag = confirmation::expect_shown(expected_revision, request_id.as_deref(), revision);
    // Nobody is asked about what would be refused. A deletion that was recorded is not.
    let preview = DeleteUserPoolRequest { validate_only: true, ..request.clone() };
    client.delete_user_pool(preview).await?;
    let pool = described.user_pool.unwrap_or_default();
    let (id, name) = (escape(pool.id()), escape(pool.name()));
    let shown = format!(
        "{id}, named {name}, is at revision {revision}; after the deletion, \"userpool restore {id} --to \
         {revision}\" brings it back"
    );
    Ok(Some((shown, flag)))
}
