//! `userpool witness`: a witness, until a signal stops it.

use std::{path::PathBuf, sync::Arc};

use clap::{Args, ValueHint};

use crate::{
    app::Source,
    audit::{CheckpointWitness, NoteError, NoteKey, SignatureKind, WitnessName},
    server::WitnessServer,
    telemetry::logging,
    transport::Endpoint,
};

use super::{
    error::CliError, os_argument, outcome::Outcome, output::print, stop_signals::StopSignals,
};

#[derive(Debug, Args)]
#[command(
    after_help = "Example, with the key that \"userpool checkpoint --verifier-key\" prints:\n  userpool \
                  witness --name witness.example --data-dir ./witness --log userpool/252b…+3f1c02aa+AZ…"
)]
pub(super) struct WitnessCommand {
    /// Listen on this address for HTTP without TLS: HOST:PORT (port 0 picks a free one) or
    /// unix:PATH. What is sent is not confidential, and is signed; for https, put a proxy before it.
    #[arg(long, value_name = "ENDPOINT", default_value = "127.0.0.1:50052", value_parser = os_argument::endpoint())]
    listen: Endpoint,
    /// Keep the key, and the last checkpoint of each log, in this directory, which is created if it
    /// does not exist. Without them, the witness could cosign another history.
    #[arg(long, value_name = "DIR", default_value = "./witness", value_hint = ValueHint::DirPath)]
    data_dir: PathBuf,
    /// Use this name in cosignatures, such as witness.example: without spaces and plus signs, and
    /// never changed: it does not start under another name in the same directory.
    #[arg(long, value_name = "NAME")]
    name: WitnessName,
    /// Cosign the checkpoints of this log: NAME+HASH+KEY, obtained from its operator. Can be
    /// repeated.
    #[arg(long, value_name = "KEY", required = true, value_parser = log_key)]
    log: Vec<NoteKey>,
    /// Write the process log, which goes to stderr, in this format.
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    log_format: logging::Format,
}

impl WitnessCommand {
    pub(super) async fn run(self, source: Arc<dyn Source>) -> Result<Outcome, CliError> {
        let _log = logging::start(self.log_format, "info")?;
        let stops = StopSignals::listen()?;
        let witness = CheckpointWitness::open(&self.data_dir, self.name, self.log);
        let witness = witness.map_err(CliError::other)?;
        let key = witness.key();
        let server = WitnessServer::start(&self.listen, witness, source).await;
        let server = server.map_err(CliError::other)?;
        print(&format!("userpool witness listening on {}", server.endpoint()))?;
        print(&format!("key {key}"))?;
        stops.first().await;
        Ok(Outcome::Success)
    }
}

fn log_key(text: &str) -> Result<NoteKey, NoteError> {
    let key: NoteKey = text.parse()?;
    if key.kind() == SignatureKind::Log { Ok(key) } else { Err(NoteError::KeyOfWitness) }
}
