//! `userpool tag set`, `remove` and `list`.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};

use crate::{
    client::Client,
    proto::{
        DescribeUserPoolRequest, ListTagsForResourceRequest, TagResourceRequest,
        UntagResourceRequest,
    },
};

use super::{
    connection::ConnectionArgs,
    error::CliError,
    mutation::{ExpectedRevision, MutationArgs},
    outcome::Outcome,
    output::JsonOutputArgs,
};

#[derive(Debug, Subcommand)]
pub(super) enum TagCommand {
    /// Set tags of a user pool; its other tags stay.
    Set(SetTagsCommand),
    /// Remove tags from a user pool; keys that it does not have are ignored.
    Remove(RemoveTagsCommand),
    /// List the tags of a user pool.
    List(ListTagsCommand),
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  userpool tag set us-east-1_tXLpktx5t team=payments stage=test")]
pub(super) struct SetTagsCommand {
    /// The tags, such as team=payments.
    #[arg(value_name = "TAG", index = 2, required = true, value_parser = tag)]
    tags: Vec<(String, String)>,
    #[command(flatten)]
    pool: TaggedPool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  userpool tag remove us-east-1_tXLpktx5t team stage")]
pub(super) struct RemoveTagsCommand {
    /// The keys of the tags.
    #[arg(value_name = "KEY", index = 2, required = true)]
    keys: Vec<String>,
    #[command(flatten)]
    pool: TaggedPool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  userpool tag list us-east-1_tXLpktx5t")]
pub(super) struct ListTagsCommand {
    /// The ID of the user pool.
    #[arg(value_name = "POOL")]
    pool: String,
    #[command(flatten)]
    output: JsonOutputArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// A user pool whose tags change, and how.
#[derive(Debug, Args)]
struct TaggedPool {
    /// The ID of the user pool.
    #[arg(value_name = "POOL", index = 1)]
    pool: String,
    #[command(flatten)]
    expected: ExpectedRevision,
    #[command(flatten)]
    mutation: MutationArgs,
    #[command(flatten)]
    output: JsonOutputArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Parses a tag. A value may contain "=".
fn tag(text: &str) -> Result<(String, String), String> {
    let tag = text.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
    tag.ok_or_else(|| "must be KEY=VALUE".to_owned())
}

/// The ARN of a user pool, which only the server knows.
async fn arn(client: &Client, pool: String) -> Result<Option<String>, CliError> {
    let request =
        DescribeUserPoolRequest { user_pool_id: Some(pool), ..DescribeUserPoolRequest::default() };
    Ok(client.describe_user_pool(request).await?.user_pool.and_then(|pool| pool.arn))
}

impl TagCommand {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        match self {
            Self::Set(set) => set.run().await,
            Self::Remove(remove) => remove.run().await,
            Self::List(list) => list.run().await,
        }
    }
}

impl SetTagsCommand {
    async fn run(self) -> Result<Outcome, CliError> {
        let TaggedPool { pool, expected, mutation, output, connection } = self.pool;
        let client = connection.connect().await?;
        let request = TagResourceRequest {
            resource_arn: arn(&client, pool).await?,
            tags: self.tags.into_iter().collect::<BTreeMap<_, _>>(),
            request_id: mutation.request_id,
            validate_only: mutation.validate_only,
            expected_revision: expected.expected_revision,
        };
        let set = client.tag_resource(request).await?;
        output.format().message(&set)?;
        Ok(Outcome::Success)
    }
}

impl RemoveTagsCommand {
    async fn run(self) -> Result<Outcome, CliError> {
        let TaggedPool { pool, expected, mutation, output, connection } = self.pool;
        let client = connection.connect().await?;
        let request = UntagResourceRequest {
            resource_arn: arn(&client, pool).await?,
            tag_keys: self.keys,
            request_id: mutation.request_id,
            validate_only: mutation.validate_only,
            expected_revision: expected.expected_revision,
        };
        let removed = client.untag_resource(request).await?;
        output.format().message(&removed)?;
        Ok(Outcome::Success)
    }
}

impl ListTagsCommand {
    async fn run(self) -> Result<Outcome, CliError> {
        let client = self.connection.connect().await?;
        let request = ListTagsForResourceRequest {
            resource_arn: arn(&client, self.pool).await?,
            ..ListTagsForResourceRequest::default()
        };
        let listed = client.list_tags_for_resource(request).await?;
        self.output.format().message(&listed)?;
        Ok(Outcome::Success)
    }
}
