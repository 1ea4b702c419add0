//! `userpool health`: a probe, with TLS if the server requires it.

use clap::Args;

use super::{connection::ConnectionArgs, error::CliError, outcome::Outcome, output::print};

#[derive(Debug, Args)]
#[command(after_help = "Exit code: 0 if it is serving, 1 if it is not, 78 if no server \
                        answers.\n\nExample:\n  userpool health --timeout 3")]
pub(super) struct HealthCommand {
    /// Check this service, such as userpool.v1.UserPoolService. If omitted, the whole server.
    #[arg(value_name = "SERVICE", default_value = "", hide_default_value = true)]
    service: String,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl HealthCommand {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        let client = self.connection.connect().await?;
        let serves = client.is_serving(&self.service).await?;
        print(if serves { "SERVING" } else { "NOT_SERVING" })?;
        Ok(if serves { Outcome::Success } else { Outcome::Negative })
    }
}
