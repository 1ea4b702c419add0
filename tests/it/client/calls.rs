//! The client has a method for each call and knows which calls change something.

use std::{collections::BTreeMap, fs};

use prost::Message as _;
use prost_types::{FileDescriptorSet, MethodOptions, method_options::IdempotencyLevel};
use regex::Regex;
use userpool::proto::FILE_DESCRIPTOR_SET;

use crate::tools::repository;

#[test]
fn every_call_is_retried_as_the_schema_allows() {
    let source = fs::read_to_string(repository().join("src/client/calls.rs")).expect("a file");
    let row = Regex::new(r"(?m)^ {8}(read|change) \w+\((\w+)Request\)").expect("a pattern");
    let rows: BTreeMap<_, _> = row
        .captures_iter(&source)
        .map(|row| (row[2].to_owned(), if &row[1] == "read" { "reads" } else { "changes" }))
        .collect();

    let descriptors = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).expect("descriptors");
    let services = descriptors.file.iter().filter(|file| file.package() == "userpool.v1");
    let methods = services.flat_map(|file| &file.service).flat_map(|service| &service.method);
    let stated: BTreeMap<_, _> = methods
        .filter(|method| !method.server_streaming())
        .map(|method| {
            let level = method.options.as_ref().map(MethodOptions::idempotency_level);
            let reads = level == Some(IdempotencyLevel::NoSideEffects);
            (method.name().to_owned(), if reads { "reads" } else { "changes" })
        })
        .collect();
    assert_eq!(rows, stated);
}
