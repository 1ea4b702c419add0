//! The settings file: a flat TOML table. Nothing of it is taken where anything is wrong,
//! and everything that is wrong is named at once, by its line; never by its value, which
//! may be a secret that was put there by mistake.

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

/// What a settings file says: by key, one text as its flag would be given it, or
/// several for a list.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: PathBuf,
    values: BTreeMap<String, Vec<String>>,
}

impl File {
    /// Reads the file, for a command that has its keys as flags.
    pub(super) fn read(path: &Path, serve: &Command) -> Result<Self, CliError> {
        let text = fs::read_to_string(path).map_err(|error| CliError::file(path, &error))?;
        let table = DeTable::parse(&text).map_err(|error| {
            let start = error.span().unwrap_or_default().start;
            let problem = (start, error.message().trim_end().replace('\n', ", "));
            unusable(path, &text, vec![problem])
        })?;
        let (mut values, mut problems) = (BTreeMap::new(), Vec::new());
        for (key, value) in table.get_ref() {
            let (at, key) = (key.span().start, key.get_ref());
            match checked(serve, key, value) {
                Ok(texts) => {
                    values.insert(key.to_string(), texts);
                }
                Err(problem) => problems.push((at, problem)),
            }
        }
        if problems.is_empty() {
            Ok(Self { path: path.to_owned(), values })
        } else {
            Err(unusable(path, &text, problems))
        }
    }

    /// What it says of the setting with this name.
    pub(super) fn get(&self, name: Option<&str>) -> Option<&[String]> {
        self.values.get(name?).map(Vec::as_slice)
    }
}

/// The value as its flag would be given it, if that would take it.
fn checked(
    serve: &Command,
    key: &str,
    value: &Spanned<DeValue<'_>>,
) -> Result<Vec<String>, String> {
    let setting = settings(serve).find(|arg| arg.get_long() == Some(key));
    let setting = setting.ok_or_else(|| {
        let known = settings(serve).filter_map(Arg::get_long);
        let likeness = |name: &str| strsim::normalized_damerau_levenshtein(key, name);
        let nearest = known.max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        format!("{key:?} is no setting; the nearest is {}", nearest.unwrap_or_default())
    })?;
    let kind = SettingKind::of(setting);
    let texts =
        texts(kind, value.get_ref()).ok_or_else(|| format!("{key}: {}", kind.expected()))?;
    let parsed = serve
        .clone()
        .mut_arg(setting.get_id(), |arg| arg.value_delimiter(None))
        .try_get_matches_from(texts.iter().map(|text| format!("--{key}={text}")));
    match parsed {
        Ok(_) => Ok(texts),
        Err(error) => Err(format!("{key}: {}", reason(&error))),
    }
}

/// The value as a text, or as several for a list; nothing where it is of another type.
fn texts(kind: SettingKind, value: &DeValue<'_>) -> Option<Vec<String>> {
    let text = match kind {
        SettingKind::Switch => value.as_bool()?.to_string(),
        SettingKind::Integer => {
            let integer = value.as_integer()?;
            i64::from_str_radix(integer.as_str(), integer.radix()).ok()?.to_string()
        }
        SettingKind::Text => value.as_str()?.to_owned(),
        SettingKind::List => {
            let texts = value.as_array()?.iter();
            return texts.map(|text| text.get_ref().as_str().map(str::to_owned)).collect();
        }
    };
    Some(vec![text])
}

/// What clap has against a value, without the value.
fn reason(error: &clap::Error) -> String {
    if let Some(source) = error.source() {
        return source.to_string();
    }
    match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(values)) => format!("expected one of {}", values.join(", ")),
        Some(_) | None => error.kind().to_string(),
    }
}

/// One sentence, and one line for each problem, in the order of the file.
fn unusable(path: &Path, text: &str, mut problems: Vec<(usize, String)>) -> CliError {
    problems.sort();
    let lines = problems.iter().map(|(at, problem)| {
        let line = text.bytes().take(*at).filter(|byte| *byte == b'\n').count() + 1;
        format!("\n  line {line}: {problem}")
    });
    CliError::message(format!(
        "the settings in {} cannot be used:{}",
        path.display(),
        lines.collect::<String>()
    ))
}
