//! Commands: requests whose fields were checked. Settings come from a checked
//! request alone, because their fields are private to the rules.

use uuid::Uuid;

use crate::proto::{
    CreateUserPoolDomainRequest, CreateUserPoolRequest, DeleteUserPoolDomainRequest,
    DeleteUserPoolRequest, UpdateUserPoolRequest, UserPool,
};

use super::{
    DomainPrefix, Invalid, Limits, UserPoolId, check::Check, fields, paths::Mask, schema, semantics,
};

/// What a caller wants changed.
#[derive(Debug, Clone)]
pub enum Command {
    /// Create the user pool.
    Create(CreateUserPool),
    /// Replace its settings, all or the named ones.
    Update(UpdateUserPool),
    /// Delete it.
    Delete,
    /// Associate a domain prefix with it.
    CreateDomain(DomainPrefix),
    /// Remove the domain prefix from it.
    DeleteDomain(DomainPrefix),
}

/// Which user pool a command is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// One that does not exist yet.
    New,
    /// The one with this ID.
    Existing(UserPoolId),
}

/// What any changing request may ask for beyond Cognito's members.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// The idempotency key.
    pub request_id: Option<Uuid>,
    /// The revision that the caller has seen.
    pub expected_revision: Option<i64>,
    /// Whether to answer without recording anything.
    pub validate_only: bool,
}

/// A command that was checked, and how to carry it out.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The user pool.
    pub target: Target,
    /// What to change.
    pub command: Command,
    /// How.
    pub options: Options,
}

/// The settings of a new user pool, as requested: defaults are not filled in.
#[derive(Debug, Clone)]
pub struct CreateUserPool {
    pub(super) requested: Box<UserPool>,
}

/// Settings to replace, and which.
#[derive(Debug, Clone)]
pub struct UpdateUserPool {
    pub(super) requested: Box<UserPool>,
    pub(super) mask: Mask,
}

impl Checked {
    /// Checks a request to create a user pool.
    ///
    /// # Errors
    /// Every field rule that it breaks, or else every other rule.
    pub fn create_user_pool(
        request: CreateUserPoolRequest,
        limits: &Limits,
    ) -> Result<Self, Invalid> {
        Check::run(|check| {
            fields::create_user_pool(check, &request);
            fields::options(check, request.request_id.as_ref(), None);
        })?;
        // Named in full, so that a field added to the schema stops the build here.
        let CreateUserPoolRequest {
            pool_name,
            policies,
            lambda_config,
            auto_verified_attributes,
            alias_attributes,
            username_attributes,
            sms_verification_message,
            email_verification_message,
            email_verification_subject,
            verification_message_template,
            sms_authentication_message,
            mfa_configuration,
            device_configuration,
            email_configuration,
            sms_configuration,
            user_pool_tags,
            admin_create_user_config,
            schema,
            user_pool_add_ons,
            request_id,
            validate_only,
        } = request;
        let requested = UserPool {
            name: pool_name,
            policies,
            lambda_config,
            auto_verified_attributes,
            alias_attributes,
            username_attributes,
            sms_verification_message,
            email_verification_message,
            email_verification_subject,
            verification_message_template,
            sms_authentication_message,
            mfa_configuration,
            device_configuration,
            email_configuration,
            sms_configuration,
            user_pool_tags,
            admin_create_user_config,
            schema_attributes: schema,
            user_pool_add_ons,
            ..UserPool::default()
        };
        let mut violations = semantics::creation(&requested);
        violations.extend(schema::violations(&requested, limits));
        violations.extend(semantics::settings(&requested, limits));
        Invalid::semantics(violations)?;
        Ok(Self {
            target: Target::New,
            command: Command::Create(CreateUserPool { requested: Box::new(requested) }),
            options: options(request_id.as_deref(), None, validate_only),
        })
    }

