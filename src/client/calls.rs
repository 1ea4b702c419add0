//! The unary calls of the API, and whether each reads or changes.

use tonic::{Status, transport::Channel};

use crate::proto::{
    AddCustomAttributesRequest, AddCustomAttributesResponse, CountUserPoolEventsRequest,
    CountUserPoolEventsResponse, CreateUserPoolDomainRequest, CreateUserPoolDomainResponse,
    CreateUserPoolRequest, CreateUserPoolResponse, DeleteUserPoolDomainRequest,
    DeleteUserPoolDomainResponse, DeleteUserPoolRequest, DeleteUserPoolResponse,
    DescribeLogRequest, DescribeLogResponse, DescribeUserPoolDomainRequest,
    DescribeUserPoolDomainResponse, DescribeUserPoolRequest, DescribeUserPoolResponse,
    GetCheckpointKeyRequest, GetCheckpointKeyResponse, GetConsistencyProofRequest,
    GetConsistencyProofResponse, GetInclusionProofRequest, GetInclusionProofResponse,
    GetSignedCheckpointRequest, GetSignedCheckpointResponse, GetUserPoolMfaConfigRequest,
    GetUserPoolMfaConfigResponse, ListTagsForResourceRequest, ListTagsForResourceResponse,
    ListUserPoolDomainsRequest, ListUserPoolDomainsResponse, ListUserPoolEventsRequest,
    ListUserPoolEventsResponse, ListUserPoolsRequest, ListUserPoolsResponse, ReplayUserPoolRequest,
    ReplayUserPoolResponse, RestoreUserPoolRequest, RestoreUserPoolResponse,
    SetUserPoolMfaConfigRequest, SetUserPoolMfaConfigResponse, TagResourceRequest,
    TagResourceResponse, UntagResourceRequest, UntagResourceResponse, UpdateUserPoolDomainRequest,
    UpdateUserPoolDomainResponse, UpdateUserPoolRequest, UpdateUserPoolResponse,
    VerifyUserPoolHistoryRequest, VerifyUserPoolHistoryResponse,
    user_pool_history_service_client::UserPoolHistoryServiceClient,
    user_pool_service_client::UserPoolServiceClient,
};

use super::{Client, correlation::CorrelationId, random};

/// Defines a method for each call. A change is always sent with a `request_id`.
macro_rules! calls {
    ($($service:ident {$(
        $(#[$what:meta])* $kind:ident $method:ident($request:ty) -> $response:ty;
    )+})+) => {
        impl Client {$($(
            $(#[$what])*
            ///
            /// # Errors
            /// The server's error; `UNAVAILABLE` or `DEADLINE_EXCEEDED` if no answer came in
            /// time, after which a change may or may not have been recorded.
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
        $client.call(&CorrelationId::new(), $request, "", $send).await
    };
    (@change $client:ident, $request:ident, $send:ident) => {{
        let mut request = $request;
        let request_id = request.request_id.get_or_insert_with(random::id).clone();
        $client.call(&CorrelationId::new(), request, &request_id, $send).await
    }};
}

calls! {
    UserPoolServiceClient {
        /// Creates a user pool.
        change create_user_pool(CreateUserPoolRequest) -> CreateUserPoolResponse;
        /// Describes a user pool as it is now.
        read describe_user_pool(DescribeUserPoolRequest) -> DescribeUserPoolResponse;
        /// Changes the settings of a user pool.
        change update_user_pool(UpdateUserPoolRequest) -> UpdateUserPoolResponse;
        /// Deletes a user pool; its history remains.
        change delete_user_pool(DeleteUserPoolRequest) -> DeleteUserPoolResponse;
        /// Lists user pools, one page per call.
        read list_user_pools(ListUserPoolsRequest) -> ListUserPoolsResponse;
        /// Assigns a domain to a user pool.
        change create_user_pool_domain(CreateUserPoolDomainRequest)
            -> CreateUserPoolDomainResponse;
        /// Describes a domain and which user pool owns it.
        read describe_user_pool_domain(DescribeUserPoolDomainRequest)
            -> DescribeUserPoolDomainResponse;
        /// Removes a domain from its user pool.
        change delete_user_pool_domain(DeleteUserPoolDomainRequest)
            -> DeleteUserPoolDomainResponse;
        /// Lists domains with their user pools, one page per call.
        read list_user_pool_domains(ListUserPoolDomainsRequest) -> ListUserPoolDomainsResponse;
        /// Changes the settings of a domain.
        change update_user_pool_domain(UpdateUserPoolDomainRequest) -> UpdateUserPoolDomainResponse;
        /// Adds custom attributes to the schema of a user pool.
        change add_custom_attributes(AddCustomAttributesRequest) -> AddCustomAttributesResponse;
        /// Returns the MFA configuration of a user pool.
        read get_user_pool_mfa_config(GetUserPoolMfaConfigRequest) -> GetUserPoolMfaConfigResponse;
        /// Sets the MFA configuration of a user pool.
        change set_user_pool_mfa_config(SetUserPoolMfaConfigRequest) -> SetUserPoolMfaConfigResponse;
        /// Sets tags of a user pool, which is named by its ARN.
        change tag_resource(TagResourceRequest) -> TagResourceResponse;
        /// Removes tags from a user pool, which is named by its ARN.
        change untag_resource(UntagResourceRequest) -> UntagResourceResponse;
        /// Lists the tags of a user pool, which is named by its ARN.
        read list_tags_for_resource(ListTagsForResourceRequest) -> ListTagsForResourceResponse;
        /// Sets a user pool back to what it was at a revision, also after its deletion.
        change restore_user_pool(RestoreUserPoolRequest) -> RestoreUserPoolResponse;
    }
    UserPoolHistoryServiceClient {
        /// Lists recorded events, one page per call.
        read list_user_pool_events(ListUserPoolEventsRequest) -> ListUserPoolEventsResponse;
        /// Describes a user pool as it was at a revision or time.
        read replay_user_pool(ReplayUserPoolRequest) -> ReplayUserPoolResponse;
        /// Has the server verify its history.
        read verify_user_pool_history(VerifyUserPoolHistoryRequest)
            -> VerifyUserPoolHistoryResponse;
        /// Has the server sign the head of its log.
        read get_signed_checkpoint(GetSignedCheckpointRequest) -> GetSignedCheckpointResponse;
        /// Describes the log and the server.
        read describe_log(DescribeLogRequest) -> DescribeLogResponse;
        /// Returns the public key that verifies signed checkpoints.
        read get_checkpoint_key(GetCheckpointKeyRequest) -> GetCheckpointKeyResponse;
        /// Counts the events of each hour or day by their type, one page per call.
        read count_user_pool_events(CountUserPoolEventsRequest) -> CountUserPoolEventsResponse;
        /// Proves that an event is in the log.
        read get_inclusion_proof(GetInclusionProofRequest) -> GetInclusionProofResponse;
        /// Proves that the log of one size continues that of another.
        read get_consistency_proof(GetConsistencyProofRequest) -> GetConsistencyProofResponse;
    }
}
