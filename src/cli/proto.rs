//! `userpool proto`: the schema of the API of this version, for code generators.

use std::{fs, path::PathBuf};

use clap::Args;

use super::{error::CliError, outcome::Outcome, output::print};

/// The files of the schema: the path, and the content.
const FILES: [(&str, &str); 7] = [
    ("userpool/v1/aws_since.proto", include_str!("../../proto/userpool/v1/aws_since.proto")),
    ("userpool/v1/error_reason.proto", include_str!("../../proto/userpool/v1/error_reason.proto")),
    ("userpool/v1/user_pool.proto", include_str!("../../proto/userpool/v1/user_pool.proto")),
    (
        "userpool/v1/user_pool_event.proto",
        include_str!("../../proto/userpool/v1/user_pool_event.proto"),
    ),
    (
        "userpool/v1/user_pool_history_service.proto",
        include_str!("../../proto/userpool/v1/user_pool_history_service.proto"),
    ),
    (
        "userpool/v1/user_pool_service.proto",
        include_str!("../../proto/userpool/v1/user_pool_service.proto"),
    ),
    ("buf.yaml", include_str!("../../proto/buf.yaml")),
];

#[derive(Debug, Args)]
#[command(
    after_help = "Example, generate a client in Python:\n  userpool proto proto\n  python3 -m \
                        grpc_tools.protoc -I proto --python_out . --grpc_python_out . \
                        proto/userpool/v1/*.proto"
)]
pub(super) struct ProtoCommand {
    /// Write the files below this directory, which is created if it is missing. Files of the same
    /// names are replaced.
    #[arg(value_name = "DIR", default_value = "proto")]
    directory: PathBuf,
}

impl ProtoCommand {
    pub(super) fn run(self) -> Result<Outcome, CliError> {
        for (name, content) in FILES {
            let path = self.directory.join(name);
            let directory = path.parent().unwrap_or(&self.directory);
            fs::create_dir_all(directory).map_err(|error| CliError::file(directory, &error))?;
            fs::write(&path, content).map_err(|error| CliError::file(&path, &error))?;
            print(&path.display().to_string())?;
        }
        Ok(Outcome::Success)
    }
}
