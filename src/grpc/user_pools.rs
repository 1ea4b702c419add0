//! `UserPoolService`: decodes, calls the operation, encodes.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use crate::{
    proto::{
        AddCustomAttributesRequest, AddCustomAttributesResponse, CreateUserPoolDomainRequest,
        CreateUserPoolDomainResponse, CreateUserPoolRequest, DeleteUserPoolDomainRequest,
        DeleteUserPoolDomainResponse, DeleteUserPoolRequest, DeleteUserPoolResponse,
        DescribeUserPoolDomainRequest, DescribeUserPoolDomainResponse, DescribeUserPoolRequest,
        GetUserPoolMfaConfigRequest, GetUserPoolMfaConfigResponse, ListTagsForResourceRequest,
        ListTagsForResourceResponse, ListUserPoolDomainsRequest, ListUserPoolDomainsResponse,
        ListUserPoolsRequest, ListUserPoolsResponse, RestoreUserPoolRequest,
        RestoreUserPoolResponse, SetUserPoolMfaConfigRequest, SetUserPoolMfaConfigResponse,
        TagResourceRequest, TagResourceResponse, UntagResourceRequest, UntagResourceResponse,
        UpdateUserPoolDomainRequest, UpdateUserPoolDomainResponse, UpdateUserPoolRequest,
        served::{
            CreateUserPoolResponse, DescribeUserPoolResponse, UpdateUserPoolResponse,
            user_pool_service_server::UserPoolService,
        },
    },
    service::{Caller, Error, Operations},
    transport,
};

#[derive(Debug)]
pub(super) struct UserPools(pub(super) Arc<Operations>);

#[tonic::async_trait]
impl UserPoolService for UserPools {
    async fn create_user_pool(
        &self,
        request: Request<CreateUserPoolRequest>,
    ) -> Result<Response<CreateUserPoolResponse>, Status> {
        let caller = caller(&request);
        response(self.0.create_user_pool(request.into_inner(), caller).await)
    }

    async fn describe_user_pool(
        &self,
        request: Request<DescribeUserPoolRequest>,
    ) -> Result<Response<DescribeUserPoolResponse>, Status> {
        response(self.0.describe_user_pool(request.into_inner()).await)
    }

    async fn update_user_pool(
        &self,
        request: Request<UpdateUserPoolRequest>,
    ) -> Result<Response<UpdateUserPoolResponse>, Status> {
        let caller = caller(&request);
        response(self.0.update_user_pool(request.into_inner(), caller).await)
    }

    async fn delete_user_pool(
        &self,
        request: Request<DeleteUserPoolRequest>,
    ) -> Result<Response<DeleteUserPoolResponse>, Status> {
        let caller = caller(&request);
        response(self.0.delete_user_pool(request.into_inner(), caller).await)
    }

    async fn list_user_pools(
        &self,
        request: Request<ListUserPoolsRequest>,
    ) -> Result<Response<ListUserPoolsResponse>, Status> {
        response(self.0.list_user_pools(request.into_inner()).await)
    }

    async fn create_user_pool_domain(
        &self,
        request: Request<CreateUserPoolDomainRequest>,
    ) -> Result<Response<CreateUserPoolDomainResponse>, Status> {
        let caller = caller(&request);
        response(self.0.create_user_pool_domain(request.into_inner(), caller).await)
    }

    async fn describe_user_pool_domain(
        &self,
        request: Request<DescribeUserPoolDomainRequest>,
    ) -> Result<Response<DescribeUserPoolDomainResponse>, Status> {
        response(self.0.describe_user_pool_domain(request.into_inner()).await)
    }

    async fn delete_user_pool_domain(
        &self,
        request: Request<DeleteUserPoolDomainRequest>,
    ) -> Result<Response<DeleteUserPoolDomainResponse>, Status> {
        let caller = caller(&request);
        response(self.0.delete_user_pool_domain(request.into_inner(), caller).await)
    }

    async fn list_user_pool_domains(
        &self,
        request: Request<ListUserPoolDomainsRequest>,
    ) -> Result<Response<ListUserPoolDomainsResponse>, Status> {
        response(self.0.list_user_pool_domains(request.into_inner()).await)
    }

    async fn update_user_pool_domain(
        &self,
        request: Request<UpdateUserPoolDomainRequest>,
    ) -> Result<Response<UpdateUserPoolDomainResponse>, Status> {
        let caller = caller(&request);
        response(self.0.update_user_pool_domain(request.into_inner(), caller).await)
    }

    async fn add_custom_attributes(
        &self,
        request: Request<AddCustomAttributesRequest>,
    ) -> Result<Response<AddCustomAttributesResponse>, Status> {
        let caller = caller(&request);
        response(self.0.add_custom_attributes(request.into_inner(), caller).await)
    }

    async fn get_user_pool_mfa_config(
        &self,
        request: Request<GetUserPoolMfaConfigRequest>,
    ) -> Result<Response<GetUserPoolMfaConfigResponse>, Status> {
        response(self.0.get_user_pool_mfa_config(request.into_inner()).await)
    }

    async fn set_user_pool_mfa_config(
        &self,
        request: Request<SetUserPoolMfaConfigRequest>,
    ) -> Result<Response<SetUserPoolMfaConfigResponse>, Status> {
        let caller = caller(&request);
        response(self.0.set_user_pool_mfa_config(request.into_inner(), caller).await)
    }

    async fn tag_resource(
        &self,
        request: Request<TagResourceRequest>,
    ) -> Result<Response<TagResourceResponse>, Status> {
        let caller = caller(&request);
        response(self.0.tag_resource(request.into_inner(), caller).await)
    }

    async fn untag_resource(
        &self,
        request: Request<UntagResourceRequest>,
    ) -> Result<Response<UntagResourceResponse>, Status> {
        let caller = caller(&request);
        response(self.0.untag_resource(request.into_inner(), caller).await)
    }

    async fn list_tags_for_resource(
        &self,
        request: Request<ListTagsForResourceRequest>,
    ) -> Result<Response<ListTagsForResourceResponse>, Status> {
        response(self.0.list_tags_for_resource(request.into_inner()).await)
    }

    async fn restore_user_pool(
        &self,
        request: Request<RestoreUserPoolRequest>,
    ) -> Result<Response<RestoreUserPoolResponse>, Status> {
        let caller = caller(&request);
        response(self.0.restore_user_pool(request.into_inner(), caller).await)
    }
}

fn caller<M>(request: &Request<M>) -> Caller {
    transport::caller(request.extensions(), request.metadata().as_ref())
}

fn response<M>(answer: Result<M, Error>) -> Result<Response<M>, Status> {
    Ok(Response::new(answer?))
}