    /// Checks a request to change a user pool. What its settings mean together
    /// with those that stay is decided later.
    ///
    /// # Errors
    /// Every field rule that it breaks.
    pub fn update_user_pool(request: UpdateUserPoolRequest) -> Result<Self, Invalid> {
        Check::run(|check| {
            fields::update_user_pool(check, &request);
            fields::options(check, request.request_id.as_ref(), request.expected_revision);
            Mask::check(check, &request.update_mask);
        })?;
        let UpdateUserPoolRequest {
            user_pool_id,
            policies,
            lambda_config,
            auto_verified_attributes,
            sms_verification_message,
            email_verification_message,
            email_verification_subject,
            verification_message_template,
            sms_authentication_message,
            mfa_configuration,
            device_configuration,
            email_configuration,
            sms_configuration,
            user_pool_tags,
            admin_create_user_config,
            user_pool_add_ons,
            request_id,
            validate_only,
            expected_revision,
            update_mask,
        } = request;
        let requested = Box::new(UserPool {
            policies,
            lambda_config,
            auto_verified_attributes,
            sms_verification_message,
            email_verification_message,
            email_verification_subject,
            verification_message_template,
            sms_authentication_message,
            mfa_configuration,
            device_configuration,
            email_configuration,
            sms_configuration,
            user_pool_tags,
            admin_create_user_config,
            user_pool_add_ons,
            ..UserPool::default()
        });
        let mask = Mask::new(update_mask);
        Ok(Self {
            target: existing(user_pool_id),
            command: Command::Update(UpdateUserPool { requested, mask }),
            options: options(request_id.as_deref(), expected_revision, validate_only),
        })
    }

    /// Checks a request to delete a user pool.
    ///
    /// # Errors
    /// Every field rule that it breaks.
    pub fn delete_user_pool(request: DeleteUserPoolRequest) -> Result<Self, Invalid> {
        Check::run(|check| {
            fields::user_pool_id(check, request.user_pool_id.as_ref());
            fields::options(check, request.request_id.as_ref(), request.expected_revision);
        })?;
        let DeleteUserPoolRequest { user_pool_id, request_id, validate_only, expected_revision } =
            request;
        Ok(Self {
            target: existing(user_pool_id),
            command: Command::Delete,
            options: options(request_id.as_deref(), expected_revision, validate_only),
        })
    }

    /// Checks a request to associate a domain prefix with a user pool.
    ///
    /// # Errors
    /// Every field rule that it breaks, or else the reserved word in the prefix.
    pub fn create_user_pool_domain(request: CreateUserPoolDomainRequest) -> Result<Self, Invalid> {
        Check::run(|check| {
            fields::domain(check, request.domain.as_ref());
            fields::user_pool_id(check, request.user_pool_id.as_ref());
            fields::options(check, request.request_id.as_ref(), request.expected_revision);
        })?;
        let CreateUserPoolDomainRequest {
            domain,
            user_pool_id,
            request_id,
            validate_only,
            expected_revision,
        } = request;
        let domain = DomainPrefix::new(domain.unwrap_or_default());
        Invalid::semantics(domain.reserved_word().into_iter().collect())?;
        Ok(Self {
            target: existing(user_pool_id),
            command: Command::CreateDomain(domain),
            options: options(request_id.as_deref(), expected_revision, validate_only),
        })
    }

    /// Checks a request to remove a domain prefix from its user pool.
    ///
    /// # Errors
    /// Every field rule that it breaks.
    pub fn delete_user_pool_domain(request: DeleteUserPoolDomainRequest) -> Result<Self, Invalid> {
        Check::run(|check| {
            fields::domain(check, request.domain.as_ref());
            fields::user_pool_id(check, request.user_pool_id.as_ref());
            fields::options(check, request.request_id.as_ref(), request.expected_revision);
        })?;
        let DeleteUserPoolDomainRequest {
            domain,
            user_pool_id,
            request_id,
            validate_only,
            expected_revision,
        } = request;
        Ok(Self {
            target: existing(user_pool_id),
            command: Command::DeleteDomain(DomainPrefix::new(domain.unwrap_or_default())),
            options: options(request_id.as_deref(), expected_revision, validate_only),
        })
    }
}

fn existing(id: Option<String>) -> Target {
    Target::Existing(UserPoolId::from_trusted(id.unwrap_or_default()))
}

fn options(
    request_id: Option<&str>,
    expected_revision: Option<i64>,
    validate_only: bool,
) -> Options {
    let request_id = request_id.and_then(|id| Uuid::try_parse(id).ok());
    Options { request_id, expected_revision, validate_only }
}
