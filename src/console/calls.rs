//! The calls that pages are made from: those of the generated client, each with a deadline.

use std::{error::Error, fmt, time::Duration};

use futures_util::{FutureExt as _, future::BoxFuture};
use http::{
    Extensions, HeaderMap, Request, Response,
    header::{AUTHORIZATION, USER_AGENT},
    request::Parts,
};
use tokio::time;
use tonic::{Code, Status, Streaming, body::Body, metadata::MetadataMap};
use tower::{Service, ServiceExt as _, util::BoxCloneSyncService};

use crate::proto::{
    CountUserPoolEventsRequest, CountUserPoolEventsResponse, DescribeLogRequest,
    DescribeLogResponse, DescribeUserPoolDomainRequest, DescribeUserPoolDomainResponse,
    DescribeUserPoolRequest, DescribeUserPoolResponse, GetInclusionProofRequest,
    GetInclusionProofResponse, GetSignedCheckpointRequest, GetSignedCheckpointResponse,
    ListUserPoolDomainsRequest, ListUserPoolDomainsResponse, ListUserPoolEventsRequest,
    ListUserPoolEventsResponse, ListUserPoolsRequest, ListUserPoolsResponse, ReadDirection,
    ReplayUserPoolRequest, ReplayUserPoolResponse, UserPoolEvent, UserPoolEventFilter,
    WatchUserPoolEventsRequest, WatchUserPoolEventsResponse, replay_user_pool_request::AsOf,
    user_pool_history_service_client::UserPoolHistoryServiceClient,
    user_pool_service_client::UserPoolServiceClient, watch_user_pool_events_request::Start,
    watch_user_pool_events_response::Content,
};

/// How long a call may take. A page is there or is an error.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

type BoxError = Box<dyn Error + Send + Sync>;
type Gateway = BoxCloneSyncService<Request<Body>, Response<Body>, GatewayError>;

/// The service was not reached.
#[derive(Debug, thiserror::Error)]
#[error("the call did not reach the server")]
struct GatewayError(#[source] BoxError);

/// The clients of both services.
#[derive(Clone)]
pub(super) struct Calls {
    pools: UserPoolServiceClient<Gateway>,
    history: UserPoolHistoryServiceClient<Gateway>,
    /// What goes along with each call, so that the server knows who calls.
    metadata: MetadataMap,
    extensions: Extensions,
}

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calls").finish_non_exhaustive()
    }
}

/// The answer to a call. The future is boxed, because those of the generated clients are large.
type Called<A> = BoxFuture<'static, Result<A, Status>>;

/// Defines a method for each call.
macro_rules! calls {
    ($($client:ident {$($method:ident($request:ty) -> $response:ty;)+})+) => {
        impl Calls {$($(
            pub(super) fn $method(&self, request: $request) -> Called<$response> {
                let mut client = self.$client.clone();
                let request = self.with_deadline(request);
                in_time(async move {
                    client.$method(request).await.map(tonic::Response::into_inner)
                })
            }
        )+)+}
    };
}

calls! {
    pools {
        list_user_pools(ListUserPoolsRequest) -> ListUserPoolsResponse;
        describe_user_pool(DescribeUserPoolRequest) -> DescribeUserPoolResponse;
        list_user_pool_domains(ListUserPoolDomainsRequest) -> ListUserPoolDomainsResponse;
        describe_user_pool_domain(DescribeUserPoolDomainRequest) -> DescribeUserPoolDomainResponse;
    }
    history {
        count_user_pool_events(CountUserPoolEventsRequest) -> CountUserPoolEventsResponse;
        list_user_pool_events(ListUserPoolEventsRequest) -> ListUserPoolEventsResponse;
        replay_user_pool(ReplayUserPoolRequest) -> ReplayUserPoolResponse;
        describe_log(DescribeLogRequest) -> DescribeLogResponse;
        get_signed_checkpoint(GetSignedCheckpointRequest) -> GetSignedCheckpointResponse;
        get_inclusion_proof(GetInclusionProofRequest) -> GetInclusionProofResponse;
    }
}

impl Calls {
    /// Calls through any service of gRPC: a connection, or the server's own steps.
    pub(super) fn new<S, B>(service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let service = service
            .map_response(|response: Response<B>| response.map(Body::new))
            .map_err(|error| GatewayError(error.into()));
        let gateway = BoxCloneSyncService::new(service);
        Self {
            pools: UserPoolServiceClient::new(gateway.clone()),
            history: UserPoolHistoryServiceClient::new(gateway),
            metadata: MetadataMap::new(),
            extensions: Extensions::new(),
        }
    }

