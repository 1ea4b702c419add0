//! Every changing call in one form, for tests that apply to all of them.

use tonic::{Request, Status, metadata::MetadataMap, transport::Channel};
use userpool::proto::{
    AddCustomAttributesRequest, CreateUserPoolDomainRequest, CreateUserPoolRequest,
    DeleteUserPoolDomainRequest, DeleteUserPoolRequest, RestoreUserPoolRequest, SchemaAttribute,
    SetUserPoolMfaConfigRequest, SmsMfaConfig, SoftwareTokenMfaConfig, TagResourceRequest,
    UntagResourceRequest, UpdateUserPoolDomainRequest, UpdateUserPoolRequest, UserPool,
    attribute_data_type, mfa_configuration::Value as Mfa,
    user_pool_service_client::UserPoolServiceClient,
};

use crate::support::{arn, domain, named};

/// A changing call.
#[derive(Debug, Clone)]
pub(crate) enum Call {
    Create(Box<CreateUserPoolRequest>),
    Update(Box<UpdateUserPoolRequest>),
    Delete(DeleteUserPoolRequest),
    CreateDomain(CreateUserPoolDomainRequest),
    UpdateDomain(UpdateUserPoolDomainRequest),
    DeleteDomain(DeleteUserPoolDomainRequest),
    AddCustomAttributes(AddCustomAttributesRequest),
    SetMfa(SetUserPoolMfaConfigRequest),
    Tag(TagResourceRequest),
    Untag(UntagResourceRequest),
    Restore(RestoreUserPoolRequest),
}

/// Does the same with the request of every call, or of every call but a creation.
macro_rules! each {
    ($call:expr, $request:ident => $do:expr) => {
        each!($call, change $request => $do, create $request => $do)
    };
    ($call:expr, change $request:ident => $do:expr, create $($created:ident)? => $create:expr) => {
        match $call {
            each!(@created $($created)?) => $create,
            Call::Update($request) => $do,
            Call::Delete($request) => $do,
            Call::CreateDomain($request) => $do,
            Call::UpdateDomain($request) => $do,
            Call::DeleteDomain($request) => $do,
            Call::AddCustomAttributes($request) => $do,
            Call::SetMfa($request) => $do,
            Call::Tag($request) => $do,
            Call::Untag($request) => $do,
            Call::Restore($request) => $do,
        }
    };
    (@created $created:ident) => { Call::Create($created) };
    (@created) => { Call::Create(_) };
}

/// The answer to a changing call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    /// If the answer has one.
    pub(crate) user_pool: Option<UserPool>,
    pub(crate) revision: i64,
    pub(crate) position: i64,
}

impl Answer {
    /// The ID of the user pool in the answer.
    pub(crate) fn id(&self) -> String {
        self.user_pool.clone().and_then(|pool| pool.id).expect("an ID")
    }
}

impl Call {
    pub(crate) fn create(name: &str) -> Self {
        Self::Create(Box::new(named(name)))
    }

    /// Sets the one tag of a user pool and resets everything else to its default.
    pub(crate) fn tag(id: &str, team: &str) -> Self {
        Self::Update(Box::new(UpdateUserPoolRequest {
            user_pool_id: Some(id.to_owned()),
            user_pool_tags: [("team".to_owned(), team.to_owned())].into(),
            ..Default::default()
        }))
    }

    pub(crate) fn delete(id: &str) -> Self {
        Self::Delete(DeleteUserPoolRequest {
            user_pool_id: Some(id.to_owned()),
            ..Default::default()
        })
    }

    pub(crate) fn assign(id: &str, prefix: &str) -> Self {
        Self::CreateDomain(domain(prefix, id))
    }

    pub(crate) fn release(id: &str, prefix: &str) -> Self {
        Self::DeleteDomain(DeleteUserPoolDomainRequest {
            domain: Some(prefix.to_owned()),
            user_pool_id: Some(id.to_owned()),
            ..Default::default()
        })
    }

    /// Gives a domain this version of the login pages.
    pub(crate) fn set_login_version(id: &str, domain: &str, version: i32) -> Self {
        Self::UpdateDomain(UpdateUserPoolDomainRequest {
            domain: Some(domain.to_owned()),
            user_pool_id: Some(id.to_owned()),
            managed_login_version: Some(version),
            ..Default::default()
        })
    }

    /// Sets one tag, and nothing else.
    pub(crate) fn set_tag(id: &str, key: &str, value: &str) -> Self {
        Self::Tag(TagResourceRequest {
            resource_arn: Some(arn(id)),
            tags: [(key.to_owned(), value.to_owned())].into(),
            ..Default::default()
        })
    }

    /// Removes one tag.
    pub(crate) fn remove_tag(id: &str, key: &str) -> Self {
        Self::Untag(UntagResourceRequest {
            resource_arn: Some(arn(id)),
            tag_keys: vec![key.to_owned()],
            ..Default::default()
        })
    }

    /// Sets a user pool back to a revision, without its domains.
    pub(crate) fn restore(id: &str, revision: i64) -> Self {
        Self::Restore(RestoreUserPoolRequest {
            user_pool_id: Some(id.to_owned()),
            revision: Some(revision),
            ..Default::default()
        })
    }

    /// Sets a user pool back to a revision, with its domains.
    pub(crate) fn restore_with_domains(id: &str, revision: i64) -> Self {
        Self::Restore(RestoreUserPoolRequest {
            user_pool_id: Some(id.to_owned()),
            revision: Some(revision),
            restore_domain: true,
            ..Default::default()
        })
    }

