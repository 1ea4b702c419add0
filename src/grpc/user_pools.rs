//! `UserPoolService`: decodes, calls the operation, encodes.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use crate::{
    proto::{
        CreateUserPoolDomainRequest, CreateUserPoolDomainResponse, CreateUserPoolRequest,
        DeleteUserPoolDomainRequest, DeleteUserPoolDomainResponse, DeleteUserPoolRequest,
        DeleteUserPoolResponse, DescribeUserPoolDomainRequest, DescribeUserPoolDomainResponse,
        DescribeUserPoolRequest, ListUserPoolDomainsRequest, ListUserPoolDomainsResponse,
        ListUserPoolsRequest, ListUserPoolsResponse, UpdateUserPoolRequest,
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
        response(self.0.list_user_pools(request.into_inner()))
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
        response(self.0.describe_user_pool_domain(request.into_inner()))
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
        response(self.0.list_user_pool_domains(request.into_inner()))
    }
}

fn caller<M>(request: &Request<M>) -> Caller {
    transport::caller(request.extensions(), request.metadata().as_ref())
}

fn response<M>(answer: Result<M, Error>) -> Result<Response<M>, Status> {
    Ok(Response::new(answer?))
}
