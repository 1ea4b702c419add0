//! Finding every broken field rule of a request, each with its path.
//!
//! The rules themselves are in `fields`; here is what they are made of. Texts
//! are those of Cognito's framework: `Value '…' at 'schema.1.member.name' failed
//! to satisfy constraint: Member must …`.

use std::{borrow::Cow, fmt::Display, ops::RangeInclusive};

use prost_types::Timestamp;

use super::{
    patterns::Pattern,
    violation::{AwsError, Invalid, Reason, Violation},
};

/// How many characters of a refused value a message repeats.
const SHOWN: usize = 128;

/// How many violations are kept, which is more than an answer has room for. A
/// request of 1 MiB can break a million rules; the others are only counted.
const KEPT: usize = 100;

/// Collects violations while the rules walk a request.
#[derive(Debug, Default)]
pub(crate) struct Check {
    path: Vec<Step>,
    violations: Vec<Violation>,
    found: usize,
}

#[derive(Debug)]
enum Step {
    Field(&'static str),
    Item(usize),
}

impl Check {
    /// Runs `rules` over a request.
    ///
    /// # Errors
    /// Every rule that it breaks.
    pub(crate) fn run(rules: impl FnOnce(&mut Self)) -> Result<(), Invalid> {
        let mut check = Self::default();
        rules(&mut check);
        Invalid::fields(check.violations, check.found)
    }

    /// Applies `rules` to a nested message, where it is given.
    pub(crate) fn message<M>(
        &mut self,
        field: &'static str,
        message: Option<&M>,
        rules: impl FnOnce(&mut Self, &M),
    ) {
        if let Some(message) = message {
            self.within(Step::Field(field), |check| rules(check, message));
        }
    }

    /// Applies `rules` to each item of a list.
    pub(super) fn each<M>(
        &mut self,
        field: &'static str,
        items: &[M],
        rules: impl Fn(&mut Self, &M),
    ) {
        self.within(Step::Field(field), |check| {
            for (index, item) in items.iter().enumerate() {
                check.within(Step::Item(index), |check| rules(check, item));
            }
        });
    }

    /// The field must be given.
    pub(super) fn required<T>(&mut self, field: &'static str, value: Option<&T>) {
        if value.is_none() {
            self.refuse(field, Reason::Required, None, "must be given", "not be null");
        }
    }

    /// The text must have this many characters.
    pub(crate) fn length(
        &mut self,
        field: &'static str,
        value: Option<&String>,
        allowed: RangeInclusive<usize>,
    ) {
        let Some(value) = value else { return };
        let (least, most) = allowed.into_inner();
        // The number of bytes bounds the number of characters on both sides.
        if value.len() / 4 >= least && value.len() <= most {
            return;
        }
        let count = value.chars().count();
        let allowed = if most == usize::MAX {
            format!("must have {least} characters or more, has {count}")
        } else {
            format!("must have {least} to {most} characters, has {count}")
        };
        let mut refuse =
            |limit: String| self.refuse(field, Reason::Length, Some(value), &allowed, &limit);
        if count < least {
            refuse(format!("have length greater than or equal to {least}"));
        }
        if count > most {
            refuse(format!("have length less than or equal to {most}"));
        }
    }

    /// The list must not have more items than this.
    pub(super) fn items(&mut self, field: &'static str, count: usize, most: usize) {
        if count > most {
            let shown = format!("[{count} items]");
            let allowed = format!("must have at most {most} items, has {count}");
            let constraint = format!("have length less than or equal to {most}");
            self.refuse(field, Reason::Length, Some(&shown), &allowed, &constraint);
        }
    }

