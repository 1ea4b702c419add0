//! `UserPoolHistoryService`: decodes, calls the operation, encodes.

use std::sync::Arc;

use futures_util::TryStreamExt as _;
use tonic::{Request, Response, Status, codegen::BoxStream};

use crate::{
    auth::Identity,
    proto::{
        CountUserPoolEventsRequest, CountUserPoolEventsResponse, DescribeLogRequest,
        DescribeLogResponse, GetCheckpointKeyRequest, GetCheckpointKeyResponse,
        GetConsistencyProofRequest, GetConsistencyProofResponse, GetInclusionProofRequest,
        GetInclusionProofResponse, GetSignedCheckpointRequest, GetSignedCheckpointResponse,
        ListUserPoolEventsRequest, ListUserPoolEventsResponse, ReplayUserPoolRequest,
        ReplayUserPoolResponse, VerifyUserPoolHistoryRequest, VerifyUserPoolHistoryResponse,
        WatchUserPoolEventsRequest,
        served::{
            WatchUserPoolEventsResponse, user_pool_history_service_server::UserPoolHistoryService,
        },
    },
    service::Operations,
};

#[derive(Debug)]
pub(super) struct History(pub(super) Arc<Operations>);

#[tonic::async_trait]
impl UserPoolHistoryService for History {
    type WatchUserPoolEventsStream = BoxStream<WatchUserPoolEventsResponse>;

    async fn list_user_pool_events(
        &self,
        request: Request<ListUserPoolEventsRequest>,
    ) -> Result<Response<ListUserPoolEventsResponse>, Status> {
        Ok(Response::new(self.0.list_user_pool_events(request.into_inner()).await?))
    }

    async fn replay_user_pool(
        &self,
        request: Request<ReplayUserPoolRequest>,
    ) -> Result<Response<ReplayUserPoolResponse>, Status> {
        Ok(Response::new(self.0.replay_user_pool(request.into_inner()).await?))
    }

    async fn watch_user_pool_events(
        &self,
        request: Request<WatchUserPoolEventsRequest>,
    ) -> Result<Response<Self::WatchUserPoolEventsStream>, Status> {
        let events = self.0.watch_user_pool_events(request.into_inner()).await?;
        Ok(Response::new(Box::pin(events.map_err(Status::from))))
    }

    async fn verify_user_pool_history(
        &self,
        request: Request<VerifyUserPoolHistoryRequest>,
    ) -> Result<Response<VerifyUserPoolHistoryResponse>, Status> {
        Ok(Response::new(self.0.verify_user_pool_history(request.into_inner()).await?))
    }

    async fn get_signed_checkpoint(
        &self,
        request: Request<GetSignedCheckpointRequest>,
    ) -> Result<Response<GetSignedCheckpointResponse>, Status> {
        Ok(Response::new(self.0.get_signed_checkpoint(request.into_inner()).await?))
    }

    async fn describe_log(
        &self,
        request: Request<DescribeLogRequest>,
    ) -> Result<Response<DescribeLogResponse>, Status> {
        let caller = request.extensions().get().cloned();
        let caller = caller.unwrap_or_else(Identity::anonymous);
        Ok(Response::new(self.0.describe_log(request.into_inner(), &caller).await?))
    }

    async fn get_checkpoint_key(
        &self,
        _request: Request<GetCheckpointKeyRequest>,
    ) -> Result<Response<GetCheckpointKeyResponse>, Status> {
        Ok(Response::new(self.0.get_checkpoint_key()))
    }

    async fn count_user_pool_events(
        &self,
        request: Request<CountUserPoolEventsRequest>,
    ) -> Result<Response<CountUserPoolEventsResponse>, Status> {
        Ok(Response::new(self.0.count_user_pool_events(request.into_inner()).await?))
    }

    async fn get_inclusion_proof(
        &self,
        request: Request<GetInclusionProofRequest>,
    ) -> Result<Response<GetInclusionProofResponse>, Status> {
        Ok(Response::new(self.0.get_inclusion_proof(request.into_inner()).await?))
    }

    async fn get_consistency_proof(
        &self,
        request: Request<GetConsistencyProofRequest>,
    ) -> Result<Response<GetConsistencyProofResponse>, Status> {
        Ok(Response::new(self.0.get_consistency_proof(request.into_inner()).await?))
    }
}
