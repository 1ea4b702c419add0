//! Every call of the API with one answer, and whether it reads or changes.

use tonic::{Status, transport::Channel};

use crate::proto::{
    CreateUserPoolDomainRequest, CreateUserPoolDomainResponse, CreateUserPoolRequest,
    CreateUserPoolResponse, DeleteUserPoolDomainRequest, DeleteUserPoolDomainResponse,
    DeleteUserPoolRequest, DeleteUserPoolResponse, DescribeUserPoolDomainRequest,
    DescribeUserPoolDomainResponse, DescribeUserPoolRequest, DescribeUserPoolResponse,
    GetCheckpointKeyRequest, GetCheckpointKeyResponse, GetSignedCheckpointRequest,
    GetSignedCheckpointResponse, ListUserPoolDomainsRequest, ListUserPoolDomainsResponse,
    ListUserPoolEventsRequest, ListUserPoolEventsResponse, ListUserPoolsRequest,
    ListUserPoolsResponse, ReplayUserPoolRequest, ReplayUserPoolResponse, UpdateUserPoolRequest,
    UpdateUserPoolResponse, VerifyUserPoolHistoryRequest, VerifyUserPoolHistoryResponse,
    user_pool_history_service_client::UserPoolHistoryServiceClient,
    user_pool_service_client::UserPoolServiceClient,
};

use super::Client;

/// A method for each call. One that changes something never goes without a `request_id`.
macro_rules! calls {
    ($($service:ident {$(
        $(#[$what:meta])* $kind:ident $method:ident($request:ty) -> $response:ty;
    )+})+) => {
        impl Client {$($(
            $(#[$what])*
            ///
            /// # Errors
            /// The server's refusal; `UNAVAILABLE` or `DEADLINE_EXCEEDED` where there was no
            /// answer in time, which for a change says nothing of whether it was recorded.
            pub async fn $method(&self, request: $request) -> Result<$response, Status> {
                let send = |channel, request| async {
                    let mut client: $service<Channel> = $service::new(channel);
                    client.$method(request).await
                };
                calls!(@$kind self, request, send)
            }
        )+)+}
    };
    (@read $client:ident, $request:ident, $send:ident) => {
        $client.call($request, "", $send).await
    };
    (@change $client:ident, $request:ident, $send:ident) => {{
        let mut request = $request;
        let make = || $client.transport.source().uuid().to_string();
        let request_id = request.request_id.get_or_insert_with(make).clone();
        $client.call(request, &request_id, $send).await
    }};
}

calls! {
    UserPoolServiceClient {
        /// Creates a user pool.
        change create_user_pool(CreateUserPoolRequest) -> CreateUserPoolResponse;
        /// Shows a user pool as it is now.
        read describe_user_pool(DescribeUserPoolRequest) -> DescribeUserPoolResponse;
        /// Changes the settings of a user pool.
        change update_user_pool(UpdateUserPoolRequest) -> UpdateUserPoolResponse;
        /// Deletes a user pool; its history is kept.
        change delete_user_pool(DeleteUserPoolRequest) -> DeleteUserPoolResponse;
        /// Lists user pools, a page at a time.
        read list_user_pools(ListUserPoolsRequest) -> ListUserPoolsResponse;
        /// Gives a user pool a domain prefix.
        change create_user_pool_domain(CreateUserPoolDomainRequest)
            -> CreateUserPoolDomainResponse;
        /// Shows whose a domain prefix is.
        read describe_user_pool_domain(DescribeUserPoolDomainRequest)
            -> DescribeUserPoolDomainResponse;
        /// Takes a domain prefix from its user pool.
        change delete_user_pool_domain(DeleteUserPoolDomainRequest)
            -> DeleteUserPoolDomainResponse;
        /// Lists domain prefixes with their user pools, a page at a time.
        read list_user_pool_domains(ListUserPoolDomainsRequest) -> ListUserPoolDomainsResponse;
    }
    UserPoolHistoryServiceClient {
        /// Lists recorded events, a page at a time.
        read list_user_pool_events(ListUserPoolEventsRequest) -> ListUserPoolEventsResponse;
        /// Shows a user pool as it was.
        read replay_user_pool(ReplayUserPoolRequest) -> ReplayUserPoolResponse;
        /// Has the server check its history.
        read verify_user_pool_history(VerifyUserPoolHistoryRequest)
            -> VerifyUserPoolHistoryResponse;
        /// Has the server sign the end of its log.
        read get_signed_checkpoint(GetSignedCheckpointRequest) -> GetSignedCheckpointResponse;
        /// Tells the key that checkpoints are signed with.
        read get_checkpoint_key(GetCheckpointKeyRequest) -> GetCheckpointKeyResponse;
    }
}
