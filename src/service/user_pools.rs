//! The operations of `UserPoolService`.

use crate::{
    app::{Domain, EncodedPool, Outcome},
    proto::{
        CreateUserPoolDomainRequest, CreateUserPoolDomainResponse, CreateUserPoolRequest,
        DeleteUserPoolDomainRequest, DeleteUserPoolDomainResponse, DeleteUserPoolRequest,
        DeleteUserPoolResponse, DescribeUserPoolDomainRequest, DescribeUserPoolDomainResponse,
        DescribeUserPoolRequest, DomainDescription, ListUserPoolDomainsRequest,
        ListUserPoolDomainsResponse, ListUserPoolsRequest, ListUserPoolsResponse,
        UpdateUserPoolRequest, UserPool, UserPoolDescription,
        served::{CreateUserPoolResponse, DescribeUserPoolResponse, UpdateUserPoolResponse},
        user_pool_domain_status,
    },
    user_pool::{CheckedCommand, DomainPrefix, PageRequest, UserPoolId},
};

use super::{Caller, Error, Operations, page_token};

const LIST_USER_POOLS: &str = "ListUserPools";
const LIST_USER_POOL_DOMAINS: &str = "ListUserPoolDomains";

impl Operations {
    pub(crate) async fn create_user_pool(
        &self,
        request: CreateUserPoolRequest,
        caller: Caller,
    ) -> Result<CreateUserPoolResponse, Error> {
        let check = |request| CheckedCommand::create_user_pool(request, self.app.limits());
        let Outcome { user_pool, revision, position } =
            self.execute(request, caller, check).await?;
        Ok(CreateUserPoolResponse { user_pool: Some(user_pool), revision, position })
    }

    pub(crate) async fn describe_user_pool(
        &self,
        request: DescribeUserPoolRequest,
    ) -> Result<DescribeUserPoolResponse, Error> {
        let id = UserPoolId::parse(request)?;
        let pool = self.app.describe(&id)?.ok_or_else(|| Error::not_found(&id))?;
        let EncodedPool { user_pool, deleted, revision, position, .. } = pool;
        if deleted {
            return Err(self.deleted(id, revision).await);
        }
        Ok(DescribeUserPoolResponse { user_pool, revision, position })
    }

    pub(crate) async fn update_user_pool(
        &self,
        request: UpdateUserPoolRequest,
        caller: Caller,
    ) -> Result<UpdateUserPoolResponse, Error> {
        let outcome = self.execute(request, caller, CheckedCommand::update_user_pool).await?;
        let Outcome { user_pool, revision, position } = outcome;
        Ok(UpdateUserPoolResponse { user_pool: Some(user_pool), revision, position })
    }

    pub(crate) async fn delete_user_pool(
        &self,
        request: DeleteUserPoolRequest,
        caller: Caller,
    ) -> Result<DeleteUserPoolResponse, Error> {
        let outcome = self.execute(request, caller, CheckedCommand::delete_user_pool).await?;
        let Outcome { revision, position, .. } = outcome;
        Ok(DeleteUserPoolResponse { revision, position })
    }

    pub(crate) fn list_user_pools(
        &self,
        request: ListUserPoolsRequest,
    ) -> Result<ListUserPoolsResponse, Error> {
        let PageRequest { max_results, next_token } = PageRequest::of_user_pools(request)?;
        let after = match next_token {
            Some(token) => page_token::decode_number(LIST_USER_POOLS, &token)?,
            None => 0,
        };
        let mut entries = self.app.list(after, max_results.saturating_add(1))?;
        let next_token = page_token::end_page(&mut entries, max_results)
            .map(|last| page_token::encode(LIST_USER_POOLS, &last.created_position.to_be_bytes()));
        let user_pools = entries
            .into_iter()
            .map(|entry| (entry.pool.revision, UserPool::from(entry.pool)))
            .map(|(revision, pool)| summary(pool, revision))
            .collect();
        Ok(ListUserPoolsResponse { user_pools, next_token })
    }

    pub(crate) async fn create_user_pool_domain(
        &self,
        request: CreateUserPoolDomainRequest,
        caller: Caller,
    ) -> Result<CreateUserPoolDomainResponse, Error> {
        let outcome =
            self.execute(request, caller, CheckedCommand::create_user_pool_domain).await?;
        let Outcome { revision, position, .. } = outcome;
        Ok(CreateUserPoolDomainResponse { revision, position })
    }

    pub(crate) fn describe_user_pool_domain(
        &self,
        request: DescribeUserPoolDomainRequest,
    ) -> Result<DescribeUserPoolDomainResponse, Error> {
        let prefix = DomainPrefix::parse(request)?;
        let domain = self.app.describe_domain(&prefix)?;
        // As in Cognito, the description of a free domain has no members.
        let description = domain.map(|domain| self.description(domain)).unwrap_or_default();
        Ok(DescribeUserPoolDomainResponse { domain_description: Some(description) })
    }

    pub(crate) async fn delete_user_pool_domain(
        &self,
        request: DeleteUserPoolDomainRequest,
        caller: Caller,
    ) -> Result<DeleteUserPoolDomainResponse, Error> {
        let outcome =
            self.execute(request, caller, CheckedCommand::delete_user_pool_domain).await?;
        let Outcome { revision, position, .. } = outcome;
        Ok(DeleteUserPoolDomainResponse { revision, position })
    }

    pub(crate) fn list_user_pool_domains(
        &self,
        request: ListUserPoolDomainsRequest,
    ) -> Result<ListUserPoolDomainsResponse, Error> {
        let PageRequest { max_results, next_token } = PageRequest::of_domains(request)?;
        let after = match next_token {
            Some(token) => page_token::decode_text(LIST_USER_POOL_DOMAINS, &token)?,
            None => String::new(),
        };
        let mut domains = self.app.list_domains(&after, max_results.saturating_add(1))?;
        let next_token = page_token::end_page(&mut domains, max_results)
            .map(|last| page_token::encode(LIST_USER_POOL_DOMAINS, last.prefix.as_bytes()));
        let domains = domains.into_iter().map(|domain| self.description(domain)).collect();
        Ok(ListUserPoolDomainsResponse { domains, next_token })
    }

    /// Members about Amazon's own infrastructure stay absent.
    fn description(&self, domain: Domain) -> DomainDescription {
        DomainDescription {
            user_pool_id: Some(domain.user_pool_id.to_string()),
            aws_account_id: Some(self.account_id.clone()),
            domain: Some(domain.prefix),
            status: Some(user_pool_domain_status::Value::Active.into()),
            ..DomainDescription::default()
        }
    }
}

fn summary(pool: UserPool, revision: i64) -> UserPoolDescription {
    UserPoolDescription {
        id: pool.id,
        name: pool.name,
        lambda_config: pool.lambda_config,
        status: pool.status,
        last_modified_date: pool.last_modified_date,
        creation_date: pool.creation_date,
        revision,
    }
}