    /// The whole text must match the pattern.
    pub(super) fn pattern(
        &mut self,
        field: &'static str,
        value: Option<&String>,
        pattern: &Pattern,
    ) {
        if let Some(value) = value.filter(|value| !pattern.matches(value)) {
            let constraint = format!("satisfy regular expression pattern: {}", pattern.cognito);
            self.refuse(field, Reason::Pattern, Some(value), pattern.allows, &constraint);
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
        self.refuse(field, Reason::Range, Some(&value), &allowed, &constraint);
    }

    /// The number must be one of an enum's, and not the zero that means "not given".
    pub(crate) fn known<E: TryFrom<i32>>(
        &mut self,
        field: &'static str,
        value: Option<i32>,
        name: fn(&E) -> &'static str,
    ) {
        if let Some(value) = value.filter(|value| !is_known::<E>(*value)) {
            let names = names(name);
            let constraint = format!("satisfy enum value set: [{names}]");
            let allowed = format!("must be one of {names}");
            self.refuse(field, Reason::Enum, Some(&value), &allowed, &constraint);
        }
    }

    /// The same for each item of a list, which may not have more items than there
    /// are values.
    pub(crate) fn all_known<E: TryFrom<i32>>(
        &mut self,
        field: &'static str,
        values: &[i32],
        name: fn(&E) -> &'static str,
    ) {
        self.items(field, values.len(), (1..).map_while(|value| E::try_from(value).ok()).count());
        if values.iter().all(|value| is_known::<E>(*value)) {
            return;
        }
        let (shown, names) = (quoted(&format!("{values:?}")), names(name));
        for (index, value) in values.iter().enumerate() {
            if is_known::<E>(*value) {
                continue;
            }
            self.note(|check| Violation {
                field: check.proto_path(&format!("{field}[{index}]")),
                reason: Reason::Enum,
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

    /// The field may not be given here.
    pub(crate) fn absent<T>(&mut self, field: &'static str, value: Option<&T>) {
        if value.is_some() {
            self.refuse(field, Reason::Conflict, Some(&"…"), "may not be given here", "be null");
        }
    }

    /// There must be this many bytes.
    pub(crate) fn bytes(&mut self, field: &'static str, value: &[u8], count: usize) {
        if value.len() != count {
            let shown = format!("[{} bytes]", value.len());
            let allowed = format!("must have {count} bytes, has {}", value.len());
            let constraint = format!("have length equal to {count}");
            self.refuse(field, Reason::Length, Some(&shown), &allowed, &constraint);
        }
    }

    /// The time must be one: in the years 1 to 9999, with whole nanoseconds.
    pub(crate) fn time(&mut self, field: &'static str, value: Option<&Timestamp>) {
        let years = -62_135_596_800..=253_402_300_799;
        let legal = |time: &&Timestamp| {
            years.contains(&time.seconds) && (0..1_000_000_000).contains(&time.nanos)
        };
        if let Some(time) = value.filter(|time| !legal(time)) {
            let shown = format!("{}s {}ns", time.seconds, time.nanos);
            let allowed = "must be a time in the years 1 to 9999";
            self.refuse(field, Reason::Range, Some(&shown), allowed, "be a time");
        }
    }

    /// Notes a rule that `field` breaks. `constraint` goes on "Member must".
    pub(super) fn refuse(
        &mut self,
        field: &str,
        reason: Reason,
        value: Option<&dyn Display>,
        description: &str,
        constraint: &str,
    ) {
        self.note(|check| {
            let shown = value.map_or(Cow::from("null"), |value| quoted(&value.to_string()).into());
            let path = check.aws_path(field);
            Violation {
                field: check.proto_path(field),
                reason,
                description: description.to_owned(),
                text: format!(
                    "Value {shown} at '{path}' failed to satisfy constraint: Member must \
                     {constraint}"
                ),
                aws_error: AwsError::InvalidParameter,
            }
        });
    }

    fn note(&mut self, violation: impl FnOnce(&Self) -> Violation) {
        self.found += 1;
        if self.violations.len() < KEPT {
            let violation = violation(self);
            self.violations.push(violation);
        }
    }

    fn within(&mut self, step: Step, rules: impl FnOnce(&mut Self)) {
        self.path.push(step);
        rules(self);
        self.path.pop();
    }

    /// `schema[2].name`: the path in our messages.
    fn proto_path(&self, field: &str) -> String {
        let mut path = String::new();
        for step in &self.path {
            match step {
                Step::Field(name) if path.is_empty() => path.push_str(name),
                Step::Field(name) => path.extend([".", name]),
                Step::Item(index) => path.extend(["[", &index.to_string(), "]"]),
            }
        }
        if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
    }

    /// `schema.3.member.name`: the path as Cognito writes it.
    fn aws_path(&self, field: &str) -> String {
        let mut path = String::new();
        for step in &self.path {
            match step {
                Step::Field(name) => path.push_str(&lower_camel(name)),
                Step::Item(index) => path.extend([&(index + 1).to_string(), ".member"]),
            }
            path.push('.');
        }
        path.push_str(&lower_camel(field));
        path
    }
}

fn is_known<E: TryFrom<i32>>(value: i32) -> bool {
    value != 0 && E::try_from(value).is_ok()
}

fn names<E: TryFrom<i32>>(name: fn(&E) -> &'static str) -> String {
    let values = (1..).map_while(|value| E::try_from(value).ok());
    values.map(|value| name(&value)).collect::<Vec<_>>().join(", ")
}

fn quoted(value: &str) -> String {
    match value.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("'{}…'", value.get(..end).unwrap_or_default()),
        None => format!("'{value}'"),
    }
}

/// `minimum_length` → `minimumLength`, but for the one member that Cognito
/// calls by another name in its messages.
fn lower_camel(field: &str) -> String {
    if field == "invite_message_template" {
        return "inviteMessage".to_owned();
    }
    let mut words = field.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}
