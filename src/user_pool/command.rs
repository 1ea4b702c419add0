//! Commands: requests whose fields were checked. Only this room can create settings, because
//! their fields are private. So all settings are checked.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::proto::{
    CreateUserPoolRequest, DeleteUserPoolRequest, SchemaAttribute, UpdateUserPoolRequest, UserPool,
};

use super::{
    DomainName, InvalidRequest, Limits, UserPoolId,
    check::Check,
    domain::{CreateDomain, UpdateDomain},
    fields, messages,
    mfa::SetMfaConfig,
    paths::UpdateMask,
    restore::RestoreUserPool,
    schema, semantics,
};

/// A change to one user pool.
#[derive(Debug, Clone)]
pub enum Command {
    /// Create the user pool.
    Create(CreateUserPool),
    /// Replace its settings: all of them, or those that a mask names.
    Update(UpdateUserPool),
    /// Delete the user pool.
    Delete,
    /// Associate a domain with it.
    CreateDomain(CreateDomain),
    /// Change the settings of its domain.
    UpdateDomain(UpdateDomain),
    /// Remove the domain from it.
    DeleteDomain(DomainName),
    /// Set tags.
    Tag(BTreeMap<String, String>),
    /// Remove the tags with these keys.
    Untag(Vec<String>),
    /// Add these attributes to its schema.
    AddCustomAttributes(Vec<SchemaAttribute>),
    /// Configure multi-factor authentication.
    SetMfaConfig(SetMfaConfig),
    /// Set it back to an earlier revision.
    Restore(RestoreUserPool),
}

impl Command {
    /// The names of the domains that it assigns to its user pool.
    #[must_use]
    pub fn assigned_domains(&self) -> Vec<&str> {
        match self {
            Self::CreateDomain(create) => vec![create.name().as_str()],
            Self::Restore(restore) => restore.domains().collect(),
            Self::Create(_)
            | Self::Update(_)
            | Self::Delete
            | Self::UpdateDomain(_)
            | Self::DeleteDomain(_)
            | Self::Tag(_)
            | Self::Untag(_)
            | Self::AddCustomAttributes(_)
            | Self::SetMfaConfig(_) => Vec::new(),
        }
    }
}

/// The user pool that a command changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A user pool that does not exist yet.
    New,
    /// The user pool with this ID.
    Existing(UserPoolId),
}

/// The options that this service adds to each request for a change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CommandOptions {
    /// The idempotency key.
    pub request_id: Option<Uuid>,
    /// The revision that the user pool must have.
    pub expected_revision: Option<i64>,
    /// Whether to decide the command without recording anything.
    pub validate_only: bool,
}

/// A command from a checked request, and its options.
#[derive(Debug, Clone)]
pub struct CheckedCommand {
    /// The user pool to change.
    pub target: Target,
    /// The change.
    pub command: Command,
    /// The options.
    pub options: CommandOptions,
}

/// The settings of a new user pool, as requested: without defaults.
#[derive(Debug, Clone)]
pub struct CreateUserPool {
    pub(super) requested: Box<UserPool>,
}

/// The new settings of a user pool, and which of them to replace.
#[derive(Debug, Clone)]
pub struct UpdateUserPool {
    pub(super) requested: Box<UserPool>,
    pub(super) mask: UpdateMask,
}

impl CheckedCommand {
    /// Checks a request to create a user pool.
    ///
    /// # Errors
    /// The field rules that it breaks. If there are none, the rules about what the fields
    /// mean.
    pub fn create_user_pool(
        request: CreateUserPoolRequest,
        limits: &Limits,
    ) -> Result<Self, InvalidRequest> {
        // Names every field, so that a field added to the schema stops the build here.
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
            deletion_protection,
            user_pool_tier,
            account_recovery_setting,
            username_configuration,
            user_attribute_update_settings,
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
            deletion_protection,
            user_pool_tier,
            account_recovery_setting,
            username_configuration,
            user_attribute_update_settings,
            ..UserPool::default()
        };
        Check::run(|check| {
            check.required("pool_name", requested.name.as_ref());
            fields::pool_name(check, requested.name.as_ref());
            fields::settings(check, &requested);
            fields::options(check, request_id.as_ref(), None);
        })?;
        Check::run_behind_api(|check| fields::behind_api(check, &requested))?;
        let mut violations = semantics::creation(&requested);
        violations.extend(schema::violations(&requested, limits));
        violations.extend(messages::violations(&requested));
        violations.extend(semantics::settings(&requested, None, limits));
        InvalidRequest::semantics(violations)?;
        Ok(Self {
            target: Target::New,
            command: Command::Create(CreateUserPool { requested: Box::new(requested) }),
            options: options(request_id.as_deref(), None, validate_only),
        })
    }

    /// Checks a request to update a user pool. [`decide`](super::decide()) checks the rules
    /// that also need the current settings.
    ///
    /// # Errors
    /// The field rules that it breaks. If there are none, the rules for its messages.
    pub fn update_user_pool(request: UpdateUserPoolRequest) -> Result<Self, InvalidRequest> {
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
            deletion_protection,
            user_pool_tier,
            account_recovery_setting,
            user_attribute_update_settings,
            pool_name,
            request_id,
            validate_only,
            expected_revision,
            update_mask,
        } = request;
        let requested = Box::new(UserPool {
            name: pool_name,
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
            deletion_protection,
            user_pool_tier,
            account_recovery_setting,
            user_attribute_update_settings,
            ..UserPool::default()
        });
        Check::run(|check| {
            fields::user_pool_id(check, user_pool_id.as_ref());
            fields::pool_name(check, requested.name.as_ref());
            fields::settings(check, &requested);
            fields::options(check, request_id.as_ref(), expected_revision);
            UpdateMask::check(check, &update_mask);
        })?;
        Check::run_behind_api(|check| fields::behind_api(check, &requested))?;
        InvalidRequest::semantics(messages::violations(&requested))?;
        let mask = UpdateMask::new(update_mask);
        Ok(Self {
            target: existing(user_pool_id),
            command: Command::Update(UpdateUserPool { requested, mask }),
            options: options(request_id.as_deref(), expected_revision, validate_only),
        })
    }

    /// Checks a request to delete a user pool.
    ///
    /// # Errors
    /// The field rules that it breaks.
    pub fn delete_user_pool(request: DeleteUserPoolRequest) -> Result<Self, InvalidRequest> {
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
}

pub(super) fn existing(id: Option<String>) -> Target {
    Target::Existing(UserPoolId::from_trusted(id.unwrap_or_default()))
}

pub(super) fn options(
    request_id: Option<&str>,
    expected_revision: Option<i64>,
    validate_only: bool,
) -> CommandOptions {
    let request_id = request_id.and_then(|id| Uuid::try_parse(id).ok());
    CommandOptions { request_id, expected_revision, validate_only }
}
