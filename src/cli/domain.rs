//! `userpool domain create`, `describe`, `delete` and `list`.

use clap::{Args, Subcommand};

use crate::proto::{
    CreateUserPoolDomainRequest, DeleteUserPoolDomainRequest, DescribeUserPoolDomainRequest,
    DomainDescription, ListUserPoolDomainsRequest,
};

use super::{
    change::{Change, Expected},
    connection::Connection,
    error::CliError,
    outcome::Outcome,
    output::{List, Output, say},
    text::printable,
};

#[derive(Debug, Subcommand)]
pub(super) enum Domain {
    /// Give a user pool a domain prefix.
    Create(CreateDomain),
    /// Show whose a domain prefix is; exit code 1 where it is free.
    Describe(DescribeDomain),
    /// Take the domain prefix from its user pool.
    Delete(DeleteDomain),
    /// List every domain prefix with its user pool, by prefix.
    List(ListDomains),
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  userpool domain create payments-login us-east-1_tXLpktx5t")]
pub(super) struct CreateDomain {
    #[command(flatten)]
    association: Association,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  userpool domain delete payments-login us-east-1_tXLpktx5t")]
pub(super) struct DeleteDomain {
    #[command(flatten)]
    association: Association,
}

/// A domain prefix and a user pool, and how to change what they have to do with
/// each other.
#[derive(Debug, Args)]
struct Association {
    /// The domain prefix.
    #[arg(value_name = "PREFIX")]
    domain: String,
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
#[command(after_help = "Example:\n  userpool domain describe payments-login")]
pub(super) struct DescribeDomain {
    /// The domain prefix.
    #[arg(value_name = "PREFIX")]
    domain: String,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  userpool domain list -o jsonl")]
pub(super) struct ListDomains {
    /// How many domain prefixes to list at most. Absent: all.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

impl Domain {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        match self {
            Self::Create(create) => create.run().await,
            Self::Describe(describe) => describe.run().await,
            Self::Delete(delete) => delete.run().await,
            Self::List(list) => list.run().await,
        }
    }
}

impl CreateDomain {
    async fn run(self) -> Result<Outcome, CliError> {
        let Association { domain, pool, expected, change, output, connection } = self.association;
        let request = CreateUserPoolDomainRequest {
            domain: Some(domain),
            user_pool_id: Some(pool),
            request_id: change.request_id,
            validate_only: change.validate_only,
            expected_revision: expected.expected_revision,
        };
        let client = connection.connect().await?;
        let created = client.create_user_pool_domain(request).await?;
        output.or_json().message(&created)?;
        Ok(Outcome::Success)
    }
}

impl DeleteDomain {
    async fn run(self) -> Result<Outcome, CliError> {
        let Association { domain, pool, expected, change, output, connection } = self.association;
        let request = DeleteUserPoolDomainRequest {
            domain: Some(domain),
            user_pool_id: Some(pool),
            request_id: change.request_id,
            validate_only: change.validate_only,
            expected_revision: expected.expected_revision,
        };
        let client = connection.connect().await?;
        let deleted = client.delete_user_pool_domain(request).await?;
        output.or_json().message(&deleted)?;
        Ok(Outcome::Success)
    }
}

impl DescribeDomain {
    async fn run(self) -> Result<Outcome, CliError> {
        let request = DescribeUserPoolDomainRequest { domain: Some(self.domain.clone()) };
        let client = self.connection.connect().await?;
        let described = client.describe_user_pool_domain(request).await?;
        self.output.or_json().message(&described)?;
        if described.domain_description.and_then(|domain| domain.user_pool_id).is_some() {
            return Ok(Outcome::Success);
        }
        say(&format!("no user pool has the domain {}", self.domain));
        Ok(Outcome::Negative)
    }
}

impl ListDomains {
    async fn run(self) -> Result<Outcome, CliError> {
        let client = self.connection.connect().await?;
        let columns = ["DOMAIN", "POOL", "STATUS"];
        let mut list = List::new(self.output.or_table(), "Domains", &columns);
        let page = async |max_results, next_token| {
            let request = ListUserPoolDomainsRequest { max_results: Some(max_results), next_token };
            let page = client.list_user_pool_domains(request).await?;
            Ok((page.domains, page.next_token))
        };
        list.fill(self.limit, page, row).await?;
        list.end()?;
        Ok(Outcome::Success)
    }
}

fn row(domain: &DomainDescription) -> Vec<String> {
    let status = domain.status().as_str_name().to_owned();
    vec![printable(domain.domain()), printable(domain.user_pool_id()), status]
}
