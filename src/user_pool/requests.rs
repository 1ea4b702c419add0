//! Checked requests to change a part of a user pool (its domains, its tags, its schema and
//! multi-factor authentication), and to restore it.

use crate::proto::{
    AddCustomAttributesRequest, CreateUserPoolDomainRequest, DeleteUserPoolDomainRequest,
    DomainSettings, RestoreUserPoolRequest, SetUserPoolMfaConfigRequest, TagResourceRequest,
    UntagResourceRequest, UpdateUserPoolDomainRequest,
};

use super::{
    CheckedCommand, Command, DomainName, InvalidRequest, Limits, Target, UserPoolArns,
    UserPoolState,
    check::Check,
    command::{existing, options},
    custom_attributes,
    domain::{CreateDomain, UpdateDomain},
    fields,
    mfa::SetMfaConfig,
    restore::{RestorePoint, RestoreUserPool},
    schema, tags,
};

impl CheckedCommand {
    /// Checks a request to associate a domain with a user pool.
    ///
    /// # Errors
    /// The field rules that it breaks. If there are none, the reserved word in the prefix.
    pub fn create_user_pool_domain(
        request: CreateUserPoolDomainRequest,
    ) -> Result<Self, InvalidRequest> {
        let CreateUserPoolDomainRequest {
            domain,
            user_pool_id,
            managed_login_version,
            custom_domain_config,
            request_id,
            validate_only,
            expected_revision,
        } = request;
        Check::run(|check| {
            fields::new_domain(check, domain.as_ref(), custom_domain_config.is_some());
            fields::user_pool_id(check, user_pool_id.as_ref());
            fields::domain_settings(check, managed_login_version, custom_domain_config.as_ref());
            fields::options(check, request_id.as_ref(), expected_revision);
        })?;
        let name = DomainName::new(domain.unwrap_or_default());
        if custom_domain_config.is_none() {
            InvalidRequest::semantics(name.reserved_word().into_iter().collect())?;
        }
        let settings = DomainSettings { custom_domain_config, managed_login_version };
        let settings = Some(settings).filter(|settings| *settings != DomainSettings::default());
        Ok(Self {
            target: existing(user_pool_id),
            command: Command::CreateDomain(CreateDomain { name, settings }),
            options: options(request_id.as_deref(), expected_revision, validate_only),
        })
    }

    /// Checks a request to change the settings of a domain.
    ///
    /// # Errors
    /// The field rules that it breaks.
    pub fn update_user_pool_domain(
        request: UpdateUserPoolDomainRequest,
    ) -> Result<Self, InvalidRequest> {
        let UpdateUserPoolDomainRequest {
            domain,
            user_pool_id,
            managed_login_version,
            custom_domain_config,
            request_id,
            validate_only,
            expected_revision,
        } = request;
        Check::run(|check| {
            fields::domain(check, domain.as_ref());
            fields::user_pool_id(check, user_pool_id.as_ref());
            fields::domain_settings(check, managed_login_version, custom_domain_config.as_ref());
            fields::options(check, request_id.as_ref(), expected_revision);
        })?;
        let name = DomainName::new(domain.unwrap_or_default());
        let settings = DomainSettings { custom_domain_config, managed_login_version };
        Ok(Self {
            target: existing(user_pool_id),
            command: Command::UpdateDomain(UpdateDomain { name, settings }),
            options: options(request_id.as_deref(), expected_revision, validate_only),
        })
    }

    /// Checks a request to remove a domain from its user pool.
    ///
    /// # Errors
    /// The field rules that it breaks.
    pub fn delete_user_pool_domain(
        request: DeleteUserPoolDomainRequest,
    ) -> Result<Self, InvalidRequest> {
        let DeleteUserPoolDomainRequest {
            domain,
            user_pool_id,
            request_id,
            validate_only,
            expected_revision,
        } = request;
        Check::run(|check| {
            fields::domain(check, domain.as_ref());
            fields::user_pool_id(check, user_pool_id.as_ref());
            fields::options(check, request_id.as_ref(), expected_revision);
        })?;
        Ok(Self {
            target: existing(user_pool_id),
            command: Command::DeleteDomain(DomainName::new(domain.unwrap_or_default())),
            options: options(request_id.as_deref(), expected_revision, validate_only),
        })
    }

