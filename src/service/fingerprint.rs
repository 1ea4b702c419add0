//! The fingerprint that distinguishes a retry from a different request with the same
//! `request_id`.

use std::mem;

use prost::Message;
use sha2::{Digest as _, Sha256};

use crate::{
    proto::{
        AddCustomAttributesRequest, CreateUserPoolDomainRequest, CreateUserPoolRequest,
        DeleteUserPoolDomainRequest, DeleteUserPoolRequest, RestoreUserPoolRequest,
        SetUserPoolMfaConfigRequest, TagResourceRequest, UntagResourceRequest,
        UpdateUserPoolDomainRequest, UpdateUserPoolRequest,
    },
    user_pool::canonical_mask,
};

/// A request that changes a user pool, and may be retried under its `request_id`.
pub(super) trait Mutation: Message {
    /// The name of its operation.
    const METHOD: &str;

    /// The fields in which a retry may differ from the first request: `request_id`, a
    /// UUID with several spellings, and `validate_only`.
    fn retry_fields(&mut self) -> (&mut Option<String>, &mut bool);

    /// The update mask, in which a retry may order the paths differently.
    fn update_mask(&mut self) -> Option<&mut Vec<String>> {
        None
    }
}

macro_rules! mutation {
    ($($request:ty, $method:literal $(, $mask:ident)?;)*) => {$(
        impl Mutation for $request {
            const METHOD: &str = $method;

            fn retry_fields(&mut self) -> (&mut Option<String>, &mut bool) {
                (&mut self.request_id, &mut self.validate_only)
            }

            $(fn update_mask(&mut self) -> Option<&mut Vec<String>> {
                Some(&mut self.$mask)
            })?
        }
    )*};
}

mutation! {
    CreateUserPoolRequest, "CreateUserPool";
    UpdateUserPoolRequest, "UpdateUserPool", update_mask;
    DeleteUserPoolRequest, "DeleteUserPool";
    CreateUserPoolDomainRequest, "CreateUserPoolDomain";
    UpdateUserPoolDomainRequest, "UpdateUserPoolDomain";
    DeleteUserPoolDomainRequest, "DeleteUserPoolDomain";
    AddCustomAttributesRequest, "AddCustomAttributes";
    SetUserPoolMfaConfigRequest, "SetUserPoolMfaConfig";
    TagResourceRequest, "TagResource";
    UntagResourceRequest, "UntagResource";
    RestoreUserPoolRequest, "RestoreUserPool";
}

/// SHA-256 of the operation's name and of the request without its retry fields, and with its
/// update mask in canonical form. Equal messages have equal bytes because maps are sorted (see `build.rs`). A request without
/// a `request_id` is never compared, so its fingerprint is zeros.
pub(super) fn fingerprint<M: Mutation>(request: &mut M) -> [u8; 32] {
    let (request_id, validate_only) = request.retry_fields();
    if request_id.is_none() {
        return [0; 32];
    }
    let taken = (request_id.take(), mem::take(validate_only));
    let mask = request.update_mask().map(|mask| {
        let canonical = canonical_mask(mask.clone());
        mem::replace(mask, canonical)
    });
    let encoded = request.encode_to_vec();
    if let (Some(mask), Some(given)) = (request.update_mask(), mask) {
        *mask = given;
    }
    let (request_id, validate_only) = request.retry_fields();
    (*request_id, *validate_only) = taken;

    Sha256::new().chain_update(M::METHOD).chain_update([0]).chain_update(encoded).finalize().into()
}
