//! The settings of the server: flags over environment over one file over defaults.
//!
//! Every flag of `serve` that has an environment variable is a setting, and a key of
//! the file by the same name. What is in the file becomes the default of its flag, so
//! that whatever reads a flag reads the file, too. A rule between two settings cannot
//! be one of clap's, which knows only what was typed: it is checked where they are used.
//! A switch is to take `=false`, too, or nothing could overrule what is below it.
//! No setting is a secret; a secret is in a file that a setting names.

mod file;
mod kind;

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, parser::ValueSource};
use toml::Value;

use self::{
    file::File,
    kind::{CONFIG, SettingKind, settings},
};
use super::error::CliError;

/// What the settings belong to.
const SERVE: &str = "serve";

/// Every setting as it is after all, and where it is from.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings(Vec<Setting>);

#[derive(Debug, Clone)]
struct Setting {
    name: String,
    value: Option<Value>,
    origin: Origin,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    Flag,
    Environment(String),
    File(PathBuf),
    Default,
}

/// The command line with what its settings file says, and all settings of the server,
/// where that is what is asked for.
///
/// Ends the process where the command line is wrong, as clap does.
///
/// # Errors
/// The file cannot be used; every reason is named.
pub(super) fn read(command: &Command) -> Result<(ArgMatches, Settings), CliError> {
    let typed = command.clone().get_matches();
    let Some(matches) = typed.subcommand_matches(SERVE) else {
        return Ok((typed, Settings::default()));
    };
    let Some(path) = matches.get_one::<PathBuf>(CONFIG) else {
        let settings = Settings::of(command, matches, None);
        return Ok((typed, settings));
    };
    let file = File::read(path, &serve(command))?;
    // What a flag or the environment says is read as before, whatever the file says.
    let silent = |arg: &Arg| !given(matches, arg.get_id().as_str());
    let command = command.clone().mut_subcommand(SERVE, |serve| {
        serve.mut_args(|arg| match file.get(arg.get_long()).filter(|_| silent(&arg)) {
            // An element of a list is one, whatever it contains.
            Some(values) => arg.default_values(values.to_vec()).value_delimiter(None),
            None => arg,
        })
    });
    let all = command.clone().get_matches();
    let settings = all.subcommand_matches(SERVE);
    let settings = settings.map(|matches| Settings::of(&command, matches, Some(&file)));
    Ok((all, settings.unwrap_or_default()))
}

impl Settings {
    fn of(command: &Command, matches: &ArgMatches, file: Option<&File>) -> Self {
        let serve = serve(command);
        Self(settings(&serve).map(|arg| Setting::of(arg, matches, file)).collect())
    }

    /// A settings file that says the same, with where each value is from.
    pub(super) fn to_toml(&self) -> String {
        let lines = self.0.iter().map(|setting| {
            let Setting { name, value, origin } = setting;
            match value {
                Some(value) => format!("{name} = {value}  # {}\n", origin.name()),
                None => format!("# {name} is not set\n"),
            }
        });
        lines.collect()
    }
}

impl Setting {
    fn of(arg: &Arg, matches: &ArgMatches, file: Option<&File>) -> Self {
        let id = arg.get_id().as_str();
        let name = arg.get_long().unwrap_or_default().to_owned();
        let variable = || arg.get_env().unwrap_or_default().to_string_lossy().into_owned();
        let origin = match matches.value_source(id) {
            Some(ValueSource::CommandLine) => Origin::Flag,
            Some(ValueSource::EnvVariable) => Origin::Environment(variable()),
            Some(_) | None => {
                let file = file.filter(|file| file.get(Some(&name)).is_some());
                file.map_or(Origin::Default, |file| Origin::File(file.path.clone()))
            }
        };
        let raw = matches.get_raw(id).into_iter().flatten();
        let value = SettingKind::of(arg).value(raw.map(|raw| raw.to_string_lossy().into_owned()));
        Self { name, value, origin }
    }
}

impl Origin {
    fn name(&self) -> String {
        match self {
            Self::Flag => "flag".to_owned(),
            Self::Environment(variable) => format!("environment {variable}"),
            Self::File(path) => path.display().to_string().escape_debug().to_string(),
            Self::Default => "default".to_owned(),
        }
    }
}

/// Whether somebody said it on the command line or in the environment.
fn given(matches: &ArgMatches, id: &str) -> bool {
    let source = matches.value_source(id);
    matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable))
}

/// The command of the server, to be parsed alone.
fn serve(command: &Command) -> Command {
    let serve = command.find_subcommand(SERVE).cloned().unwrap_or_default();
    serve.no_binary_name(true)
}
