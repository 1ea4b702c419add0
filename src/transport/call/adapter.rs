//! What a protocol adapter tells the call layer about a call, in the extensions of its
//! request and of its response. An adapter that tells nothing speaks gRPC.

use tonic::Code;

use crate::{auth::Identity, service::Error};

use super::super::Target;

/// The origin of a call, in the extensions of its request.
#[derive(Debug, Clone)]
pub(crate) struct CallOrigin {
    /// The name of the protocol in the access record and in the history.
    pub(crate) door: &'static str,
    /// The operation, as the protocol names it.
    pub(crate) operation: &'static str,
    /// Which attempt of the client this is, as the client says.
    pub(crate) attempt: Option<String>,
    /// The ID of the access key in the signature.
    pub(crate) access_key_id: Option<String>,
    /// What the request names.
    pub(crate) target: Target,
}

/// The result of an authentication by the adapter, in the extensions of a request. With an
/// error, the call is refused.
#[derive(Debug, Clone)]
pub(crate) struct Authenticated(pub(crate) Result<Identity, Error>);

/// The final status of a call, in the extensions of a response that has no trailers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FinalStatus {
    /// The status in metrics and spans.
    pub(crate) code: Code,
    /// The status that the client gets.
    pub(crate) http_status: u16,
    /// The reason of an error.
    pub(crate) reason: Option<&'static str>,
    /// The type of the error that the client gets.
    pub(crate) error_type: Option<&'static str>,
}
