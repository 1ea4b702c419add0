//! The checks that field rules consist of. They collect every violation, with its path.
//!
//! The texts are those of Cognito's framework: `Value '…' at 'schema.1.member.name'
//! failed to satisfy constraint: Member must …`.

use std::{borrow::Cow, fmt::Display, ops::RangeInclusive};

use prost_types::Timestamp;

use super::{
    patterns::FieldPattern,
    violation::{AwsError, InvalidRequest, Rule, Violation},
};

/// How many characters of an invalid value a message repeats.
const MAX_SHOWN_CHARS: usize = 128;

/// How many violations are collected, which is more than a response has space for. A
/// request of 1 MiB can break a million rules; the rest are only counted.
const MAX_VIOLATIONS: usize = 100;

/// Collects violations while the rules visit a request.
#[derive(Debug, Default)]
pub(crate) struct Check {
    names: Names,
    path: Vec<PathStep>,
    violations: Vec<Violation>,
    violation_count: usize,
}

/// The names of fields in the texts of Cognito, which checks some fields in two places.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Names {
    /// The names in the API.
    #[default]
    Api,
    /// The names behind the API, where a few fields have other ones.
    Internal,
}

#[derive(Debug)]
enum PathStep {
    Field(&'static str),
    Item(usize),
}

impl Check {
    /// Checks a request against `rules`.
    ///
    /// # Errors
    /// The rules that it breaks.
    pub(crate) fn run(rules: impl FnOnce(&mut Self)) -> Result<(), InvalidRequest> {
        Self::run_with(Names::Api, rules)
    }

    /// Checks a request against `rules` that Cognito checks behind its API.
    ///
    /// # Errors
    /// The rules that it breaks.
    pub(super) fn run_behind_api(rules: impl FnOnce(&mut Self)) -> Result<(), InvalidRequest> {
        Self::run_with(Names::Internal, rules)
    }

    fn run_with(names: Names, rules: impl FnOnce(&mut Self)) -> Result<(), InvalidRequest> {
        let mut check = Self { names, ..Self::default() };
        rules(&mut check);
        InvalidRequest::fields(check.violations, check.violation_count)
    }

    /// Applies `rules` to a nested message, if it is present.
    pub(crate) fn message<M>(
        &mut self,
        field: &'static str,
        message: Option<&M>,
        rules: impl FnOnce(&mut Self, &M),
    ) {
        if let Some(message) = message {
            self.within(PathStep::Field(field), |check| rules(check, message));
        }
    }

    /// Applies `rules` to each item of a list.
    pub(super) fn each<M>(
        &mut self,
        field: &'static str,
        items: &[M],
        rules: impl Fn(&mut Self, &M),
    ) {
        self.within(PathStep::Field(field), |check| {
            for (index, item) in items.iter().enumerate() {
                check.within(PathStep::Item(index), |check| rules(check, item));
            }
        });
    }

    /// The field is required.
    pub(crate) fn required<T>(&mut self, field: &'static str, value: Option<&T>) {
        if value.is_none() {
            self.refuse(field, Rule::Required, None, "is required", "not be null");
        }
    }

    /// The text must have this number of characters.
    pub(crate) fn length(
        &mut self,
        field: &'static str,
        value: Option<&String>,
        allowed: RangeInclusive<usize>,
    ) {
        let Some(value) = value else { return };
        let (least, most) = allowed.into_inner();
        // A character has 1 to 4 bytes, so most texts need no count.
        if value.len() / 4 >= least && value.len() <= most {
            return;
        }
        let count = value.chars().count();
        let allowed = if most == usize::MAX {
            format!("must have at least {least} characters, has {count}")
        } else {
            format!("must have {least} to {most} characters, has {count}")
        };
        let mut refuse =
            |limit: String| self.refuse(field, Rule::Length, Some(value), &allowed, &limit);
        if count < least {
            refuse(format!("have length greater than or equal to {least}"));
        }
        if count > most {
            refuse(format!("have length less than or equal to {most}"));
        }
    }

    /// The list must have at most this number of items.
    pub(super) fn items(&mut self, field: &'static str, count: usize, most: usize) {
        if count > most {
            let shown = format!("[{count} items]");
            let allowed = format!("must have at most {most} items, has {count}");
            let constraint = format!("have length less than or equal to {most}");
            self.refuse(field, Rule::Length, Some(&shown), &allowed, &constraint);
        }
    }

