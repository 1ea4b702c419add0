//! The arguments that are settings, and the TOML type of each.

use std::any::TypeId;

use clap::{Arg, ArgAction, Command};
use toml::Value;

/// The flag that names the settings file.
pub(super) const CONFIG: &str = "config";

/// The type of a setting in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SettingKind {
    Switch,
    Integer,
    String,
    List,
}

impl SettingKind {
    pub(super) fn of(arg: &Arg) -> Self {
        let parsed = arg.get_value_parser().type_id();
        if matches!(arg.get_action(), ArgAction::Append) {
            Self::List
        } else if parsed == TypeId::of::<bool>() {
            Self::Switch
        } else if parsed == TypeId::of::<u64>() || parsed == TypeId::of::<usize>() {
            Self::Integer
        } else {
            Self::String
        }
    }

    /// Converts the values of an argument to TOML.
    pub(super) fn to_toml(self, mut values: impl Iterator<Item = String>) -> Option<Value> {
        match self {
            Self::List => {
                let list: Vec<_> = values.map(Value::String).collect();
                Some(list).filter(|list| !list.is_empty()).map(Value::Array)
            }
            Self::Switch => values.next().map(|text| Value::Boolean(text == "true")),
            Self::Integer => values.next()?.parse().ok().map(Value::Integer),
            Self::String => values.next().map(Value::String),
        }
    }

    pub(super) const fn expected(self) -> &'static str {
        match self {
            Self::Switch => "expected true or false",
            Self::Integer => "expected an integer",
            Self::String => "expected a string in quotes",
            Self::List => "expected a list of strings, such as [\"a\", \"b\"]",
        }
    }
}

/// The arguments that are settings.
pub(super) fn settings(serve: &Command) -> impl Iterator<Item = &Arg> {
    let is_setting = |arg: &&Arg| arg.get_env().is_some() && arg.get_id() != CONFIG;
    serve.get_arguments().filter(is_setting)
}
