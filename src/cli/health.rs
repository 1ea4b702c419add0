//! `userpool health`: what probes ask, with TLS where the server wants it.

use clap::Args;

use super::{connection::Connection, error::CliError, outcome::Outcome, output::print};

#[derive(Debug, Args)]
#[command(after_help = "Exit code: 0 where it serves, 1 where it does not, 78 where no server \
                        answers.\n\nExample:\n  userpool health --timeout 3")]
pub(super) struct Health {
    /// The service to ask for, such as userpool.v1.UserPoolService. Absent: the whole server.
    #[arg(value_name = "SERVICE", default_value = "", hide_default_value = true)]
    service: String,
    #[command(flatten)]
    connection: Connection,
}

impl Health {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        let client = self.connection.connect().await?;
        let serves = client.is_serving(&self.service).await?;
        print(if serves { "SERVING" } else { "NOT_SERVING" })?;
        Ok(if serves { Outcome::Success } else { Outcome::Negative })
    }
}
