//! `userpool verify`: verifying the history of a server, or exports, without trusting them.

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};

use crate::audit::{FileKind, Trust, TrustedCheckpoints};

use super::{
    audit_file::AuditFile,
    connection::ConnectionArgs,
    error::CliError,
    file_verification::verify_exports,
    os_argument::{self, LogKeyArgs, QuorumArgs},
    outcome::Outcome,
    output::TableOutputArgs,
    proof_verification::verify_proofs,
    remote_verification::verify_history,
};

/// Why witnesses are not required of an export or a server alone.
const NOTHING_COSIGNED: &str = "--witness requires cosignatures, which a proof or a checkpoint has; name \
                                the file of a proof, or a checkpoint with --checkpoint";

#[derive(Debug, Args)]
#[command(
    after_help = "Exit code: 0 if the history is valid, 1 if it is not, 2 if the command line or a \
                  given checkpoint is wrong, or a file is of another kind.\n\nExamples:\n  userpool \
                  checkpoint > monday.json\n  userpool verify --checkpoint monday.json\n  userpool \
                  verify --checkpoint monday.json november.jsonl.gz december.jsonl.gz\n  userpool verify \
                  event.tlog-proof --key key.pem --witness KEY1,KEY2,KEY3 --quorum 2"
)]
pub(super) struct VerifyCommand {
    /// Verify this file instead of a server: a proof, which requires --key or --checkpoint, or an
    /// export; "-" is standard input. It may be compressed with gzip or Zstandard. Several exports must be
    /// consecutive, in the order of the log. If omitted, the history of the server.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    files: Vec<PathBuf>,
    /// Compare the log with a trusted checkpoint, to prove that nothing before it was changed: a
    /// file with the output of "userpool checkpoint" (JSON or a signed note), the checkpoints.jsonl
    /// of a data directory, or POSITION:HASH with the hash in hexadecimal or base64. Can be repeated.
    /// If omitted, the log is checked only against itself. A proof must end in one of them.
    #[arg(long, value_name = "CHECKPOINT", value_parser = os_argument::checkpoints(), value_hint = ValueHint::FilePath)]
    checkpoint: Vec<TrustedCheckpoints>,
    #[command(flatten)]
    key: LogKeyArgs,
    #[command(flatten)]
    quorum: QuorumArgs,
    #[command(flatten)]
    output: TableOutputArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl VerifyCommand {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        let format = self.output.format();
        let quorum = self.quorum.quorum()?;
        let (mut exports, mut proofs, count) = (Vec::new(), None, self.files.len());
        for file in self.files {
            match AuditFile::open(&file)? {
                AuditFile::Export(export) => exports.push((file, export)),
                AuditFile::Proofs(_) if count > 1 => {
                    return Err(CliError::argument(format!(
                        "{} is a proof, not an export; verify each proof alone",
                        file.display()
                    )));
                }
                AuditFile::Proofs(found) => proofs = Some(found),
                AuditFile::Other(kind) => return Err(not_verified(&file, kind)),
            }
        }
        // A proof has the cosignatures itself.
        let of_checkpoints = quorum.as_ref().filter(|_| proofs.is_none());
        if of_checkpoints.is_some() && self.checkpoint.is_empty() {
            return Err(CliError::argument(NOTHING_COSIGNED));
        }
        let trust = Trust::with_quorum(self.checkpoint, self.key.key.as_ref(), of_checkpoints);
        let trust = trust.map_err(CliError::argument)?;
        if let Some(proofs) = proofs {
            return verify_proofs(&proofs, self.key.key, &trust, quorum.as_ref(), format);
        }
        let report = if exports.is_empty() {
            let client = self.connection.connect().await?;
            verify_history(&client, &trust).await?
        } else {
            verify_exports(exports, &trust)?
        };
        report.print(format)?;
        Ok(if report.is_valid() { Outcome::Success } else { Outcome::Negative })
    }
}

/// Why a file is not verified, and what to do with it.
fn not_verified(file: &Path, kind: FileKind) -> CliError {
    let remedy = match kind {
        FileKind::Csv => "so nothing of it can be verified: export again without -o csv",
        FileKind::Checkpoint | FileKind::Note => "name it with --checkpoint",
        FileKind::PublicKey => "name it with --key",
        FileKind::PrivateKey => "name the public key with --key: \"userpool key\" prints it",
        FileKind::Proof | FileKind::Export => "verify it alone",
    };
    CliError::argument(format!("{} is {kind}; {remedy}", file.display()))
}
