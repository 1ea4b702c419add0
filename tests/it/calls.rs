//! Every changing call in one form, for tests that apply to all of them.

use tonic::{Request, Status, metadata::MetadataMap, transport::Channel};
use userpool::proto::{
    CreateUserPoolDomainRequest, CreateUserPoolRequest, DeleteUserPoolDomainRequest,
    DeleteUserPoolRequest, UpdateUserPoolRequest, UserPool,
    user_pool_service_client::UserPoolServiceClient,
};

use crate::support::{domain, named};

/// A changing call.
#[derive(Debug, Clone)]
pub(crate) enum Call {
    Create(Box<CreateUserPoolRequest>),
    Update(Box<UpdateUserPoolRequest>),
    Delete(DeleteUserPoolRequest),
    CreateDomain(CreateUserPoolDomainRequest),
    DeleteDomain(DeleteUserPoolDomainRequest),
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

    /// The call with a request ID.
    pub(crate) fn under(mut self, request_id: &str) -> Self {
        *match &mut self {
            Self::Create(request) => &mut request.request_id,
            Self::Update(request) => &mut request.request_id,
            Self::Delete(request) => &mut request.request_id,
            Self::CreateDomain(request) => &mut request.request_id,
            Self::DeleteDomain(request) => &mut request.request_id,
        } = Some(request_id.to_owned());
        self
    }

    /// The call with this expected revision; a creation has none.
    pub(crate) fn expecting(mut self, revision: i64) -> Self {
        *match &mut self {
            Self::Create(_) => return self,
            Self::Update(request) => &mut request.expected_revision,
            Self::Delete(request) => &mut request.expected_revision,
            Self::CreateDomain(request) => &mut request.expected_revision,
            Self::DeleteDomain(request) => &mut request.expected_revision,
        } = Some(revision);
        self
    }

    /// The call with `validate_only`.
    pub(crate) fn only_validated(mut self) -> Self {
        *match &mut self {
            Self::Create(request) => &mut request.validate_only,
            Self::Update(request) => &mut request.validate_only,
            Self::Delete(request) => &mut request.validate_only,
            Self::CreateDomain(request) => &mut request.validate_only,
            Self::DeleteDomain(request) => &mut request.validate_only,
        } = true;
        self
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
            Self::Delete(request) => {
                let request = with(metadata, request);
                let response = client.delete_user_pool(request).await?.into_inner();
                (None, response.revision, response.position)
            }
            Self::CreateDomain(request) => {
                let request = with(metadata, request);
                let response = client.create_user_pool_domain(request).await?.into_inner();
                (None, response.revision, response.position)
            }
            Self::DeleteDomain(request) => {
                let request = with(metadata, request);
                let response = client.delete_user_pool_domain(request).await?.into_inner();
                (None, response.revision, response.position)
            }
        };
        Ok(Answer { user_pool, revision, position })
    }
}

fn with<M>(metadata: &MetadataMap, message: M) -> Request<M> {
    let mut request = Request::new(message);
    *request.metadata_mut() = metadata.clone();
    request
}
