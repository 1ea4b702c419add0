//! The settings of the server: a flag overrides the environment, which overrides the
//! settings file, which overrides the default.
//!
//! Every flag of `serve` with an environment variable is a setting, and a key of the file
//! with the same name. A value in the file becomes the default of its flag, so code that
//! reads a flag also reads the file. A rule about two settings is checked where they are
//! used, because clap sees only the command line. A switch must accept `=false`, so that a
//! flag can override the environment and the file. No setting is a secret: secrets are in
//! files that settings name.

mod file;
mod kind;

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, parser::ValueSource};
use toml::Value;

use self::{
    file::SettingsFile,
    kind::{CONFIG, SettingKind, settings},
};
use super::error::CliError;

/// The command that has the settings.
const SERVE: &str = "serve";

/// Every setting with its effective value and the origin of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings(Vec<Setting>);

#[derive(Debug, Clone)]
struct Setting {
    name: String,
    value: SettingValue,
    origin: Origin,
}

#[derive(Debug, Clone, PartialEq)]
enum SettingValue {
    Unset,
    Set(Value),
    /// A file name that a settings file cannot hold.
    NotUtf8,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    Flag,
    Environment(String),
    File(PathBuf),
    Default,
}

/// Parses the command line together with the settings file that it names. Returns the
/// settings as well if the command is `serve`.
///
/// # Errors
/// The command line is invalid, or asks for help or the version; or the file is invalid, and
/// the error names every problem.
pub(super) fn read(command: &Command) -> Result<(ArgMatches, Settings), CliError> {
    let typed = command.clone().try_get_matches()?;
    let Some(matches) = typed.subcommand_matches(SERVE) else {
        return Ok((typed, Settings::default()));
    };
    let Some(path) = matches.get_one::<PathBuf>(CONFIG) else {
        let settings = Settings::of(command, matches, None);
        return Ok((typed, settings));
    };
    let file = SettingsFile::read(path, &serve(command))?;
    // A flag or an environment variable overrides the file.
    let is_unset = |arg: &Arg| !is_given(matches, arg.get_id().as_str());
    let command = command.clone().mut_subcommand(SERVE, |serve| {
        serve.mut_args(|arg| match file.get(arg.get_long()).filter(|_| is_unset(&arg)) {
            // A comma inside an element of a list does not split it.
            Some(values) => arg.default_values(values.to_vec()).value_delimiter(None),
            None => arg,
        })
    });
    let all = command.clone().try_get_matches()?;
    let settings = all.subcommand_matches(SERVE);
    let settings = settings.map(|matches| Settings::of(&command, matches, Some(&file)));
    Ok((all, settings.unwrap_or_default()))
}

impl Settings {
    fn of(command: &Command, matches: &ArgMatches, file: Option<&SettingsFile>) -> Self {
        let serve = serve(command);
        Self(settings(&serve).map(|arg| Setting::of(arg, matches, file)).collect())
    }

    /// Formats the settings as a settings file, with the origin of each value.
    pub(super) fn to_toml(&self) -> String {
        let lines = self.0.iter().map(|setting| {
            let Setting { name, value, origin } = setting;
            match value {
                SettingValue::Set(value) => format!("{name} = {value}  # {}\n", origin.name()),
                SettingValue::NotUtf8 => format!(
                    "# {name} is not UTF-8, which a settings file must be  # {}\n",
                    origin.name()
                ),
                SettingValue::Unset => format!("# {name} is not set\n"),
            }
        });
        lines.collect()
    }
}

impl Setting {
    fn of(arg: &Arg, matches: &ArgMatches, file: Option<&SettingsFile>) -> Self {
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
        let texts: Option<Vec<_>> = raw.map(|raw| raw.to_str().map(str::to_owned)).collect();
        let value = match texts {
            None => SettingValue::NotUtf8,
            Some(texts) => SettingKind::of(arg)
                .to_toml(texts.into_iter())
                .map_or(SettingValue::Unset, SettingValue::Set),
        };
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

/// Whether the argument was given on the command line or in the environment.
fn is_given(matches: &ArgMatches, id: &str) -> bool {
    let source = matches.value_source(id);
    matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable))
}

/// The `serve` command, to be parsed alone.
fn serve(command: &Command) -> Command {
    let serve = command.find_subcommand(SERVE).cloned().unwrap_or_default();
    serve.no_binary_name(true)
}
