//! `userpool domain create`, `describe`, `update`, `delete` and `list`.

use clap::{Args, Subcommand};

use crate::proto::{
    CreateUserPoolDomainRequest, CustomDomainConfig, DeleteUserPoolDomainRequest,
    DescribeUserPoolDomainRequest, DomainDescription, ListUserPoolDomainsRequest,
    UpdateUserPoolDomainRequest, security_policy,
};

use super::{
    cell::Cell,
    connection::ConnectionArgs,
    error::CliError,
    mutation::{ExpectedRevision, MutationArgs},
    outcome::Outcome,
    output::{JsonOutputArgs, ListOutput, TableOutputArgs, print_note},
    positive::positive,
    text::escape,
};

#[derive(Debug, Subcommand)]
pub(super) enum DomainCommand {
    /// Assign a domain to a user pool.
    Create(CreateDomainCommand),
    /// Show which pool owns a domain; exit code 1 if none does.
    Describe(DescribeDomainCommand),
    /// Change the settings of a domain.
    Update(UpdateDomainCommand),
    /// Remove a domain from its user pool.
    Delete(DeleteDomainCommand),
    /// List domains with their user pools, ordered by name.
    List(ListDomainsCommand),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples, a prefix and a custom domain:\n  \
                        userpool domain create payments-login us-east-1_tXLpktx5t\n  \
                        userpool domain create auth.example.com us-east-1_tXLpktx5t \\\n    \
                        --certificate-arn arn:aws:acm:us-east-1:123456789012:certificate/1")]
pub(super) struct CreateDomainCommand {
    #[command(flatten)]
    settings: DomainSettingsArgs,
    #[command(flatten)]
    domain: DomainArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  userpool domain update payments-login us-east-1_tXLpktx5t \
                        --login-version 2")]
pub(super) struct UpdateDomainCommand {
    #[command(flatten)]
    settings: DomainSettingsArgs,
    #[command(flatten)]
    domain: DomainArgs,
}

/// The settings of a domain.
#[derive(Debug, Args)]
#[expect(clippy::doc_markdown, reason = "the help shows the text as it is")]
struct DomainSettingsArgs {
    /// The version of the login pages: 1 (classic) or 2 (managed login).
    #[arg(long, value_name = "N")]
    login_version: Option<i32>,
    /// The certificate in AWS Certificate Manager of a custom domain.
    #[arg(long, value_name = "ARN")]
    certificate_arn: Option<String>,
    /// The oldest version of TLS that a custom domain accepts: TLS_V1, TLS_V1_2_2021 or
    /// TLS_V1_3_2025.
    #[arg(long, value_name = "POLICY", value_parser = security_policy, requires = "certificate_arn")]
    security_policy: Option<i32>,
}

/// Parses the name of a security policy.
fn security_policy(name: &str) -> Result<i32, String> {
    let policy = security_policy::Value::from_str_name(name).map(i32::from);
    let policy = policy.filter(|policy| *policy != 0);
    policy.ok_or_else(|| "must be TLS_V1, TLS_V1_2_2021 or TLS_V1_3_2025".to_owned())
}

impl DomainSettingsArgs {
    fn custom_domain_config(self) -> Option<CustomDomainConfig> {
        let Self { certificate_arn, security_policy, .. } = self;
        let config = |arn| CustomDomainConfig { certificate_arn: Some(arn), security_policy };
        certificate_arn.map(config)
    }
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  userpool domain delete payments-login us-east-1_tXLpktx5t")]
pub(super) struct DeleteDomainCommand {
    #[command(flatten)]
    domain: DomainArgs,
}

/// A domain, a user pool, and how to change the assignment.
#[derive(Debug, Args)]
struct DomainArgs {
    /// The domain prefix, or the name of a custom domain.
    #[arg(value_name = "DOMAIN")]
    domain: String,
    /// The ID of the user pool.
    #[arg(value_name = "POOL")]
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

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  userpool domain describe payments-login")]
pub(super) struct DescribeDomainCommand {
    /// The domain prefix, or the name of a custom domain.
    #[arg(value_name = "DOMAIN")]
    domain: String,
    #[command(flatten)]
    output: JsonOutputArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  userpool domain list -o jsonl")]
pub(super) struct ListDomainsCommand {
    /// List at most this many domains. If omitted, all.
    #[arg(long, value_name = "N", value_parser = positive)]
    limit: Option<u64>,
    #[command(flatten)]
    output: TableOutputArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl DomainCommand {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        match self {
            Self::Create(create) => create.run().await,
            Self::Describe(describe) => describe.run().await,
            Self::Update(update) => update.run().await,
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
            managed_login_version: self.settings.login_version,
            custom_domain_config: self.settings.custom_domain_config(),
            request_id: mutation.request_id,
            validate_only: mutation.validate_only,
            expected_revision: expected.expected_revision,
        };
        let client = connection.connect().await?;
        let created = client.create_user_pool_domain(request).await?;
        output.format().message(&created)?;
        Ok(Outcome::Success)
    }
}

impl UpdateDomainCommand {
    async fn run(self) -> Result<Outcome, CliError> {
        let DomainArgs { domain, pool, expected, mutation, output, connection } = self.domain;
        let request = UpdateUserPoolDomainRequest {
            domain: Some(domain),
            user_pool_id: Some(pool),
            managed_login_version: self.settings.login_version,
            custom_domain_config: self.settings.custom_domain_config(),
            request_id: mutation.request_id,
            validate_only: mutation.validate_only,
            expected_revision: expected.expected_revision,
        };
        let client = connection.connect().await?;
        let updated = client.update_user_pool_domain(request).await?;
        output.format().message(&updated)?;
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
        output.format().message(&deleted)?;
        Ok(Outcome::Success)
    }
}

impl DescribeDomainCommand {
    async fn run(self) -> Result<Outcome, CliError> {
        let request = DescribeUserPoolDomainRequest {
            domain: Some(self.domain.clone()),
            ..DescribeUserPoolDomainRequest::default()
        };
        let client = self.connection.connect().await?;
        let described = client.describe_user_pool_domain(request).await?;
        self.output.format().message(&described)?;
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
        let mut list = ListOutput::new(self.output.format(), "Domains", &COLUMNS);
        let page = async |max_results, next_token| {
            let request = ListUserPoolDomainsRequest {
                max_results: Some(max_results),
                next_token,
                ..ListUserPoolDomainsRequest::default()
            };
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
