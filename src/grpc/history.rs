//! `UserPoolHistoryService`. Not built yet: each call says so.

use tonic::{Request, Response, Status, codegen::BoxStream};

use crate::proto::{
    ListUserPoolEventsRequest, ListUserPoolEventsResponse, ReplayUserPoolRequest,
    ReplayUserPoolResponse, VerifyUserPoolHistoryRequest, VerifyUserPoolHistoryResponse,
    WatchUserPoolEventsRequest, WatchUserPoolEventsResponse,
    user_pool_history_service_server::UserPoolHistoryService,
};

use super::status;

#[derive(Debug)]
pub(super) struct History;

#[tonic::async_trait]
impl UserPoolHistoryService for History {
    type WatchUserPoolEventsStream = BoxStream<WatchUserPoolEventsResponse>;

    async fn list_user_pool_events(
        &self,
        _request: Request<ListUserPoolEventsRequest>,
    ) -> Result<Response<ListUserPoolEventsResponse>, Status> {
        Err(status::not_implemented("ListUserPoolEvents"))
    }

    async fn replay_user_pool(
        &self,
        _request: Request<ReplayUserPoolRequest>,
    ) -> Result<Response<ReplayUserPoolResponse>, Status> {
        Err(status::not_implemented("ReplayUserPool"))
    }

    async fn watch_user_pool_events(
        &self,
        _request: Request<WatchUserPoolEventsRequest>,
    ) -> Result<Response<Self::WatchUserPoolEventsStream>, Status> {
        Err(status::not_implemented("WatchUserPoolEvents"))
    }

    async fn verify_user_pool_history(
        &self,
        _request: Request<VerifyUserPoolHistoryRequest>,
    ) -> Result<Response<VerifyUserPoolHistoryResponse>, Status> {
        Err(status::not_implemented("VerifyUserPoolHistory"))
    }
}
