//! Compiles `proto/` with protox, so that the build needs no other tool than cargo.

use std::{env, error::Error, fs, path::PathBuf};

use prost_types::{FileDescriptorSet, field_descriptor_proto::Type};

const FILES: [&str; 6] = [
    "userpool/v1/aws_since.proto",
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

    // For reflection, and for code that finds fields by name.
    let descriptors = PathBuf::from(env::var("OUT_DIR")?).join("userpool.bin");
    fs::write(descriptors, compiler.encode_file_descriptor_set())?;

    if has_feature("SERVER") {
        generate_servers(compiler.file_descriptor_set())?;
    }

    // The JSON form of a message is looked up by its type name.
    let mut config = prost_build::Config::new();
    config.enable_type_names();
    tonic_prost_build::configure()
        .build_client(has_feature("CLIENT"))
        .build_server(has_feature("SERVER"))
        // Sorted maps: equal messages have equal bytes, which the log relies on.
        .btree_map(".")
        // Avoids copying stored records.
        .bytes(".userpool.v1.UserPoolEvent.record")
        // A user pool is large; boxing it keeps other events small.
        .boxed(".userpool.v1.UserPoolEvent.payload.user_pool_created")
        .boxed(".userpool.v1.UserPoolEvent.payload.user_pool_updated")
        .boxed(".userpool.v1.UserPoolEvent.payload.user_pool_mfa_config_set")
        .boxed(".userpool.v1.UserPoolEvent.payload.user_pool_restored")
        .boxed(".userpool.v1.WatchUserPoolEventsResponse.content.event")
        .compile_fds_with_config(compiler.file_descriptor_set(), config)?;
    Ok(())
}

fn has_feature(name: &str) -> bool {
    env::var_os(format!("CARGO_FEATURE_{name}")).is_some()
}

/// Generates the servers with a second form of some messages, in which a stored message
/// is a field of type `bytes`. The two forms are equal on the wire, so that stored bytes
/// are sent without decoding them.
fn generate_servers(mut descriptors: FileDescriptorSet) -> Result<(), Box<dyn Error>> {
    const PACKAGE: &str = "userpool.v1";
    const STORED_FIELDS: [(&str, &str); 4] = [
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
            if let Some((_, stored)) = STORED_FIELDS.iter().find(|(message, _)| *message == name) {
                for field in message.field.iter_mut().filter(|field| field.name() == *stored) {
                    field.set_type(Type::Bytes);
                    field.type_name = None;
                    // A member of a oneof has presence already.
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