    /// Each text of the list must have this number of characters.
    pub(super) fn item_lengths(
        &mut self,
        field: &'static str,
        values: &[String],
        allowed: &RangeInclusive<usize>,
    ) {
        let (least, most) = (allowed.start(), allowed.end());
        for (index, value) in values.iter().enumerate() {
            let count = value.chars().count();
            if allowed.contains(&count) {
                continue;
            }
            self.record(|check| Violation {
                field: check.proto_path(&format!("{field}[{index}]")),
                rule: Rule::Length,
                description: format!("must have {least} to {most} characters, has {count}"),
                text: format!(
                    "Value {} at '{}' failed to satisfy constraint: Member must satisfy \
                     constraint: [Member must have length less than or equal to {most}, Member \
                     must have length greater than or equal to {least}]",
                    quote(&format!("[{}]", values.join(", "))),
                    check.aws_path(field)
                ),
                aws_error: AwsError::InvalidParameter,
            });
        }
    }

    /// The whole text must match the pattern.
    pub(super) fn pattern(
        &mut self,
        field: &'static str,
        value: Option<&String>,
        pattern: &FieldPattern,
    ) {
        if let Some(value) = value.filter(|value| !pattern.matches(value)) {
            let constraint = format!("satisfy regular expression pattern: {}", pattern.cognito);
            self.refuse(field, Rule::Pattern, Some(value), pattern.description, &constraint);
        }
    }

    /// The number must be in this range.
    pub(crate) fn range<N: PartialOrd + Display + Copy>(
        &mut self,
        field: &'static str,
        value: Option<N>,
        allowed: RangeInclusive<N>,
    ) {
        let Some(value) = value.filter(|value| !allowed.contains(value)) else { return };
        let (least, most) = allowed.into_inner();
        let constraint = if value < least {
            format!("have value greater than or equal to {least}")
        } else {
            format!("have value less than or equal to {most}")
        };
        let allowed = format!("must be between {least} and {most}");
        self.refuse(field, Rule::Range, Some(&value), &allowed, &constraint);
    }

    /// The number must be a value of the enum other than zero, which means "unspecified".
    pub(crate) fn enum_value<E: TryFrom<i32>>(
        &mut self,
        field: &'static str,
        value: Option<i32>,
        name: fn(&E) -> &'static str,
    ) {
        if let Some(value) = value.filter(|value| !is_specified::<E>(*value)) {
            let names = names(name);
            let constraint = format!("satisfy enum value set: [{names}]");
            let allowed = format!("must be one of {names}");
            self.refuse(field, Rule::Enum, Some(&value), &allowed, &constraint);
        }
    }

    /// Each item must be such a value, and the list must not have more items than the enum
    /// has values.
    pub(crate) fn enum_values<E: TryFrom<i32>>(
        &mut self,
        field: &'static str,
        values: &[i32],
        name: fn(&E) -> &'static str,
    ) {
        self.items(field, values.len(), specified_values::<E>().count());
        if values.iter().all(|value| is_specified::<E>(*value)) {
            return;
        }
        let shown: Vec<_> = values.iter().map(|value| shown(*value, name)).collect();
        let (shown, names) = (quote(&format!("[{}]", shown.join(", "))), names(name));
        for (index, value) in values.iter().enumerate() {
            if is_specified::<E>(*value) {
                continue;
            }
            self.record(|check| Violation {
                field: check.proto_path(&format!("{field}[{index}]")),
                rule: Rule::Enum,
                description: format!("must be one of {names}"),
                text: format!(
                    "Value {shown} at '{}' failed to satisfy constraint: Member must satisfy \
                     constraint: [Member must satisfy enum value set: [{names}]]",
                    check.aws_path(field)
                ),
                aws_error: AwsError::InvalidParameter,
            });
        }
    }

    /// The field must be absent.
    pub(crate) fn forbid<T>(&mut self, field: &'static str, value: Option<&T>) {
        if value.is_some() {
            self.refuse(field, Rule::Conflict, Some(&"…"), "must not be set here", "be null");
        }
    }

    /// The value must have this number of bytes.
    pub(crate) fn bytes(&mut self, field: &'static str, value: &[u8], count: usize) {
        if value.len() != count {
            let shown = format!("[{} bytes]", value.len());
            let allowed = format!("must have {count} bytes, has {}", value.len());
            let constraint = format!("have length equal to {count}");
            self.refuse(field, Rule::Length, Some(&shown), &allowed, &constraint);
        }
    }