    /// The same calls with the connection, the token and the user agent of a browser.
    pub(super) fn on_behalf_of(&self, browser: &Parts) -> Self {
        let mut headers = HeaderMap::new();
        for name in [AUTHORIZATION, USER_AGENT] {
            for value in browser.headers.get_all(&name) {
                headers.append(name.clone(), value.clone());
            }
        }
        let (metadata, extensions) =
            (MetadataMap::from_headers(headers), browser.extensions.clone());
        Self { metadata, extensions, ..self.clone() }
    }

    fn request<Q>(&self, message: Q) -> tonic::Request<Q> {
        let (metadata, extensions) = (self.metadata.clone(), self.extensions.clone());
        tonic::Request::from_parts(metadata, extensions, message)
    }

    fn with_deadline<Q>(&self, message: Q) -> tonic::Request<Q> {
        let mut request = self.request(message);
        request.set_timeout(CALL_TIMEOUT);
        request
    }

    /// Watches the log. Only its beginning has a deadline.
    pub(super) fn watch(
        &self,
        request: WatchUserPoolEventsRequest,
    ) -> Called<Streaming<WatchUserPoolEventsResponse>> {
        let (mut client, request) = (self.history.clone(), self.request(request));
        in_time(async move {
            client.watch_user_pool_events(request).await.map(tonic::Response::into_inner)
        })
    }

    pub(super) fn pool(&self, id: &str) -> Called<DescribeUserPoolResponse> {
        self.describe_user_pool(DescribeUserPoolRequest {
            user_pool_id: Some(id.to_owned()),
            ..DescribeUserPoolRequest::default()
        })
    }

    pub(super) fn pool_at(&self, id: &str, as_of: Option<AsOf>) -> Called<ReplayUserPoolResponse> {
        self.replay_user_pool(ReplayUserPoolRequest {
            user_pool_id: Some(id.to_owned()),
            as_of,
            ..ReplayUserPoolRequest::default()
        })
    }

    /// A page of events, the newest first.
    pub(super) fn newest_events(
        &self,
        filter: UserPoolEventFilter,
        page_size: i32,
        page_token: &str,
    ) -> Called<ListUserPoolEventsResponse> {
        self.list_user_pool_events(ListUserPoolEventsRequest {
            filter: Some(filter),
            direction: ReadDirection::Backward.into(),
            page_size,
            page_token: page_token.to_owned(),
            ..ListUserPoolEventsRequest::default()
        })
    }

    /// The newest events up to a number. A page of the server ends earlier if its events are long.
    pub(super) async fn all_newest_events(
        &self,
        filter: UserPoolEventFilter,
        max: usize,
    ) -> Result<Vec<UserPoolEvent>, Status> {
        let (mut events, mut token) = (Vec::new(), String::new());
        loop {
            let missing = i32::try_from(max.saturating_sub(events.len())).unwrap_or(i32::MAX);
            let page = self.newest_events(filter.clone(), missing, &token).await?;
            events.extend(page.events);
            token = page.next_page_token;
            if token.is_empty() || events.len() >= max {
                return Ok(events);
            }
        }
    }

    /// The event at a position. `None` if the log does not have it.
    pub(super) fn event_at(&self, position: i64) -> Called<Option<UserPoolEvent>> {
        let request = WatchUserPoolEventsRequest {
            start: Some(Start::AfterPosition(position.saturating_sub(1))),
            checkpoint_interval_seconds: 1,
            ..WatchUserPoolEventsRequest::default()
        };
        let watch = self.watch(request);
        in_time(async move {
            if position < 1 {
                return Ok(None);
            }
            let mut messages = match watch.await {
                Err(status) if status.code() == Code::OutOfRange => return Ok(None),
                messages => messages?,
            };
            Ok(match messages.message().await?.and_then(|message| message.content) {
                Some(Content::Event(event)) => Some(*event),
                Some(Content::Checkpoint(_)) | None => None,
            })
        })
    }
}

fn in_time<A>(call: impl Future<Output = Result<A, Status>> + Send + 'static) -> Called<A> {
    let timed = async {
        time::timeout(CALL_TIMEOUT, call).await.unwrap_or_else(|_| {
            Err(Status::deadline_exceeded(format!("no answer within {CALL_TIMEOUT:?}")))
        })
    };
    timed.boxed()
}
