//! `userpool tiles`: the Merkle tree of a server as files, for public tools and mirrors.

use std::{
    fs, mem,
    path::{Path, PathBuf},
};

use clap::{Args, ValueHint};

use crate::{
    audit::{
        LogCheckpoint, LogKey, Mismatch, Note, PublicKey, TileFile, TileFiles, Trust,
        TrustedCheckpoint, TrustedCheckpoints,
    },
    event_log::Record,
    fs::{parent_directory, read_optional, write_atomic},
    proto::SignedCheckpoint,
    telemetry::error_chain,
};

use super::{
    connection::ConnectionArgs,
    error::CliError,
    os_argument,
    outcome::Outcome,
    output::{print, print_note},
    remote_verification::copy_history,
};

/// The file with the signed note, which alone is ever replaced.
const CHECKPOINT: &str = "checkpoint";

#[derive(Debug, Args)]
#[command(
    after_help = "Exit code: 0 if the files are complete, 1 if they are not, or if the history is \
                  invalid or does not continue that of the directory.\n\nExample:\n  userpool tiles \
                  /srv/www/userpool"
)]
pub(super) struct TilesCommand {
    /// Write to this directory, which is created if it does not exist. Files of an earlier run are
    /// kept, and must be of the same log.
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    directory: PathBuf,
    /// Write the records as well. Unlike the hashes, they show the configuration of all user pools
    /// and who changed it, to everyone who can read the directory.
    #[arg(long)]
    entries: bool,
    /// Require that the checkpoint is signed with this public key: 64 hexadecimal digits,
    /// NAME+HASH+KEY, or a file with one of them or in PEM. If omitted, the key of the checkpoint in
    /// the directory is required.
    #[arg(long, value_name = "KEY", value_parser = os_argument::log_key(), value_hint = ValueHint::FilePath)]
    key: Option<LogKey>,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl TilesCommand {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        let old = read_checkpoint(&self.directory)?;
        let trusted = old.iter().map(|note| trusted_checkpoint(&self.directory, note));
        let trusted = TrustedCheckpoints(trusted.collect::<Result<_, _>>()?);
        let trust = Trust::new(vec![trusted], self.key.as_ref()).map_err(CliError::other)?;
        let client = self.connection.connect().await?;
        let mut mirror = Mirror {
            directory: &self.directory,
            files: TileFiles::new(self.entries),
            new: 0,
            replaced: Vec::new(),
        };
        let signed = match copy_history(&client, &trust, &mut |record| mirror.push(record)).await? {
            Ok(signed) => signed,
            Err(Mismatch { position, cause }) if cause.is_of_key() => {
                print(&format!("INVALID: {}", error_chain(&cause)))?;
                print(&format!("valid up to position {position}"))?;
                return Ok(Outcome::Negative);
            }
            Err(mismatch) => {
                print(&format!("INVALID at {}", error_chain(&mismatch)))?;
                return Ok(Outcome::Negative);
            }
        };
        check_key(&signed, old.as_ref(), self.key.as_ref())?;
        let oversized = mirror.files.oversized().to_vec();
        let new = mirror.finish(&signed)?;
        let (count, directory) = (signed.position, self.directory.display());
        let files = if new == 1 { "file" } else { "files" };
        print_note(&format!("{directory} has the tree of {count} events; wrote {new} {files}"));
        for position in oversized {
            print_note(&format!(
                "the record at position {position} is larger than the 65,535 bytes that a bundle \
                 can have of one, so its bundle is left out; \"userpool log export\" has it"
            ));
        }
        Ok(Outcome::Success)
    }
}

/// A directory that the files are written to.
struct Mirror<'a> {
    directory: &'a Path,
    files: TileFiles,
    /// How many files were written.
    new: u64,
    /// The directories of partial tiles that are full now.
    replaced: Vec<PathBuf>,
}

impl Mirror<'_> {
    fn push(&mut self, record: &Record) -> Result<(), CliError> {
        for file in self.files.push(&record.stored) {
            self.write(&file)?;
            let partial = self.directory.join(&file.path).with_added_extension("p");
            if partial.is_dir() {
                self.replaced.push(partial);
            }
        }
        Ok(())
    }

    /// Writes a file, unless it is there.
    fn write(&mut self, TileFile { path, contents }: &TileFile) -> Result<(), CliError> {
        let path = self.directory.join(path);
        let failed = |error| CliError::file(&path, &error);
        match read_optional(&path).map_err(failed)? {
            Some(found) if found == *contents => return Ok(()),
            Some(_) => {
                return Err(CliError::message(format!(
                    "{} has other contents: the history was rewritten, or the directory is that of \
                     another log or damaged; nothing in it was replaced",
                    path.display()
                )));
            }
            None => (),
        }
        fs::create_dir_all(parent_directory(&path)).map_err(failed)?;
        write_atomic(&path, contents, 0o644).map_err(failed)?;
        self.new = self.new.saturating_add(1);
        Ok(())
    }

    /// Writes the tiles that are not full, and then the checkpoint. Returns how many files are
    /// new.
    fn finish(mut self, signed: &SignedCheckpoint) -> Result<u64, CliError> {
        for file in mem::take(&mut self.files).finish() {
            self.write(&file)?;
        }
        let path = self.directory.join(CHECKPOINT);
        fs::create_dir_all(self.directory).map_err(|error| CliError::file(&path, &error))?;
        write_atomic(&path, signed.note.as_bytes(), 0o644)
            .map_err(|error| CliError::file(&path, &error))?;
        for partial in self.replaced {
            fs::remove_dir_all(&partial).map_err(|error| CliError::file(&partial, &error))?;
        }
        Ok(self.new)
    }
}

/// The checkpoint of an earlier run, if there is one.
fn read_checkpoint(directory: &Path) -> Result<Option<Note>, CliError> {
    let path = directory.join(CHECKPOINT);
    let text = read_optional(&path).map_err(|error| CliError::file(&path, &error))?;
    let parse = |text: Vec<u8>| {
        Note::parse(&String::from_utf8_lossy(&text))
            .map_err(|error| CliError::in_file(&path, &error))
    };
    text.map(parse).transpose()
}

/// What the checkpoint of an earlier run states, which the history must continue.
fn trusted_checkpoint(directory: &Path, note: &Note) -> Result<TrustedCheckpoint, CliError> {
    let stated = LogCheckpoint::from_note(note).ok_or_else(|| {
        let path = directory.join(CHECKPOINT);
        CliError::message(format!("{}: not a checkpoint of a server", path.display()))
    })?;
    // Its signature is compared with that of the new one.
    Ok(TrustedCheckpoint { stated, note: None })
}

/// Checks that the new checkpoint has the given key, and the old one the same key as the new.
fn check_key(
    signed: &SignedCheckpoint,
    old: Option<&Note>,
    given: Option<&LogKey>,
) -> Result<(), CliError> {
    let note = Note::parse(&signed.note).map_err(CliError::other)?;
    if let Some(given) = given {
        given.verify(&note).map_err(CliError::other)?;
    }
    if let Some(old) = old {
        let key = signed.public_key.as_slice().try_into().unwrap_or_default();
        let name = note.text.lines().next().map(str::to_owned);
        // An empty log has no name yet.
        let name = name.filter(|_| !old.text.starts_with("userpool/empty\n"));
        LogKey { name, key: PublicKey(key) }.verify(old).map_err(CliError::other)?;
    }
    Ok(())
}