    /// The time must be valid: the years 1 to 9999, with 0 to 999,999,999 nanoseconds.
    pub(crate) fn time(&mut self, field: &'static str, value: Option<&Timestamp>) {
        let years = -62_135_596_800..=253_402_300_799;
        let is_valid = |time: &&Timestamp| {
            years.contains(&time.seconds) && (0..1_000_000_000).contains(&time.nanos)
        };
        if let Some(time) = value.filter(|time| !is_valid(time)) {
            let shown = format!("{}s {}ns", time.seconds, time.nanos);
            let allowed = "must be a time in the years 1 to 9999";
            self.refuse(field, Rule::Range, Some(&shown), allowed, "be a time");
        }
    }

    /// Records that `field` breaks a rule. `constraint` continues "Member must".
    pub(crate) fn refuse(
        &mut self,
        field: &str,
        rule: Rule,
        value: Option<&dyn Display>,
        description: &str,
        constraint: &str,
    ) {
        self.record(|check| {
            let shown = value.map_or(Cow::from("null"), |value| quote(&value.to_string()).into());
            let path = check.aws_path(field);
            Violation {
                field: check.proto_path(field),
                rule,
                description: description.to_owned(),
                text: format!(
                    "Value {shown} at '{path}' failed to satisfy constraint: Member must \
                     {constraint}"
                ),
                aws_error: AwsError::InvalidParameter,
            }
        });
    }

    fn record(&mut self, violation: impl FnOnce(&Self) -> Violation) {
        self.violation_count += 1;
        if self.violations.len() < MAX_VIOLATIONS {
            let violation = violation(self);
            self.violations.push(violation);
        }
    }

    fn within(&mut self, step: PathStep, rules: impl FnOnce(&mut Self)) {
        self.path.push(step);
        rules(self);
        self.path.pop();
    }

    /// The path in the schema of this service: `schema[2].name`.
    fn proto_path(&self, field: &str) -> String {
        let mut path = String::new();
        for step in &self.path {
            match step {
                PathStep::Field(name) if path.is_empty() => path.push_str(name),
                PathStep::Field(name) => path.extend([".", name]),
                PathStep::Item(index) => path.extend(["[", &index.to_string(), "]"]),
            }
        }
        if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
    }

    /// The path as Cognito writes it: `schema.3.member.name`.
    fn aws_path(&self, field: &str) -> String {
        let mut path = String::new();
        let mut parent = "";
        for step in &self.path {
            match step {
                PathStep::Field(name) => {
                    path.push_str(&self.aws_name(parent, name));
                    parent = name;
                }
                PathStep::Item(index) => path.extend([&(index + 1).to_string(), ".member"]),
            }
            path.push('.');
        }
        path.push_str(&self.aws_name(parent, field));
        path
    }

    /// `minimum_length` → `minimumLength`, except where the API spells several letters of a
    /// name in upper case, as in `SMSMessage`, and one field that has another name behind the
    /// API.
    fn aws_name(&self, parent: &str, field: &str) -> String {
        match (self.names, parent, field) {
            (Names::Api, "invite_message_template", "sms_message") => "sMSMessage".to_owned(),
            (_, "lambda_config", "custom_sms_sender") => "customSMSSender".to_owned(),
            (_, "lambda_config", "kms_key_id") => "kMSKeyID".to_owned(),
            (Names::Internal, _, "invite_message_template") => "inviteMessage".to_owned(),
            (Names::Api | Names::Internal, _, _) => lower_camel(field),
        }
    }
}

fn is_specified<E: TryFrom<i32>>(value: i32) -> bool {
    value != 0 && E::try_from(value).is_ok()
}

/// The name of a value, or its number if it has none.
fn shown<E: TryFrom<i32>>(value: i32, name: fn(&E) -> &'static str) -> String {
    let known = E::try_from(value).ok().filter(|_| value != 0);
    known.map_or_else(|| value.to_string(), |known| name(&known).to_owned())
}

fn names<E: TryFrom<i32>>(name: fn(&E) -> &'static str) -> String {
    specified_values().map(|value| name(&value)).collect::<Vec<_>>().join(", ")
}

/// The values of an enum other than zero; all are below 100. Removed values leave gaps.
fn specified_values<E: TryFrom<i32>>() -> impl Iterator<Item = E> {
    (1..100).filter_map(|number| E::try_from(number).ok())
}

fn quote(value: &str) -> String {
    match value.char_indices().nth(MAX_SHOWN_CHARS) {
        Some((end, _)) => format!("'{}…'", value.get(..end).unwrap_or_default()),
        None => format!("'{value}'"),
    }
}

pub(crate) fn lower_camel(field: &str) -> String {
    let mut words = field.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}
