//! `userpool list`: all user pools, or those that meet a filter.

use clap::Args;
use prost_types::Timestamp;

use crate::proto::{DeletedUserPools, ListUserPoolsRequest, UserPoolDescription, UserPoolFilter};

use super::{
    cell::Cell,
    connection::ConnectionArgs,
    error::CliError,
    outcome::Outcome,
    output::{ListOutput, TableOutputArgs, print_note},
    positive::positive,
    text::escape,
};

/// At the end of a domain, it stands for any text.
const WILDCARD: char = '*';

#[derive(Debug, Args)]
#[command(after_help = "A user pool is listed if it meets all conditions.\n\nExamples:\n  \
                        userpool list --name people\n  \
                        userpool list --tag team=payments --no-domain\n  \
                        userpool list --name people --deleted")]
pub(super) struct ListCommand {
    #[command(flatten)]
    filter: FilterArgs,
    /// List at most this many user pools. If omitted, all.
    #[arg(long, value_name = "N", value_parser = positive)]
    limit: Option<u64>,
    #[command(flatten)]
    output: TableOutputArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Filter")]
struct FilterArgs {
    /// List only user pools whose name begins with this text, sorted by name.
    #[arg(long, value_name = "PREFIX")]
    name: Option<String>,
    /// List only user pools with this tag: a key (team), or a key and a value (team=payments).
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// List only user pools with a trigger that calls this Lambda function. An ARN without a
    /// version or an alias also stands for every version and alias.
    #[arg(long, value_name = "ARN")]
    lambda: Option<String>,
    /// List only the user pool that owns this domain; with "*" at the end (login-*), those that own
    /// a domain that begins so, sorted by domain.
    #[arg(long, value_name = "DOMAIN", conflicts_with_all = ["no_domain", "deleted"])]
    domain: Option<String>,
    /// List only user pools without a domain.
    #[arg(long)]
    no_domain: bool,
    /// List only deleted user pools, as they were before their deletion.
    #[arg(long, conflicts_with = "all")]
    deleted: bool,
    /// List deleted user pools, too.
    #[arg(long)]
    all: bool,
}

impl FilterArgs {
    fn into_filter(self) -> UserPoolFilter {
        let Self { name, tag, lambda, domain, no_domain, deleted, all } = self;
        let (tag_key, tag_value) = match tag.as_deref().map(|tag| tag.split_once('=')) {
            Some(Some((key, value))) => (Some(key.to_owned()), Some(value.to_owned())),
            Some(None) | None => (tag, None),
        };
        let prefix = domain.as_deref().and_then(|domain| domain.strip_suffix(WILDCARD));
        let domain_prefix = prefix.map(str::to_owned);
        let deleted = match (deleted, all) {
            (true, _) => DeletedUserPools::Only,
            (false, true) => DeletedUserPools::Included,
            (false, false) => DeletedUserPools::Unspecified,
        };
        UserPoolFilter {
            name_prefix: name,
            tag_key,
            tag_value,
            lambda_arn: lambda,
            domain: domain.filter(|_| domain_prefix.is_none()),
            domain_prefix,
            no_domain,
            deleted: deleted.into(),
        }
    }
}

impl ListCommand {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        let filter = Some(self.filter.into_filter());
        let filter = filter.filter(|filter| *filter != UserPoolFilter::default());
        let has_deleted =
            filter.as_ref().is_some_and(|filter| filter.deleted() != DeletedUserPools::Unspecified);
        let columns = if has_deleted { &COLUMNS_OF_DELETED } else { &COLUMNS };
        let client = self.connection.connect().await?;
        let mut list = ListOutput::new(self.output.format(), "UserPools", columns);
        let row = if has_deleted { row_of_deleted } else { row };
        let page = async |max_results, next_token| {
            let request = ListUserPoolsRequest {
                max_results: Some(max_results),
                next_token,
                filter: filter.clone(),
                ..ListUserPoolsRequest::default()
            };
            let page = client.list_user_pools(request).await?;
            Ok((page.user_pools, page.next_token))
        };
        list.push_pages(self.limit, page, row).await?;
        let is_empty = list.is_empty();
        list.finish()?;
        if is_empty && filter.is_some() {
            print_note("no user pool matches");
        }
        Ok(Outcome::Success)
    }
}

const COLUMNS: [&str; 5] = ["ID", "~NAME", "~DOMAINS", "#REVISION", "MODIFIED"];
/// The columns of a list that can have deleted user pools.
const COLUMNS_OF_DELETED: [&str; 5] = ["ID", "~NAME", "~DOMAINS", "#REVISION", "DELETED"];

fn row(pool: &UserPoolDescription) -> Vec<Cell> {
    row_at(pool, pool.last_modified_date)
}

fn row_of_deleted(pool: &UserPoolDescription) -> Vec<Cell> {
    row_at(pool, pool.deletion_time)
}

fn row_at(pool: &UserPoolDescription, time: Option<Timestamp>) -> Vec<Cell> {
    let domains = [&pool.domain, &pool.custom_domain].into_iter().flatten();
    vec![
        escape(pool.id()).into(),
        escape(pool.name()).into(),
        Cell::List(domains.map(|domain| escape(domain)).collect()),
        pool.revision.to_string().into(),
        Cell::Time(time),
    ]
}
