//! `UserPoolService`: parse, execute, answer.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use crate::{
    app::{App, Domain, EncodedPool},
    proto::{
        CreateUserPoolDomainRequest, CreateUserPoolDomainResponse, CreateUserPoolRequest,
        DeleteUserPoolDomainRequest, DeleteUserPoolDomainResponse, DeleteUserPoolRequest,
        DeleteUserPoolResponse, DescribeUserPoolDomainRequest, DescribeUserPoolDomainResponse,
        DescribeUserPoolRequest, DomainDescription, ListUserPoolDomainsRequest,
        ListUserPoolDomainsResponse, ListUserPoolsRequest, ListUserPoolsResponse,
        UpdateUserPoolRequest, UserPool, UserPoolDescription,
        served::{
            CreateUserPoolResponse, DescribeUserPoolResponse, UpdateUserPoolResponse,
            user_pool_service_server::UserPoolService,
        },
        user_pool_domain_status,
    },
    user_pool::{Checked, DomainPrefix, Page, UserPoolId},
};

use super::{context::context, page_token, status};

const USER_POOLS: &str = "ListUserPools";
const DOMAINS: &str = "ListUserPoolDomains";

#[derive(Debug)]
pub(super) struct UserPools {
    pub(super) app: Arc<App>,
    pub(super) account_id: String,
}

#[tonic::async_trait]
impl UserPoolService for UserPools {
    async fn create_user_pool(
        &self,
        mut request: Request<CreateUserPoolRequest>,
    ) -> Result<Response<CreateUserPoolResponse>, Status> {
        let context = context(&mut request);
        let checked = Checked::create_user_pool(request.into_inner(), self.app.limits())?;
        let outcome = self.app.execute(checked, context).await?;
        let (revision, position) = (outcome.revision, outcome.position);
        let user_pool = Some(outcome.user_pool);
        Ok(Response::new(CreateUserPoolResponse { user_pool, revision, position }))
    }

    async fn describe_user_pool(
        &self,
        request: Request<DescribeUserPoolRequest>,
    ) -> Result<Response<DescribeUserPoolResponse>, Status> {
        let id = UserPoolId::parse(request.into_inner())?;
        let pool = self.app.describe(&id)?.ok_or_else(|| status::not_found(&id, None))?;
        if pool.deleted {
            return Err(status::not_found(&id, Some(pool.revision)));
        }
        let EncodedPool { user_pool, revision, position, .. } = pool;
        Ok(Response::new(DescribeUserPoolResponse { user_pool, revision, position }))
    }

    async fn update_user_pool(
        &self,
        mut request: Request<UpdateUserPoolRequest>,
    ) -> Result<Response<UpdateUserPoolResponse>, Status> {
        let context = context(&mut request);
        let checked = Checked::update_user_pool(request.into_inner(), self.app.limits())?;
        let outcome = self.app.execute(checked, context).await?;
        let (revision, position) = (outcome.revision, outcome.position);
        let user_pool = Some(outcome.user_pool);
        Ok(Response::new(UpdateUserPoolResponse { user_pool, revision, position }))
    }

    async fn delete_user_pool(
        &self,
        mut request: Request<DeleteUserPoolRequest>,
    ) -> Result<Response<DeleteUserPoolResponse>, Status> {
        let context = context(&mut request);
        let checked = Checked::delete_user_pool(request.into_inner())?;
        let outcome = self.app.execute(checked, context).await?;
        let (revision, position) = (outcome.revision, outcome.position);
        Ok(Response::new(DeleteUserPoolResponse { revision, position }))
    }

    async fn list_user_pools(
        &self,
        request: Request<ListUserPoolsRequest>,
    ) -> Result<Response<ListUserPoolsResponse>, Status> {
        let page = Page::of_user_pools(request.into_inner())?;
        let token = page.next_token.as_ref();
        let after = token.map(|token| page_token::decode_number(USER_POOLS, token)).transpose()?;
        let after = after.unwrap_or_default();
        // One more than asked for tells whether there is a next page.
        let mut entries = self.app.list(after, page.max_results.saturating_add(1))?;
        let more = entries.len() > page.max_results;
        entries.truncate(page.max_results);
        let last = entries.last().filter(|_| more).map(|entry| entry.created_position);
        let next_token = last.map(|place| page_token::encode(USER_POOLS, &place.to_be_bytes()));
        let user_pools = entries
            .into_iter()
            .map(|entry| (entry.pool.revision, UserPool::from(entry.pool)))
            .map(|(revision, pool)| summary(pool, revision))
            .collect();
        Ok(Response::new(ListUserPoolsResponse { user_pools, next_token }))
    }

    async fn create_user_pool_domain(
        &self,
        mut request: Request<CreateUserPoolDomainRequest>,
    ) -> Result<Response<CreateUserPoolDomainResponse>, Status> {
        let context = context(&mut request);
        let checked = Checked::create_user_pool_domain(request.into_inner())?;
        let outcome = self.app.execute(checked, context).await?;
        let (revision, position) = (outcome.revision, outcome.position);
        Ok(Response::new(CreateUserPoolDomainResponse { revision, position }))
    }

    async fn describe_user_pool_domain(
        &self,
        request: Request<DescribeUserPoolDomainRequest>,
    ) -> Result<Response<DescribeUserPoolDomainResponse>, Status> {
        let prefix = DomainPrefix::parse(request.into_inner())?;
        let domain = self.app.describe_domain(&prefix)?;
        let description = domain.map(|domain| self.description(domain)).unwrap_or_default();
        let domain_description = Some(description);
        Ok(Response::new(DescribeUserPoolDomainResponse { domain_description }))
    }

    async fn delete_user_pool_domain(
        &self,
        mut request: Request<DeleteUserPoolDomainRequest>,
    ) -> Result<Response<DeleteUserPoolDomainResponse>, Status> {
        let context = context(&mut request);
        let checked = Checked::delete_user_pool_domain(request.into_inner())?;
        let outcome = self.app.execute(checked, context).await?;
        let (revision, position) = (outcome.revision, outcome.position);
        Ok(Response::new(DeleteUserPoolDomainResponse { revision, position }))
    }

    async fn list_user_pool_domains(
        &self,
        request: Request<ListUserPoolDomainsRequest>,
    ) -> Result<Response<ListUserPoolDomainsResponse>, Status> {
        let page = Page::of_domains(request.into_inner())?;
        let token = page.next_token.as_ref();
        let after = token.map(|token| page_token::decode_text(DOMAINS, token)).transpose()?;
        let after = after.unwrap_or_default();
        let mut domains = self.app.list_domains(&after, page.max_results.saturating_add(1))?;
        let more = domains.len() > page.max_results;
        domains.truncate(page.max_results);
        let last = domains.last().filter(|_| more);
        let next_token = last.map(|domain| page_token::encode(DOMAINS, domain.prefix.as_bytes()));
        let domains = domains.into_iter().map(|domain| self.description(domain)).collect();
        Ok(Response::new(ListUserPoolDomainsResponse { domains, next_token }))
    }
}

impl UserPools {
    /// What describes Amazon's own machinery stays absent.
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
