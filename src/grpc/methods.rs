//! Every served method, read from the descriptors.

use prost_reflect::{DescriptorPool, MethodDescriptor};

use crate::{proto::DESCRIPTORS, telemetry::metrics::Method};

/// The methods of this service, of health and of reflection.
#[must_use]
pub fn methods() -> Vec<Method> {
    let tools = [
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
    ];
    // These descriptors are compiled into tonic, so they are always valid.
    let tools = tools.iter().filter_map(|bytes| DescriptorPool::decode(*bytes).ok());
    let pools = std::iter::once(DESCRIPTORS.clone()).chain(tools);
    pools.flat_map(|pool| methods_in(&pool)).collect()
}

fn methods_in(pool: &DescriptorPool) -> Vec<Method> {
    pool.services()
        .flat_map(|service| service.methods().map(|found| method(&found)).collect::<Vec<_>>())
        .collect()
}

fn method(descriptor: &MethodDescriptor) -> Method {
    let streaming = (descriptor.is_client_streaming(), descriptor.is_server_streaming());
    let kind = match streaming {
        (false, false) => "unary",
        (true, false) => "client_stream",
        (false, true) => "server_stream",
        (true, true) => "bidi_stream",
    };
    let service = descriptor.parent_service().full_name().to_owned();
    Method { service, name: descriptor.name().to_owned(), kind }
}