    /// Checks a request to set tags of a user pool.
    ///
    /// # Errors
    /// The field rules that it breaks. If there are none, the rules for its tags or its ARN.
    pub fn tag_resource(
        request: TagResourceRequest,
        arns: &UserPoolArns,
        limits: &Limits,
    ) -> Result<Self, InvalidRequest> {
        let TagResourceRequest { resource_arn, tags, request_id, validate_only, expected_revision } =
            request;
        Check::run(|check| {
            fields::resource_arn(check, resource_arn.as_ref());
            check.required("tags", tags.first_key_value().as_ref());
            fields::options(check, request_id.as_ref(), expected_revision);
        })?;
        let user_pool_id = arns.parse(&resource_arn.unwrap_or_default())?;
        InvalidRequest::semantics(tags::resource_violations(&tags, limits))?;
        Ok(Self {
            target: Target::Existing(user_pool_id),
            command: Command::Tag(tags),
            options: options(request_id.as_deref(), expected_revision, validate_only),
        })
    }

    /// Checks a request to remove tags from a user pool.
    ///
    /// # Errors
    /// The field rules that it breaks. If there are none, the rule for its ARN.
    pub fn untag_resource(
        request: UntagResourceRequest,
        arns: &UserPoolArns,
    ) -> Result<Self, InvalidRequest> {
        let UntagResourceRequest {
            resource_arn,
            tag_keys,
            request_id,
            validate_only,
            expected_revision,
        } = request;
        Check::run(|check| {
            fields::resource_arn(check, resource_arn.as_ref());
            fields::tag_keys(check, &tag_keys);
            fields::options(check, request_id.as_ref(), expected_revision);
        })?;
        Ok(Self {
            target: Target::Existing(arns.parse(&resource_arn.unwrap_or_default())?),
            command: Command::Untag(tag_keys),
            options: options(request_id.as_deref(), expected_revision, validate_only),
        })
    }

    /// Checks a request to add custom attributes.
    ///
    /// # Errors
    /// The field rules that it breaks. If there are none, the rules for the attributes.
    pub fn add_custom_attributes(
        request: AddCustomAttributesRequest,
    ) -> Result<Self, InvalidRequest> {
        let AddCustomAttributesRequest {
            user_pool_id,
            custom_attributes,
            request_id,
            validate_only,
            expected_revision,
        } = request;
        Check::run(|check| {
            fields::user_pool_id(check, user_pool_id.as_ref());
            fields::custom_attributes(check, &custom_attributes);
            fields::options(check, request_id.as_ref(), expected_revision);
        })?;
        let attributes =
            schema::new_custom_attributes(custom_attributes::LIST, &custom_attributes)?;
        Ok(Self {
            target: existing(user_pool_id),
            command: Command::AddCustomAttributes(attributes),
            options: options(request_id.as_deref(), expected_revision, validate_only),
        })
    }

    /// Checks a request to configure multi-factor authentication.
    ///
    /// # Errors
    /// The field rules that it breaks.
    pub fn set_user_pool_mfa_config(
        request: SetUserPoolMfaConfigRequest,
    ) -> Result<Self, InvalidRequest> {
        let SetUserPoolMfaConfigRequest {
            user_pool_id,
            sms_mfa_configuration: sms,
            software_token_mfa_configuration: software_token,
            mfa_configuration,
            request_id,
            validate_only,
            expected_revision,
        } = request;
        Check::run(|check| {
            fields::user_pool_id(check, user_pool_id.as_ref());
            check.message("sms_mfa_configuration", sms.as_ref(), fields::sms_mfa);
            fields::mfa_configuration(check, mfa_configuration);
            fields::options(check, request_id.as_ref(), expected_revision);
        })?;
        Ok(Self {
            target: existing(user_pool_id),
            command: Command::SetMfaConfig(SetMfaConfig { mfa_configuration, sms, software_token }),
            options: options(request_id.as_deref(), expected_revision, validate_only),
        })
    }

    /// Checks a request to restore a user pool, whose state at the revision was `past`.
    ///
    /// # Errors
    /// The field rules that it breaks; or the user pool was deleted at the revision.
    pub fn restore_user_pool(
        request: RestoreUserPoolRequest,
        past: UserPoolState,
    ) -> Result<Self, InvalidRequest> {
        RestorePoint::parse(&request)?;
        let RestoreUserPoolRequest {
            user_pool_id,
            revision,
            restore_domain,
            request_id,
            validate_only,
            expected_revision,
        } = request;
        let restore = RestoreUserPool::new(revision.unwrap_or_default(), past, restore_domain)?;
        Ok(Self {
            target: existing(user_pool_id),
            command: Command::Restore(restore),
            options: options(request_id.as_deref(), expected_revision, validate_only),
        })
    }
}
