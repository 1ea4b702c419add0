//! The cost of checking a request: one with every member and 50 attributes, and one
//! with only a name. The baseline is encoding the same message, the least that any
//! service does with it.

#![expect(clippy::expect_used, reason = "a bench stops at its first error")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use prost::Message as _;
use prost_reflect::DynamicMessage;
use userpool::{
    proto::{
        CreateUserPoolRequest, DESCRIPTORS, SchemaAttribute, StringAttributeConstraints,
        attribute_data_type,
    },
    user_pool::{CheckedCommand, Limits},
};

fn full() -> CreateUserPoolRequest {
    let json = include_str!("../tests/it/data/create-user-pool-full.json");
    let descriptor = DESCRIPTORS.get_message_by_name("userpool.v1.CreateUserPoolRequest");
    let descriptor = descriptor.expect("the message");
    let mut json = serde_json::Deserializer::from_str(json);
    let message = DynamicMessage::deserialize(descriptor, &mut json).expect("a request");
    let mut request: CreateUserPoolRequest = message.transcode_to().expect("a request");
    for number in request.schema.len()..50 {
        request.schema.push(SchemaAttribute {
            name: Some(format!("attribute-{number}")),
            attribute_data_type: Some(attribute_data_type::Value::String.into()),
            string_attribute_constraints: Some(StringAttributeConstraints::default()),
            ..Default::default()
        });
    }
    request
}

fn check(criterion: &mut Criterion) {
    let limits = Limits::default();
    let name = CreateUserPoolRequest { pool_name: Some("people".to_owned()), ..Default::default() };
    for (what, request) in [("a name alone", name), ("64 members, 50 attributes", full())] {
        let mut group = criterion.benchmark_group(what);
        group.bench_function("encode (baseline)", |bencher| {
            bencher.iter(|| black_box(&request).encode_to_vec());
        });
        group.bench_function("check", |bencher| {
            let check =
                |request| CheckedCommand::create_user_pool(request, &limits).expect("legal");
            bencher.iter_batched(|| request.clone(), check, BatchSize::SmallInput);
        });
        group.finish();
    }
}

criterion_group!(benches, check);
criterion_main!(benches);