    /// Adds a custom attribute for text.
    pub(crate) fn add_attribute(id: &str, name: &str) -> Self {
        Self::AddCustomAttributes(AddCustomAttributesRequest {
            user_pool_id: Some(id.to_owned()),
            custom_attributes: vec![SchemaAttribute {
                name: Some(name.to_owned()),
                attribute_data_type: Some(attribute_data_type::Value::String.into()),
                ..Default::default()
            }],
            ..Default::default()
        })
    }

    /// Sets MFA, with software tokens as the only factor if there is one.
    /// Sets MFA, with software tokens unless it is off.
    pub(crate) fn set_mfa(id: &str, value: Mfa) -> Self {
        let token = SoftwareTokenMfaConfig { enabled: Some(true) };
        Self::set_factors(id, value, None, (value != Mfa::Off).then_some(token))
    }

    pub(crate) fn set_factors(
        id: &str,
        value: Mfa,
        sms: Option<SmsMfaConfig>,
        token: Option<SoftwareTokenMfaConfig>,
    ) -> Self {
        Self::SetMfa(SetUserPoolMfaConfigRequest {
            user_pool_id: Some(id.to_owned()),
            sms_mfa_configuration: sms,
            software_token_mfa_configuration: token,
            mfa_configuration: Some(value.into()),
            ..Default::default()
        })
    }

    /// The call with a request ID.
    pub(crate) fn under(mut self, request_id: &str) -> Self {
        each!(&mut self, request => request.request_id = Some(request_id.to_owned()));
        self
    }

    /// The call with this expected revision; a creation has none.
    pub(crate) fn expecting(mut self, revision: i64) -> Self {
        let expected = Some(revision);
        each!(&mut self, change request => request.expected_revision = expected, create => ());
        self
    }

    /// The call with `validate_only`.
    pub(crate) fn only_validated(mut self) -> Self {
        each!(&mut self, request => request.validate_only = true);
        self
    }

    /// Whether this restores a user pool that is at the expected revision after it, so that it
    /// changed nothing.
    pub(crate) fn restores_nothing(&self, revision: i64) -> bool {
        matches!(self, Self::Restore(request) if request.expected_revision == Some(revision))
    }

    /// The user pool of the call, except the one that it creates.
    pub(crate) fn target(&self) -> Option<String> {
        let id = |arn: &Option<String>| {
            arn.as_deref().and_then(|arn| arn.rsplit('/').next()).map(str::to_owned)
        };
        match self {
            Self::Create(_) => None,
            Self::Update(request) => request.user_pool_id.clone(),
            Self::Delete(request) => request.user_pool_id.clone(),
            Self::CreateDomain(request) => request.user_pool_id.clone(),
            Self::UpdateDomain(request) => request.user_pool_id.clone(),
            Self::DeleteDomain(request) => request.user_pool_id.clone(),
            Self::AddCustomAttributes(request) => request.user_pool_id.clone(),
            Self::SetMfa(request) => request.user_pool_id.clone(),
            Self::Restore(request) => request.user_pool_id.clone(),
            Self::Tag(request) => id(&request.resource_arn),
            Self::Untag(request) => id(&request.resource_arn),
        }
    }

    pub(crate) async fn send(
        self,
        client: &mut UserPoolServiceClient<Channel>,
    ) -> Result<Answer, Status> {
        self.send_with(client, &MetadataMap::new()).await
    }

    /// Sends the call with metadata.
    pub(crate) async fn send_with(
        self,
        client: &mut UserPoolServiceClient<Channel>,
        metadata: &MetadataMap,
    ) -> Result<Answer, Status> {
        macro_rules! answer {
            ($method:ident($request:ident)) => {{
                let response = client.$method(with(metadata, $request)).await?.into_inner();
                (None, response.revision, response.position)
            }};
        }
        let (user_pool, revision, position) = match self {
            Self::Create(request) => {
                let request = with(metadata, *request);
                let response = client.create_user_pool(request).await?.into_inner();
                (response.user_pool, response.revision, response.position)
            }
            Self::Update(request) => {
                let request = with(metadata, *request);
                let response = client.update_user_pool(request).await?.into_inner();
                (response.user_pool, response.revision, response.position)
            }
            Self::Restore(request) => {
                let request = with(metadata, request);
                let response = client.restore_user_pool(request).await?.into_inner();
                (response.user_pool, response.revision, response.position)
            }
            Self::Delete(request) => answer!(delete_user_pool(request)),
            Self::CreateDomain(request) => answer!(create_user_pool_domain(request)),
            Self::UpdateDomain(request) => answer!(update_user_pool_domain(request)),
            Self::DeleteDomain(request) => answer!(delete_user_pool_domain(request)),
            Self::AddCustomAttributes(request) => answer!(add_custom_attributes(request)),
            Self::SetMfa(request) => answer!(set_user_pool_mfa_config(request)),
            Self::Tag(request) => answer!(tag_resource(request)),
            Self::Untag(request) => answer!(untag_resource(request)),
        };
        Ok(Answer { user_pool, revision, position })
    }
}

fn with<M>(metadata: &MetadataMap, message: M) -> Request<M> {
    let mut request = Request::new(message);
    *request.metadata_mut() = metadata.clone();
    request
}
