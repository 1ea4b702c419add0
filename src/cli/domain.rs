//! `userpool domain create`, `describe`, `delete` and `list`.

use clap::{Args, Subcommand};

use crate::proto::{
    CreateUserPoolDomainRequest, DeleteUserPoolDomainRequest, DescribeUserPoolDomainRequest,
    DomainDescription, ListUserPoolDomainsRequest,
};

use super::{
    cell::Cell,
    connection::ConnectionArgs,
    error::CliError,
    mutation::{ExpectedRevision, MutationArgs},
    outcome::Outcome,
    output::{ListOutput, OutputArgs, print_note},
    positive::positive,
    text::escape,
};

#[derive(Debug, Subcommand)]
pub(super) enum DomainCommand {
    /// Assign a domain prefix to a user pool.
    Create(CreateDomainCommand),
    /// Show which pool owns a domain; exit code 1 if none does.
    Describe(DescribeDomainCommand),
    /// Remove a domain prefix from its user pool.
    Delete(DeleteDomainCommand),
    /// List domain prefixes with their user pools, ordered by prefix.
    List(ListDomainsCommand),
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  userpool domain create payments-login us-east-1_tXLpktx5t")]
pub(super) struct CreateDomainCommand {
    #[command(flatten)]
    domain: DomainArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  userpool domain delete payments-login us-east-1_tXLpktx5t")]
pub(super) struct DeleteDomainCommand {
    #[command(flatten)]
    domain: DomainArgs,
}

/// A domain prefix, a user pool, and how to change the assignment.
#[derive(Debug, Args)]
struct DomainArgs {
    /// The domain prefix.
    #[arg(value_name = "PREFIX")]
    domain: String,
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

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  userpool domain describe payments-login")]
pub(super) struct DescribeDomainCommand {
    /// The domain prefix.
    #[arg(value_name = "PREFIX")]
    domain: String,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  userpool domain list -o jsonl")]
pub(super) struct ListDomainsCommand {
    /// List at most this many domain prefixes. If omitted, all.
    #[arg(long, value_name = "N", value_parser = positive)]
    limit: Option<u64>,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl DomainCommand {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        match self {
            Self::Create(create) => create.run().await,
            Self::Describe(describe) => describe.run().await,
            Self::Delete(delete) => delete.run().await,
            Self::List(list) => list.run().await,
        }
    }
}

impl CreateDomainCommand {
    async fn run(self) -> Result<Outcome, CliError> {
        let DomainArgs { domain, pool, expected, mutation, output, connection } = self.domain;
        let request = CreateUserPoolDomainRequest {
            domain: Some(domain),
            user_pool_id: Some(pool),
            request_id: mutation.request_id,
            validate_only: mutation.validate_only,
            expected_revision: expected.expected_revision,
        };
        let client = connection.connect().await?;
        let created = client.create_user_pool_domain(request).await?;
        output.or_json().message(&created)?;
        Ok(Outcome::Success)
    }
}

impl DeleteDomainCommand {
    async fn run(self) -> Result<Outcome, CliError> {
        let DomainArgs { domain, pool, expected, mutation, output, connection } = self.domain;
        let request = DeleteUserPoolDomainRequest {
            domain: Some(domain),
            user_pool_id: Some(pool),
            request_id: mutation.request_id,
            validate_only: mutation.validate_only,
            expected_revision: expected.expected_revision,
        };
        let client = connection.connect().await?;
        let deleted = client.delete_user_pool_domain(request).await?;
        output.or_json().message(&deleted)?;
        Ok(Outcome::Success)
    }
}

impl DescribeDomainCommand {
    async fn run(self) -> Result<Outcome, CliError> {
        let request = DescribeUserPoolDomainRequest { domain: Some(self.domain.clone()) };
        let client = self.connection.connect().await?;
        let described = client.describe_user_pool_domain(request).await?;
        self.output.or_json().message(&described)?;
        if described.domain_description.and_then(|domain| domain.user_pool_id).is_some() {
            return Ok(Outcome::Success);
        }
        print_note(&format!("no user pool has the domain {}", self.domain));
        Ok(Outcome::Negative)
    }
}

impl ListDomainsCommand {
    async fn run(self) -> Result<Outcome, CliError> {
        let client = self.connection.connect().await?;
        let mut list = ListOutput::new(self.output.or_table(), "Domains", &COLUMNS);
        let page = async |max_results, next_token| {
            let request = ListUserPoolDomainsRequest { max_results: Some(max_results), next_token };
            let page = client.list_user_pool_domains(request).await?;
            Ok((page.domains, page.next_token))
        };
        list.push_pages(self.limit, page, row).await?;
        list.finish()?;
        Ok(Outcome::Success)
    }
}

const COLUMNS: [&str; 3] = ["~DOMAIN", "POOL", "STATUS"];

fn row(domain: &DomainDescription) -> Vec<Cell> {
    let status = domain.status().as_str_name().to_owned();
    vec![escape(domain.domain()).into(), escape(domain.user_pool_id()).into(), status.into()]
}
