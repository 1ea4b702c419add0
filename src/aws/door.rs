//! The door: from an HTTP request to a call of an operation, and from its answer to an HTTP
//! response.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header::CONTENT_TYPE,
    request::Parts,
};
use serde::Deserialize;
use tokio::sync::watch;
use tonic::body::Body;
use tower::{Layer as _, Service as _};
use uuid::Uuid;

use crate::{
    app::Source,
    auth::{
        AccessKeyVerifier, BadSignature, Identity, Peer, SignedRequest, check_region,
        claimed_credential,
    },
    proto::ErrorReason,
    service::Error,
    telemetry::{
        WarnLimiter,
        metrics::{Metrics, RefusalReason},
    },
    transport::{Authenticated, BodyMemory, CallLayer, CallOrigin, CallService, Phase, Target},
};

use super::{
    AwsApi, Gate, Origin, answer, body,
    call::OperationCall,
    error::{ACCESS_DENIED, Class, Exception, OK, UNKNOWN_OPERATION, UNSUPPORTED_MEDIA_TYPE},
    headers::{self, ATTEMPT, CORRELATION_ID, INVOCATION_ID, TARGET},
    operation::{OTHER, Operation, operation_name},
    origins::{RequestOrigin, preflight},
    protocol::Refused,
    unsupported::is_unsupported,
};

/// The name of this door in access records and in the history.
const DOOR: &str = "aws-json";
/// How many characters of a target or an attempt are repeated.
const MAX_SHOWN_CHARS: usize = 128;

/// The settings of the door.
#[derive(Debug)]
pub struct DoorSettings {
    /// The region that signatures must be for.
    pub region: String,
    /// Verifies signatures; if `None`, they are not looked at.
    pub keys: Option<AccessKeyVerifier>,
    /// The web pages that may call.
    pub origins: Vec<Origin>,
    /// The version of the API to answer as.
    pub api: AwsApi,
}

/// The door. Clones share its state.
#[derive(Clone)]
pub struct Door {
    layer: CallLayer,
    calls: CallService<Gate>,
    shared: Arc<Shared>,
}

struct Shared {
    settings: DoorSettings,
    source: Arc<dyn Source>,
    phase: watch::Receiver<Phase>,
    metrics: Arc<Metrics>,
    /// Refusals beyond the rate limit are logged at debug.
    warnings: WarnLimiter,
}

/// A request that is ready for the call layer.
struct Prepared {
    /// The operation, as metrics and texts name it.
    operation: &'static str,
    request: Request<Body>,
}

impl Door {
    /// A door whose calls pass `layer` to `gate`.
    #[must_use]
    pub fn new(
        layer: &CallLayer,
        gate: Gate,
        settings: DoorSettings,
        source: Arc<dyn Source>,
        phase: watch::Receiver<Phase>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let warnings = WarnLimiter::default();
        let shared = Shared { settings, source, phase, metrics, warnings };
        let (layer, calls) = (layer.clone(), layer.layer(gate));
        Self { layer, calls, shared: Arc::new(shared) }
    }

    /// Answers a request, whose extensions have its [`Peer`].
    pub async fn answer(self, request: Request<Body>) -> Response<Body> {
        let Self { layer, calls, shared } = self;
        let origin = RequestOrigin::of(request.headers(), &shared.settings.origins);
        let mut response = match (&origin, request.method(), request.uri().path()) {
            (RequestOrigin::Refused, _, _) => shared.refuse_origin(),
            (RequestOrigin::Allowed(_), &Method::OPTIONS, _) => preflight(),
            (_, &Method::GET, "/health") => answer::health(*shared.phase.borrow()),
            (_, &Method::POST, "/") if request.uri().query().is_none() => {
                shared.call(request, &layer, calls).await
            }
            _ => answer::unknown_request(shared.new_id()),
        };
        origin.allow(&mut response);
        response
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("settings", &self.shared.settings).finish_non_exhaustive()
    }
}

impl Shared {
    async fn call(
        &self,
        request: Request<Body>,
        layer: &CallLayer,
        mut calls: CallService<Gate>,
    ) -> Response<Body> {
        let (parts, body) = request.into_parts();
        // Held until the call has used the body.
        let mut memory = layer.body_memory(parts.extensions.get::<Peer>());
        let body = body::read(body, |bytes| memory.grow(bytes), &self.phase).await;
        let Prepared { operation, request } = self.prepare(parts, body, &mut memory);
        let response = match calls.call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        self.render(response, operation)
    }

