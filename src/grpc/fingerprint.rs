//! What tells a retry from another request under its `request_id`.

use std::mem;

use prost::Message;
use sha2::{Digest as _, Sha256};

use crate::proto::{
    CreateUserPoolDomainRequest, CreateUserPoolRequest, DeleteUserPoolDomainRequest,
    DeleteUserPoolRequest, UpdateUserPoolRequest,
};

/// A request that changes something, and may be sent again under its `request_id`.
pub(super) trait Change: Message {
    /// The method that takes it.
    const METHOD: &str;

    /// What may differ in a retry: how the UUID in `request_id` is spelled, and
    /// whether the first one was only validated.
    fn varying(&mut self) -> (&mut Option<String>, &mut bool);
}

macro_rules! change {
    ($($request:ty, $method:literal;)*) => {$(
        impl Change for $request {
            const METHOD: &str = $method;

            fn varying(&mut self) -> (&mut Option<String>, &mut bool) {
                (&mut self.request_id, &mut self.validate_only)
            }
        }
    )*};
}

change! {
    CreateUserPoolRequest, "CreateUserPool";
    UpdateUserPoolRequest, "UpdateUserPool";
    DeleteUserPoolRequest, "DeleteUserPool";
    CreateUserPoolDomainRequest, "CreateUserPoolDomain";
    DeleteUserPoolDomainRequest, "DeleteUserPoolDomain";
}

/// SHA-256 of the method and of the request without what may differ. Equal messages
/// are equal bytes, because maps are sorted; see `build.rs`. Without a `request_id`
/// nothing is compared, and this is zeros.
pub(super) fn fingerprint<M: Change>(request: &mut M) -> [u8; 32] {
    let (request_id, validate_only) = request.varying();
    if request_id.is_none() {
        return [0; 32];
    }
    let kept = (request_id.take(), mem::take(validate_only));
    let encoded = request.encode_to_vec();
    let (request_id, validate_only) = request.varying();
    (*request_id, *validate_only) = kept;

    Sha256::new().chain_update(M::METHOD).chain_update([0]).chain_update(encoded).finalize().into()
}
