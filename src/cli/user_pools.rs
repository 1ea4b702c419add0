//! `userpool create`, `describe`, `update`, `delete` and `list`.

use clap::Args;

use crate::proto::{
    CreateUserPoolRequest, DeleteUserPoolRequest, DescribeUserPoolRequest, ListUserPoolsRequest,
    UpdateUserPoolRequest, UserPoolDescription,
};

use super::{
    change::{Change, Expected},
    connection::Connection,
    document::Document,
    error::CliError,
    outcome::Outcome,
    output::{List, Output},
    text::{printable, time},
};

#[derive(Debug, Args)]
#[command(after_help = "Example, a user pool like another one:\n  \
                        userpool describe us-east-1_tXLpktx5t | userpool create -")]
pub(super) struct Create {
    /// A file with JSON, or - for stdin: the request as "aws cognito-idp create-user-pool
    /// --cli-input-json" takes it, or a user pool as describe and replay print it.
    #[arg(value_name = "FILE")]
    document: Document,
    #[command(flatten)]
    change: Change,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  userpool describe us-east-1_tXLpktx5t -o table")]
pub(super) struct Describe {
    /// The ID of the user pool.
    #[arg(value_name = "POOL")]
    pool: String,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
#[command(after_help = "Example, one setting and nothing else:\n  \
                        echo '{\"MfaConfiguration\": \"ON\"}' |\n    \
                        userpool update us-east-1_tXLpktx5t - --mask mfa_configuration")]
pub(super) struct Update {
    /// The ID of the user pool.
    #[arg(value_name = "POOL")]
    pool: String,
    /// A file with JSON, or - for stdin: the request as "aws cognito-idp update-user-pool
    /// --cli-input-json" takes it; UserPoolId may be left out.
    #[arg(value_name = "FILE")]
    document: Document,
    /// The settings to change, as paths, with commas between them; one that the file leaves out
    /// goes back to its default. Absent: every setting is replaced.
    #[arg(long, value_name = "PATHS", value_delimiter = ',')]
    mask: Vec<String>,
    #[command(flatten)]
    expected: Expected,
    #[command(flatten)]
    change: Change,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  userpool delete us-east-1_tXLpktx5t --expected-revision 3")]
pub(super) struct Delete {
    /// The ID of the user pool.
    #[arg(value_name = "POOL")]
    pool: String,
    #[command(flatten)]
    expected: Expected,
    #[command(flatten)]
    change: Change,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  userpool list --limit 10")]
pub(super) struct ListPools {
    /// How many user pools to list at most. Absent: all.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

impl Create {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        let request = self.document.create_user_pool()?;
        let request = CreateUserPoolRequest {
            request_id: self.change.request_id.or(request.request_id),
            validate_only: self.change.validate_only || request.validate_only,
            ..request
        };
        let client = self.connection.connect().await?;
        let created = client.create_user_pool(request).await?;
        self.output.or_json().message(&created)?;
        Ok(Outcome::Success)
    }
}

impl Describe {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        let request = DescribeUserPoolRequest { user_pool_id: Some(self.pool) };
        let client = self.connection.connect().await?;
        let described = client.describe_user_pool(request).await?;
        self.output.or_json().message(&described)?;
        Ok(Outcome::Success)
    }
}

impl Update {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        let request: UpdateUserPoolRequest = self.document.read()?;
        if let Some(id) = request.user_pool_id.filter(|id| *id != self.pool) {
            let what = format!("is for user pool {id}, not {}", self.pool);
            return Err(self.document.unfit(&what));
        }
        let update_mask = if self.mask.is_empty() { request.update_mask } else { self.mask };
        let request = UpdateUserPoolRequest {
            user_pool_id: Some(self.pool),
            update_mask,
            expected_revision: self.expected.expected_revision.or(request.expected_revision),
            request_id: self.change.request_id.or(request.request_id),
            validate_only: self.change.validate_only || request.validate_only,
            ..request
        };
        let client = self.connection.connect().await?;
        let updated = client.update_user_pool(request).await?;
        self.output.or_json().message(&updated)?;
        Ok(Outcome::Success)
    }
}

impl Delete {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        let request = DeleteUserPoolRequest {
            user_pool_id: Some(self.pool),
            request_id: self.change.request_id,
            validate_only: self.change.validate_only,
            expected_revision: self.expected.expected_revision,
        };
        let client = self.connection.connect().await?;
        let deleted = client.delete_user_pool(request).await?;
        self.output.or_json().message(&deleted)?;
        Ok(Outcome::Success)
    }
}

impl ListPools {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        let client = self.connection.connect().await?;
        let columns = ["ID", "NAME", "#REVISION", "CREATED", "MODIFIED"];
        let mut list = List::new(self.output.or_table(), "UserPools", &columns);
        let page = async |max_results, next_token| {
            let request = ListUserPoolsRequest { max_results: Some(max_results), next_token };
            let page = client.list_user_pools(request).await?;
            Ok((page.user_pools, page.next_token))
        };
        list.fill(self.limit, page, row).await?;
        list.end()?;
        Ok(Outcome::Success)
    }
}

fn row(pool: &UserPoolDescription) -> Vec<String> {
    vec![
        printable(pool.id()),
        printable(pool.name()),
        pool.revision.to_string(),
        time(pool.creation_date),
        time(pool.last_modified_date),
    ]
}