    /// Finds the operation and authenticates the caller. If either fails, the call layer
    /// refuses the call, so that it is logged and counted like every other one.
    fn prepare(
        &self,
        parts: Parts,
        body: Result<Bytes, Error>,
        memory: &mut BodyMemory,
    ) -> Prepared {
        let Parts { headers, extensions, method, .. } = parts;
        let target = headers.get(&TARGET).and_then(|target| target.to_str().ok());
        let api = self.settings.api;
        let known = target.and_then(Operation::of);
        let operation = known.filter(|operation| api.has(operation.since));
        let (access_key_id, authenticated) = match &body {
            Ok(body) => {
                let request = SignedRequest { method: &method, headers: &headers, body };
                self.authenticate(request, Peer::identity(&extensions))
            }
            Err(_) => (None, Ok(Identity::anonymous())),
        };
        let authenticated = authenticated.and_then(|identity| {
            memory.move_to(&identity, extensions.get::<Peer>()).map(|()| identity)
        });
        let known = operation.ok_or_else(|| match known {
            Some(later) => later_operation(later),
            None => unknown_operation(target),
        });
        let checked = check_content_type(&headers).and(known);
        let (checked, body) = match (body, checked) {
            (Ok(body), checked) => (checked, body),
            (Err(error), _) => (Err(error), Bytes::new()),
        };
        let authenticated = match (checked, authenticated) {
            // What the server cannot read is refused before who sent it.
            (Err(error), _) => Err(error),
            (Ok(_), authenticated) => authenticated,
        };

        let mut request = Request::new(Body::empty());
        *request.extensions_mut() = extensions;
        let extensions = request.extensions_mut();
        let name = operation.map_or(OTHER, |operation| operation.name);
        let attempt = headers.get(&ATTEMPT).and_then(|attempt| attempt.to_str().ok());
        extensions.insert(CallOrigin {
            door: DOOR,
            operation: name,
            attempt: attempt.map(|attempt| attempt.chars().take(MAX_SHOWN_CHARS).collect()),
            access_key_id,
            target: target_of(&body),
        });
        extensions.insert(Authenticated(authenticated));
        *request.uri_mut() = match operation {
            Some(operation) => {
                let request_id = request_id(&headers).filter(|_| operation.is_change);
                extensions.insert(OperationCall { operation, api, body, request_id });
                Uri::from_static(operation.path)
            }
            None => Uri::from_static("/unknown"),
        };
        *request.headers_mut() = headers;
        Prepared { operation: name, request }
    }

    /// The key that the caller shows, and its identity: that of the key if the server verifies
    /// signatures, or else that of the connection.
    fn authenticate(
        &self,
        request: SignedRequest<'_>,
        connection: Identity,
    ) -> (Option<String>, Result<Identity, Error>) {
        let claimed = claimed_credential(request.headers);
        let key_id = claimed.as_ref().ok().and_then(Option::as_ref).map(|(key, _)| key.clone());
        let result = match &self.settings.keys {
            Some(keys) => keys.verify(request, self.source.now()),
            None => claimed
                .and_then(|claimed| match claimed {
                    Some((_, region)) => check_region(&self.settings.region, &region),
                    None => Ok(()),
                })
                .map(|()| connection),
        };
        (key_id, result.map_err(|error| self.bad_signature(&error)))
    }

    fn bad_signature(&self, error: &BadSignature) -> Error {
        let (refusal, reason) = match error {
            BadSignature::Missing => {
                (RefusalReason::Unauthenticated, ErrorReason::CredentialsMissing)
            }
            BadSignature::Region { .. } => (RefusalReason::WrongRegion, ErrorReason::TokenRefused),
            BadSignature::Malformed(_)
            | BadSignature::BearerToken
            | BadSignature::Service
            | BadSignature::Day { .. }
            | BadSignature::Unsigned(_)
            | BadSignature::Expired { .. }
            | BadSignature::Early { .. }
            | BadSignature::UnknownKey
            | BadSignature::Mismatch => (RefusalReason::BadSignature, ErrorReason::TokenRefused),
        };
        self.metrics.refused.count(refusal);
        if self.warnings.allow() {
            tracing::warn!(cause = %error, "signature refused");
        } else {
            tracing::debug!(cause = %error, "signature refused");
        }
        Error::raised(reason, error.exception(), error.to_string())
    }

