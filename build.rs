//! Compiles `proto/` with protox, so that a machine with cargo alone builds it.

use std::{env, error::Error, fs, path::PathBuf};

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

    // The JSON form of a message is found by its name.
    let mut config = prost_build::Config::new();
    config.enable_type_names();
    tonic_prost_build::configure()
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
