//! `userpool create`, `describe` and `delete`.

use clap::{Args, ValueHint};

use crate::{
    proto::{CreateUserPoolRequest, DeleteUserPoolRequest, DescribeUserPoolRequest},
    user_pool,
};

use super::{
    connection::ConnectionArgs,
    document::Document,
    error::CliError,
    mutation::{ExpectedRevision, MutationArgs},
    outcome::Outcome,
    output::{OutputArgs, print_note},
};

#[derive(Debug, Args)]
#[command(after_help = "Example, copy a user pool:\n  \
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
    output: OutputArgs,
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
    output: OutputArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  userpool delete us-east-1_tXLpktx5t --expected-revision 3")]
pub(super) struct DeleteCommand {
    /// The ID of the user pool.
    #[arg(value_name = "POOL")]
    pool: String,
    #[command(flatten)]
    expected: ExpectedRevision,
    #[command(flatten)]
    mutation: MutationArgs,
    #[command(flatten)]
    output: OutputArgs,
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
        let created = client.create_user_pool(request).await?;
        self.output.or_json().message(&created)?;
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
        self.output.or_json().message(&described)?;
        Ok(Outcome::Success)
    }
}

impl DeleteCommand {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        let request = DeleteUserPoolRequest {
            user_pool_id: Some(self.pool),
            request_id: self.mutation.request_id,
            validate_only: self.mutation.validate_only,
            expected_revision: self.expected.expected_revision,
        };
        let client = self.connection.connect().await?;
        let deleted = client.delete_user_pool(request).await?;
        self.output.or_json().message(&deleted)?;
        Ok(Outcome::Success)
    }
}