    /// Makes the response of the call layer AWS's.
    fn render(&self, mut response: Response<Body>, operation: &'static str) -> Response<Body> {
        let correlation_id = response.headers_mut().remove(&CORRELATION_ID);
        let is_id = |id: &HeaderValue| Uuid::try_parse_ascii(id.as_bytes()).is_ok();
        let aws_request_id = correlation_id.clone().filter(is_id).unwrap_or_else(|| {
            let aws_request_id = self.new_id();
            let correlation_id = correlation_id.as_ref().and_then(|id| id.to_str().ok());
            let shown = aws_request_id.to_str().ok();
            tracing::info!(
                correlation_id,
                aws_request_id = shown,
                "answered with another x-amzn-RequestId than the correlation ID"
            );
            aws_request_id
        });
        let Some(Refused(error)) = response.extensions_mut().remove() else {
            self.metrics.aws.count(operation, OK);
            answer::success(&mut response, aws_request_id);
            return response;
        };
        let exception = Exception::of(error, operation);
        self.metrics.aws.count(operation, exception.class.error_type);
        answer::exception(&exception, aws_request_id)
    }

    fn refuse_origin(&self) -> Response<Body> {
        self.metrics.refused.count(RefusalReason::Origin);
        if self.warnings.allow() {
            tracing::warn!("a web page was refused; allow its origin with --aws-allow-origin");
        } else {
            tracing::debug!("a web page was refused");
        }
        let message =
            "Web pages of this origin may not call this server (setting aws-allow-origin).";
        let class = Class { status: StatusCode::FORBIDDEN, error_type: ACCESS_DENIED };
        let exception = Exception { class, message: message.to_owned(), retry_delay: None };
        answer::exception(&exception, self.new_id())
    }

    fn new_id(&self) -> HeaderValue {
        let mut text = Uuid::encode_buffer();
        let id: &str = self.source.uuid().hyphenated().encode_lower(&mut text);
        // Digits and hyphens are always valid.
        HeaderValue::from_str(id).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

/// The idempotency key: the ID that an SDK gives all attempts of a call. It is not used
/// without the header that says that there can be several.
fn request_id(headers: &HeaderMap) -> Option<String> {
    headers.get(&ATTEMPT)?;
    let id = headers.get(&INVOCATION_ID)?.to_str().ok()?;
    Uuid::try_parse(id).ok().filter(|id| !id.is_nil()).map(|id| id.to_string())
}

/// The user pool and the domain that a request names, for the access record. None if the
/// request is not valid.
fn target_of(body: &[u8]) -> Target {
    #[derive(Default, Deserialize)]
    #[serde(default, rename_all = "PascalCase")]
    struct Named {
        user_pool_id: Option<String>,
        resource_arn: Option<String>,
        domain: Option<String>,
    }
    let named = serde_json::from_slice(body).unwrap_or_default();
    let Named { user_pool_id, resource_arn, domain } = named;
    let id_of = |arn: String| arn.rsplit('/').next().map(str::to_owned);
    let user_pool_id = user_pool_id.or_else(|| resource_arn.and_then(id_of));
    let shown = |name: String| name.chars().take(MAX_SHOWN_CHARS).collect();
    Target { user_pool_id: user_pool_id.map(shown), domain: domain.map(shown) }
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Error> {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let value = value.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let is_known = [headers::CONTENT_TYPE, "application/x-amz-json-1.0"]
        .iter()
        .any(|known| value.eq_ignore_ascii_case(known));
    if is_known {
        return Ok(());
    }
    let message = format!("The Content-Type must be {}.", headers::CONTENT_TYPE);
    Err(Error::raised(ErrorReason::InvalidRequest, UNSUPPORTED_MEDIA_TYPE, message))
}

fn later_operation(operation: &Operation) -> Error {
    let message = format!(
        "Amazon Cognito has the operation {} since {}, but this server answers as of 2017-12-11 \
         (setting aws-api).",
        operation.name,
        operation.since.unwrap_or_default()
    );
    Error::raised(ErrorReason::InvalidRequest, UNKNOWN_OPERATION, message)
}

fn unknown_operation(target: Option<&str>) -> Error {
    let shown = |name: &str| name.chars().take(MAX_SHOWN_CHARS).collect::<String>();
    let message = match target.map(|target| operation_name(target).ok_or(target)) {
        None => "The header X-Amz-Target, which names the operation, is missing.".to_owned(),
        Some(Ok(name)) if is_unsupported(name) => format!(
            "Amazon Cognito has the operation {name}, but this server does not: its \
             operations are those on user pools, their domains, tags, custom attributes and \
             multi-factor authentication."
        ),
        Some(Ok(target) | Err(target)) => format!(
            "{} is not an operation of Amazon Cognito user pools; the target must begin with \
             AWSCognitoIdentityProviderService.",
            shown(target)
        ),
    };
    Error::raised(ErrorReason::InvalidRequest, UNKNOWN_OPERATION, message)
}
