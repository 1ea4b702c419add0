//! The settings file: a flat TOML table. A file with any problem is refused as a whole, and
//! the error lists every problem with its line. It never shows a value, which may be a
//! secret that was put there by mistake.

use std::{
    collections::BTreeMap,
    error::Error as _,
    fs,
    path::{Path, PathBuf},
};

use clap::{
    Arg, Command,
    error::{ContextKind, ContextValue},
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::cli::error::CliError;

use super::kind::{SettingKind, settings};

/// The values of a settings file by key, in the form of the flag's values: one text, or
/// several for a list.
#[derive(Debug)]
pub(super) struct SettingsFile {
    pub(super) path: PathBuf,
    values: BTreeMap<String, Vec<String>>,
}

impl SettingsFile {
    /// Reads and checks the file. Its keys are flags of `serve`.
    pub(super) fn read(path: &Path, serve: &Command) -> Result<Self, CliError> {
        let text = fs::read_to_string(path).map_err(|error| CliError::file(path, &error))?;
        let table = DeTable::parse(&text).map_err(|error| {
            let start = error.span().unwrap_or_default().start;
            let problem = (start, error.message().trim_end().replace('\n', ", "));
            invalid(path, &text, vec![problem])
        })?;
        let (mut values, mut problems) = (BTreeMap::new(), Vec::new());
        for (key, value) in table.get_ref() {
            let (at, key) = (key.span().start, key.get_ref());
            match parse(serve, key, value) {
                Ok(texts) => {
                    values.insert(key.to_string(), texts);
                }
                Err(problem) => problems.push((at, problem)),
            }
        }
        if problems.is_empty() {
            Ok(Self { path: path.to_owned(), values })
        } else {
            Err(invalid(path, &text, problems))
        }
    }

    /// The values of the setting with this name.
    pub(super) fn get(&self, name: Option<&str>) -> Option<&[String]> {
        self.values.get(name?).map(Vec::as_slice)
    }
}

/// Checks a value and converts it to the texts that its flag would be given.
fn parse(serve: &Command, key: &str, value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, String> {
    let setting = settings(serve).find(|arg| arg.get_long() == Some(key));
    let setting = setting.ok_or_else(|| {
        let known = settings(serve).filter_map(Arg::get_long);
        let likeness = |name: &str| strsim::normalized_damerau_levenshtein(key, name);
        let nearest = known.max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        format!("unknown setting {key:?}; did you mean {}?", nearest.unwrap_or_default())
    })?;
    let kind = SettingKind::of(setting);
    let texts =
        to_texts(kind, value.get_ref()).ok_or_else(|| format!("{key}: {}", kind.expected()))?;
    let parsed = serve
        .clone()
        .mut_arg(setting.get_id(), |arg| arg.value_delimiter(None))
        .try_get_matches_from(texts.iter().map(|text| format!("--{key}={text}")));
    match parsed {
        Ok(_) => Ok(texts),
        Err(error) => Err(format!("{key}: {}", reason(&error))),
    }
}

/// Converts a value to one text, or to several for a list. Returns `None` if it has another
/// type.
fn to_texts(kind: SettingKind, value: &DeValue<'_>) -> Option<Vec<String>> {
    let text = match kind {
        SettingKind::Switch => value.as_bool()?.to_string(),
        SettingKind::Integer => {
            let integer = value.as_integer()?;
            i64::from_str_radix(integer.as_str(), integer.radix()).ok()?.to_string()
        }
        SettingKind::String => value.as_str()?.to_owned(),
        SettingKind::List => {
            let texts = value.as_array()?.iter();
            return texts.map(|text| text.get_ref().as_str().map(str::to_owned)).collect();
        }
    };
    Some(vec![text])
}

/// The reason why clap refuses a value, without the value.
fn reason(error: &clap::Error) -> String {
    if let Some(source) = error.source() {
        return source.to_string();
    }
    match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(values)) => format!("expected one of {}", values.join(", ")),
        Some(_) | None => error.kind().to_string(),
    }
}

/// The error that lists the problems, one per line, in the order of the file.
fn invalid(path: &Path, text: &str, mut problems: Vec<(usize, String)>) -> CliError {
    problems.sort();
    let lines = problems.iter().map(|(at, problem)| {
        let line = text.bytes().take(*at).filter(|byte| *byte == b'\n').count() + 1;
        format!("\n  line {line}: {problem}")
    });
    CliError::message(format!(
        "invalid settings in {}:{}",
        path.display(),
        lines.collect::<String>()
    ))
}
