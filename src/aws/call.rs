//! A call of an operation, in the extensions of the request that passes the call layer.

use bytes::Bytes;

use super::{api::AwsApi, operation::Operation};

/// A call of an operation.
#[derive(Clone)]
pub(super) struct OperationCall {
    pub(super) operation: &'static Operation,
    /// The version of the API that the answer is of.
    pub(super) api: AwsApi,
    pub(super) body: Bytes,
    /// The key that makes a retry safe.
    pub(super) request_id: Option<String>,
}
