//! `userpool completions`: the script that lets a shell complete commands. The script calls
//! the program for each completion, so that IDs and domains are those of the server, and
//! contexts those of the user.

use std::{
    env,
    ffi::{OsStr, OsString},
    time::Duration,
};

use clap::{Arg, Args, Command, FromArgMatches as _, ValueEnum, builder::Str};
use clap_complete::{
    ArgValueCompleter, CompletionCandidate,
    env::{CompleteEnv, Shells},
};
use tokio::{runtime::Builder, time};

use crate::{
    client::Client,
    proto::{ListUserPoolDomainsRequest, ListUserPoolsRequest},
};

use super::{
    connection::ConnectionArgs,
    contexts::{self, Applied, Contexts},
    error::CliError,
    outcome::Outcome,
    output::print,
    pages::for_each_item,
    text::escape,
};

/// The variable with which the script calls the program.
const VARIABLE: &str = "USERPOOL_COMPLETE";
/// How long a completion waits for the server.
const TIMEOUT: Duration = Duration::from_secs(1);
/// How many names a completion looks through.
const MAX_NAMES: u64 = 1000;
const MAX_PAGE: i32 = 60;

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  source <(userpool completions bash)")]
pub(super) struct CompletionsCommand {
    /// The shell that will run the script.
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// The shells that completions exist for.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Elvish,
    Fish,
    Powershell,
    Zsh,
}

impl CompletionsCommand {
    pub(super) fn run(self) -> Result<Outcome, CliError> {
        let shell = match self.shell {
            Shell::Bash => "bash",
            Shell::Elvish => "elvish",
            Shell::Fish => "fish",
            Shell::Powershell => "powershell",
            Shell::Zsh => "zsh",
        };
        let shells = Shells::builtins();
        let completer =
            shells.completer(shell).ok_or_else(|| CliError::message("unknown shell"))?;
        let program = env::current_exe()?;
        let mut script = Vec::new();
        let program = program.to_string_lossy();
        completer.write_registration(VARIABLE, "userpool", "userpool", &program, &mut script)?;
        print(String::from_utf8_lossy(&script).trim_end())?;
        Ok(Outcome::Success)
    }
}

/// A kind of names that a server has.
#[derive(Debug, Clone, Copy)]
enum NameKind {
    UserPool,
    Domain,
}

/// Prints the completions of a command line, if the script of a shell asks for them. Returns
/// whether it did.
///
/// # Errors
/// The shell is unknown, or stdout cannot be written.
pub(super) fn complete(command: impl Fn() -> Command) -> Result<bool, CliError> {
    if env::var_os(VARIABLE).is_none() {
        return Ok(false);
    }
    let words = || env::args_os().skip_while(|word| word != "--").skip(1);
    let connection = connection(command(), &words().collect::<Vec<_>>());
    let command = || with_names(command(), connection.as_ref());
    let directory = env::current_dir().ok();
    let completion = CompleteEnv::with_factory(command).var(VARIABLE);
    Ok(completion.try_complete(env::args_os(), directory.as_deref())?)
}

/// The connection that the words of an unfinished command line name.
fn connection(command: Command, words: &[OsString]) -> Option<ConnectionArgs> {
    let command = command.ignore_errors(true);
    let mut matches = command.clone().try_get_matches_from(words).ok()?;
    if let Some(Applied { command, .. }) = contexts::apply(&command, &matches).ok()? {
        matches = command.try_get_matches_from(words).ok()?;
    }
    let mut matches = &matches;
    while let Some((_, nested)) = matches.subcommand() {
        matches = nested;
    }
    // A command that does not connect has no endpoint.
    matches.try_contains_id("endpoint").ok()?;
    ConnectionArgs::from_arg_matches(matches).ok()
}

/// Adds the names of the server to every argument that takes one.
fn with_names(command: Command, connection: Option<&ConnectionArgs>) -> Command {
    let creates = command.get_name() == "create";
    command
        .mut_args(|arg| with_names_of_arg(arg, creates, connection))
        .mut_subcommands(|command| with_names(command, connection))
}

fn with_names_of_arg(arg: Arg, creates: bool, connection: Option<&ConnectionArgs>) -> Arg {
    let name = arg.get_value_names().and_then(<[_]>::first).map(Str::as_str);
    let kind = match name {
        Some("POOL") => NameKind::UserPool,
        // A new domain does not exist on the server yet.
        Some("DOMAIN") if !creates => NameKind::Domain,
        Some("CONTEXT") => return arg.add(ArgValueCompleter::new(context_names)),
        Some(_) | None => return arg,
    };
    let Some(connection) = connection.cloned() else { return arg };
    arg.add(ArgValueCompleter::new(move |current: &OsStr| {
        let names = current.to_str().and_then(|prefix| names(kind, prefix, connection.clone()));
        names.unwrap_or_default()
    }))
}

/// The contexts that begin with `prefix`, each with its server.
fn context_names(prefix: &OsStr) -> Vec<CompletionCandidate> {
    let contexts = Contexts::load();
    let all = contexts.iter().flat_map(Contexts::iter);
    let named = all.map(|(name, context)| (name.to_string(), context.endpoint.to_string()));
    let fitting = named.filter(|(name, _)| prefix.to_str().is_some_and(|it| name.starts_with(it)));
    fitting.map(|(name, endpoint)| candidate(&name, &endpoint)).collect()
}

fn candidate(name: &str, help: &str) -> CompletionCandidate {
    let help = Some(escape(help).into()).filter(|_| !help.is_empty());
    CompletionCandidate::new(escape(name)).help(help)
}

/// The names that begin with `prefix`; none if the server does not answer in time.
fn names(
    kind: NameKind,
    prefix: &str,
    connection: ConnectionArgs,
) -> Option<Vec<CompletionCandidate>> {
    let runtime = Builder::new_current_thread().enable_all().build().ok()?;
    let mut names = Vec::new();
    let collect = async {
        let client = connection.connect().await?;
        let each = |(name, help): &(String, String)| {
            if name.starts_with(prefix) {
                names.push(candidate(name, help));
            }
            Ok(())
        };
        let page = async |count, token| page(kind, &client, count, token).await;
        for_each_item(Some(MAX_NAMES), MAX_PAGE, page, each).await
    };
    let collected = runtime.block_on(async { time::timeout(TIMEOUT, collect).await });
    collected.ok()?.ok()?;
    Some(names)
}

/// A page of names, each with a description.
async fn page(
    kind: NameKind,
    client: &Client,
    count: i32,
    next_token: Option<String>,
) -> Result<(Vec<(String, String)>, Option<String>), CliError> {
    let max_results = Some(count);
    match kind {
        NameKind::UserPool => {
            let request =
                ListUserPoolsRequest { max_results, next_token, ..ListUserPoolsRequest::default() };
            let page = client.list_user_pools(request).await?;
            let names = page.user_pools.into_iter();
            let names =
                names.map(|pool| (pool.id.unwrap_or_default(), pool.name.unwrap_or_default()));
            Ok((names.collect(), page.next_token))
        }
        NameKind::Domain => {
            let request = ListUserPoolDomainsRequest {
                max_results,
                next_token,
                ..ListUserPoolDomainsRequest::default()
            };
            let page = client.list_user_pool_domains(request).await?;
            let names = page.domains.into_iter().map(|domain| {
                (domain.domain.unwrap_or_default(), domain.user_pool_id.unwrap_or_default())
            });
            Ok((names.collect(), page.next_token))
        }
    }
}
