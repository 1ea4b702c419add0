//! The file of contexts: named servers, and how to reach them. It names the files of secrets,
//! but has no secret itself.

mod defaults;

use std::{
    collections::BTreeMap,
    env, fmt,
    fs::{self, DirBuilder, File},
    io,
    num::NonZeroU64,
    ops::Not,
    os::unix::fs::DirBuilderExt as _,
    path::{self, Path, PathBuf},
    str::FromStr,
};

use clap::{Args, ValueHint};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::{
    client::Endpoint,
    fs::{parent_directory, public_mode, read_optional, write_atomic},
};

pub(super) use self::defaults::{Applied, apply, file_remedy};
use super::{error::CliError, os_argument};

/// The name of the file below the directory of the user's settings.
const FILE: &str = "userpool/contexts.toml";

const HEADING: &str = "# Written by \"userpool context\", which does not keep comments.\n";

/// The mode bit with which every user can write a file.
const WORLD_WRITABLE: u32 = 0o002;

/// The contexts of the user.
#[derive(Debug)]
pub(super) struct Contexts {
    /// `None` if the environment names no home directory.
    path: Option<PathBuf>,
    document: Document,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    /// The context of commands that name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<ContextName>,
    #[serde(default)]
    contexts: BTreeMap<ContextName, Context>,
}

/// The name of a context: letters, digits, dots, hyphens and underscores.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct ContextName(String);

/// A server, and how to reach it.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[command(next_help_heading = "Connection")]
pub(super) struct Context {
    /// Connect to the server at this address: HOST:PORT or unix:PATH.
    #[arg(long, value_name = "ENDPOINT", value_parser = os_argument::endpoint())]
    #[serde(serialize_with = "write_endpoint", deserialize_with = "read_endpoint")]
    pub(super) endpoint: Endpoint,
    /// Wait at most this many seconds for the connection, and for each answer.
    #[arg(long, value_name = "SECONDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<NonZeroU64>,
    /// Connect with TLS and trust the authorities that the system trusts.
    #[arg(long)]
    #[serde(default, skip_serializing_if = "Not::not")]
    tls: bool,
    /// Connect with TLS and trust only the authorities in this PEM file.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    #[serde(skip_serializing_if = "Option::is_none")]
    ca: Option<PathBuf>,
    /// Connect with TLS and present the certificate in this PEM file.
    #[arg(long, value_name = "FILE", requires = "cert_key", value_hint = ValueHint::FilePath)]
    #[serde(skip_serializing_if = "Option::is_none")]
    cert: Option<PathBuf>,
    /// Read the private key of --cert from this PEM file.
    #[arg(long, value_name = "FILE", requires = "cert", value_hint = ValueHint::FilePath)]
    #[serde(skip_serializing_if = "Option::is_none")]
    cert_key: Option<PathBuf>,
    /// Connect with TLS and require this name in the server's certificate.
    #[arg(long, value_name = "NAME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    server_name: Option<String>,
    /// Send the bearer token in this file with each call.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    #[serde(skip_serializing_if = "Option::is_none")]
    token_file: Option<PathBuf>,
}

impl Contexts {
    /// Reads the file, if there is one.
    ///
    /// # Errors
    /// The file cannot be read, is not valid, or every user can change it.
    pub(super) fn load() -> Result<Self, CliError> {
        let Some(path) = default_path() else {
            return Ok(Self { path: None, document: Document::default() });
        };
        let bytes = read_optional(&path).map_err(|error| CliError::file(&path, &error))?;
        let document = match bytes {
            Some(bytes) => parse(&path, bytes)?,
            None => Document::default(),
        };
        Ok(Self { path: Some(path), document })
    }

    /// Makes other commands wait that change the file, until the result is dropped. `None` if there
    /// is no place for the file.
    ///
    /// # Errors
    /// The directory cannot be created or locked.
    pub(super) fn lock() -> Result<Option<File>, CliError> {
        let Some(path) = default_path() else { return Ok(None) };
        let directory = parent_directory(&path);
        let locked = create_directory(directory).and_then(|()| {
            let file = File::open(directory)?;
            file.lock()?;
            Ok(file)
        });
        locked.map(Some).map_err(|error| CliError::file(directory, &error))
    }

    /// Replaces the file.
    ///
    /// # Errors
    /// The file cannot be written, or the environment names no home directory.
    pub(super) fn save(&self) -> Result<(), CliError> {
        let path = self.path.as_deref().ok_or_else(|| {
            CliError::message("there is no place for contexts: set HOME or XDG_CONFIG_HOME")
        })?;
        let text = toml::to_string(&self.document).map_err(CliError::other)?;
        // A link to the file stays.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let written = create_directory(parent_directory(&path))
            .and_then(|()| write_atomic(&path, format!("{HEADING}{text}").as_bytes(), 0o600));
        written.map_err(|error| CliError::file(&path, &error))
    }

    /// The context of commands that name none.
    pub(super) const fn current(&self) -> Option<&ContextName> {
        self.document.current.as_ref()
    }

