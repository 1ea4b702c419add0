//! The operations on domains.

use crate::{
    app::{Domain, Outcome},
    proto::{
        CreateUserPoolDomainRequest, CreateUserPoolDomainResponse, DeleteUserPoolDomainRequest,
        DeleteUserPoolDomainResponse, DescribeUserPoolDomainRequest,
        DescribeUserPoolDomainResponse, DomainDescription, ListUserPoolDomainsRequest,
        ListUserPoolDomainsResponse, UpdateUserPoolDomainRequest, UpdateUserPoolDomainResponse,
        user_pool_domain_status,
    },
    user_pool::{CheckedCommand, DomainName, PageRequest, cloud_front_domain, domain_settings},
};

use super::{Caller, Error, Operations, decode_pool, page_token};

impl Operations {
    pub(crate) async fn create_user_pool_domain(
        &self,
        request: CreateUserPoolDomainRequest,
        caller: Caller,
    ) -> Result<CreateUserPoolDomainResponse, Error> {
        let domain = request.domain.clone().unwrap_or_default();
        let outcome =
            self.execute(request, caller, CheckedCommand::create_user_pool_domain).await?;
        let (managed_login_version, cloud_front_domain) = shown_settings(&outcome, &domain)?;
        Ok(CreateUserPoolDomainResponse {
            managed_login_version,
            cloud_front_domain,
            revision: outcome.revision,
            position: outcome.position,
        })
    }

    pub(crate) async fn describe_user_pool_domain(
        &self,
        request: DescribeUserPoolDomainRequest,
    ) -> Result<DescribeUserPoolDomainResponse, Error> {
        let min_position = request.min_position;
        let name = DomainName::parse(request)?;
        self.wait_to_read(min_position).await?;
        let domain = self.app.describe_domain(&name)?;
        // As in Cognito, the description of a free domain has no members.
        let description = domain.map(|domain| self.description(domain)).unwrap_or_default();
        Ok(DescribeUserPoolDomainResponse {
            domain_description: Some(description),
            head_position: self.head_position(),
        })
    }

    pub(crate) async fn update_user_pool_domain(
        &self,
        request: UpdateUserPoolDomainRequest,
        caller: Caller,
    ) -> Result<UpdateUserPoolDomainResponse, Error> {
        let domain = request.domain.clone().unwrap_or_default();
        let outcome =
            self.execute(request, caller, CheckedCommand::update_user_pool_domain).await?;
        let (managed_login_version, cloud_front_domain) = shown_settings(&outcome, &domain)?;
        Ok(UpdateUserPoolDomainResponse {
            managed_login_version,
            cloud_front_domain,
            revision: outcome.revision,
            position: outcome.position,
        })
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

    pub(crate) async fn list_user_pool_domains(
        &self,
        request: ListUserPoolDomainsRequest,
    ) -> Result<ListUserPoolDomainsResponse, Error> {
        let min_position = request.min_position;
        let PageRequest { max_results, next_token } = PageRequest::of_domains(request)?;
        self.wait_to_read(min_position).await?;
        let list = self.list_name("ListUserPoolDomains");
        let after = match next_token {
            Some(token) => page_token::decode_text(&list, &token)?,
            None => String::new(),
        };
        let mut domains = self.app.list_domains(&after, max_results.saturating_add(1))?;
        let next_token = page_token::end_page(&mut domains, max_results)
            .map(|last| page_token::encode(&list, last.name.as_bytes()));
        let domains = domains.into_iter().map(|domain| self.description(domain)).collect();
        Ok(ListUserPoolDomainsResponse { domains, next_token, head_position: self.head_position() })
    }

    /// Members about Amazon's own infrastructure stay absent.
    fn description(&self, domain: Domain) -> DomainDescription {
        let Domain { name, user_pool_id, settings } = domain;
        DomainDescription {
            user_pool_id: Some(user_pool_id.to_string()),
            aws_account_id: Some(self.account_id.clone()),
            cloud_front_distribution: cloud_front_domain(&name, &settings),
            domain: Some(name),
            status: Some(user_pool_domain_status::Value::Active.into()),
            custom_domain_config: settings.custom_domain_config,
            managed_login_version: settings.managed_login_version,
            ..DomainDescription::default()
        }
    }
}

/// The version of the login pages of a domain after a command, and the name that its DNS entry
/// must be an alias of.
fn shown_settings(outcome: &Outcome, domain: &str) -> Result<(Option<i32>, Option<String>), Error> {
    let settings =
        domain_settings(&decode_pool(outcome.user_pool.clone())?, domain).unwrap_or_default();
    Ok((settings.managed_login_version, cloud_front_domain(domain, &settings)))
}
