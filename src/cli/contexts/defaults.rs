//! The context of a command: its values are the defaults of the command's flags, so a flag
//! overrides the environment, which overrides the context.
//!
//! A context describes one server. If a flag or the environment names another one, nothing of
//! the context is used: its token must not be sent there.

use std::{convert::Infallible, env, path::Path};

use clap::{ArgMatches, Command, parser::ValueSource};

use crate::client::Endpoint;

use super::{Context, ContextName, Contexts};
use crate::{cli::error::CliError, console::shell_word};

/// The argument that names a context.
const CONTEXT: &str = "context";
/// The arguments that name a server; the second one is that of an export.
const ENDPOINT: &str = "endpoint";
const FROM: &str = "from";
/// The argument that needs no value.
const TLS: &str = "tls";
/// The argument that names a data directory instead.
const DATA_DIR: &str = "data_dir";
/// The variable that names a server.
const ENDPOINT_VARIABLE: &str = "USERPOOL_ENDPOINT";

/// A command with the values of its context.
#[derive(Debug)]
pub(in crate::cli) struct Applied {
    pub(in crate::cli) command: Command,
    /// Why the context that was named is not used.
    pub(in crate::cli) note: Option<String>,
}

/// Makes the values of the context the defaults of the command that was parsed; `None` if it
/// has no context.
///
/// # Errors
/// The context does not exist, or the file of contexts is not valid.
pub(in crate::cli) fn apply(
    command: &Command,
    matches: &ArgMatches,
) -> Result<Option<Applied>, CliError> {
    let (mut matches, mut path) = (matches, Vec::new());
    while let Some((name, nested)) = matches.subcommand() {
        path.push(name);
        matches = nested;
    }
    // A command that does not connect takes no context.
    let Ok(named) = matches.try_get_one::<String>(CONTEXT) else { return Ok(None) };
    let named = match named.map(String::as_str) {
        Some("") => return Ok(None),
        Some(name) => Some(name.parse::<ContextName>().map_err(CliError::message)?),
        None => None,
    };
    let contexts = Contexts::load()?;
    let Some(name) = named.as_ref().or(contexts.current()) else { return Ok(None) };
    let context = contexts.get(name)?;
    let server = ServerArg::of(matches, named.is_some());
    match server {
        ServerArg::Named(endpoint) if endpoint != context.endpoint => {
            let note = named.is_some().then(|| {
                format!(
                    "context {name} is not used, because it is for {}, not for {endpoint}",
                    context.endpoint
                )
            });
            let command = with_context(command.clone(), &path, String::new(), &[]);
            Ok(Some(Applied { command, note }))
        }
        ServerArg::Elsewhere => Ok(None),
        ServerArg::Named(_) | ServerArg::Omitted => {
            let values = context.values(&contexts);
            let command = with_context(command.clone(), &path, name.to_string(), &values);
            Ok(Some(Applied { command, note: None }))
        }
    }
}

/// How to repair a context that names this file: the command that names another one. `None` if the
/// context does not name it.
pub(in crate::cli) fn file_remedy(name: &str, file: &Path) -> Option<String> {
    let contexts = Contexts::load().ok()?;
    let name = name.parse::<ContextName>().ok()?;
    let values = contexts.get(&name).ok()?.values(&contexts);
    let is_file = |value: &str| Path::new(value) == file;
    values.iter().find(|(_, value)| is_file(value))?;
    let flags = values.iter().filter(|(id, _)| *id != FROM).map(|(id, value)| {
        let flag = id.replace('_', "-");
        match value.as_str() {
            value if is_file(value) => format!(" --{flag} FILE"),
            "true" if *id == TLS => format!(" --{flag}"),
            value => format!(" --{flag} {}", shell_word(value)),
        }
    });
    let flags: String = flags.collect();
    Some(format!(
        "put the file there, or name another one with \"userpool context add {name} \
         --replace{flags}\""
    ))
}

/// The server that a command line or the environment names.
enum ServerArg {
    Named(Endpoint),
    Omitted,
    /// The command works on a data directory.
    Elsewhere,
}

impl ServerArg {
    fn of(matches: &ArgMatches, is_context_named: bool) -> Self {
        let is_given = |id: &str| {
            let source = matches.value_source(id);
            matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable))
        };
        if let Ok(endpoint) = matches.try_get_one::<Endpoint>(ENDPOINT) {
            let endpoint = endpoint.filter(|_| is_given(ENDPOINT));
            return endpoint.map_or(Self::Omitted, |endpoint| Self::Named(endpoint.clone()));
        }
        if let Some(endpoint) = matches.get_one::<Endpoint>(FROM) {
            return Self::Named(endpoint.clone());
        }
        if is_given(DATA_DIR) {
            return Self::Elsewhere;
        }
        match env::var_os(ENDPOINT_VARIABLE).map(|text| Endpoint::from_os(&text)) {
            Some(Ok(endpoint)) => Self::Named(endpoint),
            // An export is from a data directory, unless a server is named.
            None if is_context_named => Self::Omitted,
            Some(Err(_)) | None => Self::Elsewhere,
        }
    }
}

impl Context {
    /// The values of the context by argument.
    fn values(&self, contexts: &Contexts) -> Vec<(&'static str, String)> {
        let file = |path: &Option<std::path::PathBuf>| {
            // The file of contexts is UTF-8, and so is its path if it was joined.
            path.as_ref().map(|path| contexts.directory().join(path).to_string_lossy().into_owned())
        };
        let endpoint = self.endpoint.to_string();
        [
            (ENDPOINT, Some(endpoint.clone())),
            (FROM, Some(endpoint)),
            ("timeout", self.timeout.map(|seconds| seconds.to_string())),
            (TLS, self.tls.then(|| "true".to_owned())),
            ("ca", file(&self.ca)),
            ("cert", file(&self.cert)),
            ("cert_key", file(&self.cert_key)),
            ("server_name", self.server_name.clone()),
            ("token_file", file(&self.token_file)),
        ]
        .into_iter()
        .filter_map(|(id, value)| Some((id, value?)))
        .collect()
    }
}

/// The command with these defaults in the subcommand at the path. Its context is `name`,
/// whatever was given.
fn with_context(
    command: Command,
    path: &[&str],
    name: String,
    values: &[(&str, String)],
) -> Command {
    if let Some((first, rest)) = path.split_first() {
        return command.mut_subcommand(first, |nested| with_context(nested, rest, name, values));
    }
    command.mut_args(|arg| {
        let value = values.iter().find(|(id, _)| arg.get_id() == id);
        if arg.get_id() == CONTEXT {
            let used = name.clone();
            arg.default_value(name.clone())
                .value_parser(move |_: &str| Ok::<_, Infallible>(used.clone()))
        } else if let Some((_, value)) = value {
            arg.default_value(value.clone())
        } else {
            arg
        }
    })
}
