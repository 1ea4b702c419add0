//! `userpool log init`: creating a log in a database.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::{audit::checkpoint::Signer, event_log::create_log};

use super::{
    database::DatabaseArgs,
    error::CliError,
    outcome::Outcome,
    output::{print, print_note},
    serve::region,
};

#[derive(Debug, Args)]
#[command(
    after_help = "Run it as the role that owns the database. The server should be another role; the \
                  statements that are printed allow it to read and insert records, and not to change \
                  or delete them.\n\nExample:\n  userpool log init --log-url \
                  postgres://owner@127.0.0.1/userpool --signing-key signing_key.pem | psql userpool"
)]
pub(super) struct InitCommand {
    /// Use this prefix for user pool IDs.
    #[arg(long, env = "USERPOOL_REGION", default_value = "us-east-1", value_parser = region)]
    region: String,
    /// Sign checkpoints with this key, which is created if it does not exist. Every server of the
    /// log needs the same file.
    #[arg(long, env = "USERPOOL_SIGNING_KEY", value_name = "FILE", value_hint = ValueHint::FilePath)]
    signing_key: PathBuf,
    /// Print the rights of this role.
    #[arg(long, value_name = "ROLE", default_value = "userpool")]
    role: String,
    // Last, because its heading applies to every flag after it.
    #[command(flatten)]
    database: DatabaseArgs,
}

impl InitCommand {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        let Self { region, signing_key, role, database } = self;
        let settings = database.required()?;
        settings.check().map_err(CliError::other)?;
        let key = Signer::open_key(&signing_key).map_err(CliError::other)?.public_key();
        let created = create_log(&settings, &region, &key, &role).await;
        let (grants, is_new) = created.map_err(CliError::other)?;
        let name = &settings.name;
        print_note(&if is_new {
            format!("created the log {name} with region {region}; grant these rights:")
        } else {
            format!("the log {name} exists with this region and key; these are the rights:")
        });
        print(&grants)?;
        Ok(Outcome::Success)
    }
}
