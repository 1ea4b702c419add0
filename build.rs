//! Compiles `proto/` with protox, so that a machine with cargo alone builds it.

use std::{env, error::Error, fs, path::PathBuf};

use prost_types::{FileDescriptorSet, field_descriptor_proto::Type};

const FILES: [&str; 5] = [
    "userpool/v1/error_reason.proto",
    "userpool/v1/user_pool.proto",
    "userpool/v1/user_pool_event.proto",
    "userpool/v1/user_pool_service.proto",
    "userpool/v1/user_pool_history_service.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_source_info(true).include_imports(true).open_files(FILES)?;

    // Served by reflection, and read by whatever walks a message by field name.
    let descriptors = PathBuf::from(env::var("OUT_DIR")?).join("userpool.bin");
    fs::write(descriptors, compiler.encode_file_descriptor_set())?;

    if has_feature("SERVER") {
        serve_stored_bytes(compiler.file_descriptor_set())?;
    }

    // The JSON form of a message is found by its name.
    let mut config = prost_build::Config::new();
    config.enable_type_names();
    tonic_prost_build::configure()
        .build_client(has_feature("CLIENT"))
        .build_server(has_feature("SERVER"))
        // Sorted maps: equal messages are equal bytes, which the log relies on.
        .btree_map(".")
        // A stored record is passed on, not copied.
        .bytes(".userpool.v1.UserPoolEvent.record")
        // A user pool is large; boxed, it does not make every event so.
        .boxed(".userpool.v1.UserPoolEvent.payload.user_pool_created")
        .boxed(".userpool.v1.UserPoolEvent.payload.user_pool_updated")
        .boxed(".userpool.v1.WatchUserPoolEventsResponse.content.event")
        .compile_fds_with_config(compiler.file_descriptor_set(), config)?;
    Ok(())
}

fn has_feature(name: &str) -> bool {
    env::var_os(format!("CARGO_FEATURE_{name}")).is_some()
}

/// Generates the servers with a second form of some messages, in which what is stored
/// is bytes: on the wire the two are the same. What is stored encoded is answered as
/// it is.
fn serve_stored_bytes(mut descriptors: FileDescriptorSet) -> Result<(), Box<dyn Error>> {
    const PACKAGE: &str = "userpool.v1";
    const STORED: [(&str, &str); 4] = [
        ("CreateUserPoolResponse", "user_pool"),
        ("DescribeUserPoolResponse", "user_pool"),
        ("UpdateUserPoolResponse", "user_pool"),
        ("WatchUserPoolEventsResponse", "event"),
    ];

    let mut config = prost_build::Config::new();
    for file in descriptors.file.iter_mut().filter(|file| file.package() == PACKAGE) {
        for name in file.enum_type.iter().map(prost_types::EnumDescriptorProto::name) {
            config.extern_path(format!(".{PACKAGE}.{name}"), format!("crate::proto::{name}"));
        }
        for message in &mut file.message_type {
            let name = message.name();
            if let Some((_, stored)) = STORED.iter().find(|(message, _)| *message == name) {
                for field in message.field.iter_mut().filter(|field| field.name() == *stored) {
                    field.set_type(Type::Bytes);
                    field.type_name = None;
                    // One of several is told apart from none anyhow.
                    field.proto3_optional = field.oneof_index.is_none().then_some(true);
                }
            } else {
                config.extern_path(format!(".{PACKAGE}.{name}"), format!("crate::proto::{name}"));
            }
        }
    }
    let directory = PathBuf::from(env::var("OUT_DIR")?).join("served");
    fs::create_dir_all(&directory)?;
    tonic_prost_build::configure()
        .build_client(false)
        .bytes(".")
        .out_dir(directory)
        .compile_fds_with_config(descriptors, config)?;
    Ok(())
}