    pub(super) fn set_current(&mut self, name: Option<ContextName>) {
        self.document.current = name;
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&ContextName, &Context)> {
        self.document.contexts.iter()
    }

    /// The context of this name.
    ///
    /// # Errors
    /// There is no context of this name. The error lists the names that exist.
    pub(super) fn get(&self, name: &ContextName) -> Result<&Context, CliError> {
        self.document.contexts.get(name).ok_or_else(|| {
            let known: Vec<_> = self.document.contexts.keys().map(ToString::to_string).collect();
            let known = match known.as_slice() {
                [] => "add one with \"userpool context add\"".to_owned(),
                known => format!("the contexts are {}", known.join(", ")),
            };
            CliError::message(format!("there is no context {name}; {known}"))
        })
    }

    /// Adds a context, or replaces it.
    pub(super) fn insert(&mut self, name: ContextName, context: Context) {
        self.document.contexts.insert(name, context);
    }

    /// Removes a context, and returns whether it was the current one.
    ///
    /// # Errors
    /// As for [`Self::get`].
    pub(super) fn remove(&mut self, name: &ContextName) -> Result<bool, CliError> {
        self.get(name)?;
        self.document.contexts.remove(name);
        Ok(self.document.current.take_if(|current| current == name).is_some())
    }

    /// The directory that relative paths in the file start from.
    fn directory(&self) -> &Path {
        self.path.as_deref().map_or(Path::new("."), parent_directory)
    }
}

impl Context {
    /// Makes the paths absolute, because the context is used in any directory.
    ///
    /// # Errors
    /// The current directory is not known, or a path is not UTF-8.
    pub(super) fn into_absolute(mut self) -> Result<Self, CliError> {
        let Self { ca, cert, cert_key, token_file, .. } = &mut self;
        for file in [ca, cert, cert_key, token_file].into_iter().flatten() {
            *file = absolute(file)?;
        }
        if let Endpoint::Unix(socket) = &mut self.endpoint {
            *socket = absolute(socket)?;
        }
        Ok(self)
    }
}

impl Context {
    /// The files of the context that are not there.
    pub(super) fn missing_files(&self) -> impl Iterator<Item = &Path> {
        let files = [&self.ca, &self.cert, &self.cert_key, &self.token_file];
        files.into_iter().flatten().map(PathBuf::as_path).filter(|file| !file.exists())
    }
}

fn create_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn absolute(path: &Path) -> Result<PathBuf, CliError> {
    let absolute = path::absolute(path).map_err(|error| CliError::file(path, &error))?;
    if absolute.to_str().is_none() {
        return Err(CliError::message(format!(
            "{}: a path in a context must be UTF-8; give the path with a flag or a variable instead",
            path.display()
        )));
    }
    Ok(absolute)
}

/// The file below `$XDG_CONFIG_HOME`, or else below `$HOME/.config`.
fn default_path() -> Option<PathBuf> {
    let variable = |name| env::var_os(name).map(PathBuf::from);
    // The specification ignores a relative path.
    let config = variable("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
    let home = || variable("HOME").filter(|path| path.is_absolute());
    Some(config.or_else(|| Some(home()?.join(".config")))?.join(FILE))
}

fn parse(path: &Path, bytes: Vec<u8>) -> Result<Document, CliError> {
    let mode = public_mode(path).map_err(|error| CliError::file(path, &error))?;
    if mode.is_some_and(|mode| mode & WORLD_WRITABLE != 0) {
        return Err(CliError::message(format!(
            "every user of this machine can change {}, and so choose the server that gets your \
             credentials; run chmod 600 on it",
            path.display()
        )));
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| CliError::message(format!("{}: it is not UTF-8", path.display())))?;
    let mut document: Document = toml::from_str(&text).map_err(|error| {
        let start = error.span().unwrap_or_default().start;
        let line = text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1;
        let problem = error.message().trim_end().replace('\n', ", ");
        CliError::message(format!("{}, line {line}: {problem}", path.display()))
    })?;
    for (name, context) in &mut document.contexts {
        // As any other path, it starts from the directory of the file.
        if let Endpoint::Unix(socket) = &mut context.endpoint {
            *socket = parent_directory(path).join(&socket);
        }
        if context.cert.is_some() != context.cert_key.is_some() {
            return Err(CliError::message(format!(
                "{}: context {name}: cert and cert-key must be set together",
                path.display()
            )));
        }
    }
    Ok(document)
}

fn write_endpoint<S: serde::Serializer>(
    endpoint: &Endpoint,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(endpoint)
}

fn read_endpoint<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Endpoint, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

impl fmt::Display for ContextName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<ContextName> for String {
    fn from(name: ContextName) -> Self {
        name.0
    }
}

impl TryFrom<String> for ContextName {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        let is_legal = |letter: char| letter.is_ascii_alphanumeric() || ".-_".contains(letter);
        if name.is_empty() || !name.chars().all(is_legal) {
            return Err("a context name has letters, digits, dots, hyphens and underscores");
        }
        Ok(Self(name))
    }
}

impl FromStr for ContextName {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        name.to_owned().try_into()
    }
}
