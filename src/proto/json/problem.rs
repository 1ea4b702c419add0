//! The first problem of a JSON document, found with the schema: the member, its place in the
//! text, and what is allowed there. Parsing a message finds the same problems, but names
//! neither the member nor the allowed values.

use std::fmt;

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD};
use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use prost_types::Timestamp;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// How many characters of an invalid string are shown.
const MAX_SHOWN_CHARS: usize = 40;
/// How similar an unknown member must be to a known one to be taken for a spelling mistake.
const MIN_LIKENESS: f64 = 0.6;

/// Why a JSON document is not a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct JsonError {
    /// The line, from 1; 0 if the place is not known.
    pub line: usize,
    /// The column at which the problem was noticed, in bytes: the end of the value.
    pub column: usize,
    /// The member and what is wrong with it.
    pub problem: String,
}

impl JsonError {
    /// The same problem in a document of one line that is part of a file.
    pub(crate) fn in_one_line(self) -> Self {
        let problem = format!("column {}: {}", self.column, self.problem);
        Self { line: 0, column: self.column, problem }
    }

    /// The same problem in a document before which the file has this number of lines.
    pub(crate) fn after_lines(mut self, lines: usize) -> Self {
        if self.line > 0 {
            self.line += lines;
        }
        self
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, problem } = self;
        match line {
            0 => write!(f, "{problem}"),
            _ => write!(f, "line {line}, column {column}: {problem}"),
        }
    }
}

impl From<serde_json::Error> for JsonError {
    fn from(error: serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        let text = error.to_string();
        let place = format!(" at line {line} column {column}");
        let problem = text.strip_suffix(&place).unwrap_or(&text).to_owned();
        Self { line, column, problem }
    }
}

/// The part of a document that holds the message.
#[derive(Debug, Clone, Copy, Default)]
pub struct JsonScope<'a> {
    /// The member that holds the message; `None` if it is the whole document.
    pub member: Option<&'a str>,
    /// Members of the message that are not looked at.
    pub ignored: &'a [&'a str],
}

/// Returns the first problem of a document, if it has one that the schema shows.
pub(super) fn find(
    json: &str,
    message: MessageDescriptor,
    scope: JsonScope<'_>,
) -> Option<JsonError> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let kind = Kind::Message(message);
    let root = Value { path: "", kind, shape: Shape::Single, scope };
    root.deserialize(&mut deserializer).and_then(|()| deserializer.end()).err().map(Into::into)
}

/// A value that must fit a type of the schema.
struct Value<'a> {
    /// The members that lead to it: `Policies.PasswordPolicy`.
    path: &'a str,
    kind: Kind,
    shape: Shape,
    scope: JsonScope<'a>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Single,
    List,
    Map,
}

impl Value<'_> {
    fn wrong<E: Error>(&self, found: &str) -> E {
        let path = if self.path.is_empty() { "the document" } else { self.path };
        E::custom(format!("{path}: expected {}, found {found}", self.expected()))
    }

    /// The allowed values, in words.
    fn expected(&self) -> String {
        match (self.shape, &self.kind) {
            (Shape::List, _) => "a list".to_owned(),
            (Shape::Map, _) => "an object with strings".to_owned(),
            (Shape::Single, Kind::Bool) => "true or false".to_owned(),
            (Shape::Single, Kind::Int32 | Kind::Sint32 | Kind::Sfixed32) => {
                format!("an integer from {} to {}", i32::MIN, i32::MAX)
            }
            (Shape::Single, Kind::Uint32 | Kind::Fixed32) => {
                format!("an integer from 0 to {}", u32::MAX)
            }
            (Shape::Single, Kind::Int64 | Kind::Sint64 | Kind::Sfixed64) => "an integer".to_owned(),
            (Shape::Single, Kind::Uint64 | Kind::Fixed64) => "an integer from 0".to_owned(),
            (Shape::Single, Kind::Double | Kind::Float) => "a number".to_owned(),
            (Shape::Single, Kind::String) => "a string".to_owned(),
            (Shape::Single, Kind::Bytes) => "a string in base64".to_owned(),
            (Shape::Single, Kind::Enum(names)) => format!("one of {}", value_names(names)),
            (Shape::Single, Kind::Message(message)) if is_time(message) => {
                "a time such as \"2017-12-11T00:00:00Z\"".to_owned()
            }
            (Shape::Single, Kind::Message(_)) => "an object".to_owned(),
        }
    }

    fn fits_integer(&self, value: i128) -> bool {
        let range = match self.kind {
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 | Kind::Enum(_) => {
                i32::MIN.into()..=i32::MAX.into()
            }
            Kind::Uint32 | Kind::Fixed32 => 0..=u32::MAX.into(),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => i64::MIN.into()..=i64::MAX.into(),
            Kind::Uint64 | Kind::Fixed64 => 0..=u64::MAX.into(),
            Kind::Double | Kind::Float => return true,
            Kind::Bool | Kind::String | Kind::Bytes | Kind::Message(_) => return false,
        };
        self.shape == Shape::Single && range.contains(&value)
    }

    fn fits_string(&self, text: &str) -> bool {
        let is_integer = || text.parse().is_ok_and(|value| self.fits_integer(value));
        self.shape == Shape::Single
            && match &self.kind {
                Kind::String => true,
                Kind::Enum(names) => names.get_value_by_name(text).is_some(),
                Kind::Bytes => [BASE64, BASE64URL, BASE64_NOPAD, BASE64URL_NOPAD]
                    .iter()
                    .any(|encoding| encoding.decode(text.as_bytes()).is_ok()),
                Kind::Message(message) => is_time(message) && text.parse::<Timestamp>().is_ok(),
                Kind::Double | Kind::Float => text.parse::<f64>().is_ok(),
                Kind::Bool => false,
                Kind::Int32
                | Kind::Int64
                | Kind::Uint32
                | Kind::Uint64
                | Kind::Sint32
                | Kind::Sint64
                | Kind::Fixed32
                | Kind::Fixed64
                | Kind::Sfixed32
                | Kind::Sfixed64 => is_integer(),
            }
    }

    fn check_integer<E: Error>(&self, value: i128) -> Result<(), E> {
        if self.fits_integer(value) { Ok(()) } else { Err(self.wrong(&format!("{value}"))) }
    }

    /// The path of a member or an item.
    fn below(&self, name: &str) -> String {
        let separator = if self.path.is_empty() || name.starts_with('[') { "" } else { "." };
        format!("{}{separator}{name}", self.path)
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.expected())
    }

    /// A null stands for an absent member.
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        let fits = self.shape == Shape::Single && matches!(self.kind, Kind::Bool);
        if fits { Ok(()) } else { Err(self.wrong(&value.to_string())) }
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.check_integer(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.check_integer(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        // "1e3" is an integer; a value with a larger exponent fits no type.
        let integer = format!("{value}").parse().ok();
        let fits = integer.is_some_and(|value| self.fits_integer(value))
            || matches!(self.kind, Kind::Double | Kind::Float);
        let shown = || serde_json::Number::from_f64(value).map(|number| number.to_string());
        if fits { Ok(()) } else { Err(self.wrong(&shown().unwrap_or_default())) }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        if self.fits_string(text) {
            return Ok(());
        }
        let shown: String = text.chars().take(MAX_SHOWN_CHARS).collect();
        let rest = if shown.len() < text.len() { "…" } else { "" };
        Err(self.wrong(&format!("{:?}", format!("{shown}{rest}"))))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        if self.shape != Shape::List {
            return Err(self.wrong("a list"));
        }
        for index in 0_usize.. {
            let path = self.below(&format!("[{index}]"));
            let (kind, scope) = (self.kind.clone(), JsonScope::default());
            let item = Value { path: &path, kind, shape: Shape::Single, scope };
            if items.next_element_seed(item)?.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let message = match (self.shape, &self.kind) {
            (Shape::Single | Shape::Map, Kind::Message(message)) if !is_time(message) => message,
            (_, _) => return Err(self.wrong("an object")),
        };
        while let Some(name) = members.next_key::<String>()? {
            let path = self.below(&name);
            if let Some(member) = self.scope.member {
                if member == name {
                    let scope = JsonScope { member: None, ..self.scope };
                    members.next_value_seed(Value { path: &path, scope, ..self.clone() })?;
                } else {
                    members.next_value::<IgnoredAny>()?;
                }
            } else if self.scope.ignored.contains(&name.as_str()) {
                members.next_value::<IgnoredAny>()?;
            } else {
                let field = match self.shape {
                    Shape::Map => message.map_entry_value_field(),
                    Shape::Single | Shape::List => field(message, &name)
                        .ok_or_else(|| A::Error::custom(unknown_member(&path, &name, message)))?,
                };
                let (kind, scope) = (field.kind(), JsonScope::default());
                members.next_value_seed(Value {
                    path: &path,
                    kind,
                    shape: shape(&field),
                    scope,
                })?;
            }
        }
        Ok(())
    }
}

impl Clone for Value<'_> {
    fn clone(&self) -> Self {
        Self { kind: self.kind.clone(), ..*self }
    }
}

fn shape(field: &FieldDescriptor) -> Shape {
    if field.is_map() {
        Shape::Map
    } else if field.is_list() {
        Shape::List
    } else {
        Shape::Single
    }
}

/// The field with this name in JSON, or in the schema.
pub(super) fn field(message: &MessageDescriptor, name: &str) -> Option<FieldDescriptor> {
    message.get_field_by_json_name(name).or_else(|| message.get_field_by_name(name))
}

fn unknown_member(path: &str, name: &str, message: &MessageDescriptor) -> String {
    let names: Vec<_> = message.fields().map(|field| field.json_name().to_owned()).collect();
    let likeness = |known: &str| {
        strsim::normalized_damerau_levenshtein(&name.to_lowercase(), &known.to_lowercase())
    };
    let nearest = names.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match nearest.filter(|nearest| likeness(nearest) >= MIN_LIKENESS) {
        Some(nearest) => format!("{path}: unknown member; did you mean {nearest}?"),
        None => format!("{path}: unknown member; expected one of {}", names.join(", ")),
    }
}

/// The names of an enum, without the one that means "unspecified".
fn value_names(names: &EnumDescriptor) -> String {
    let values = names.values().filter(|value| value.number() != 0);
    values.map(|value| value.name().to_owned()).collect::<Vec<_>>().join(", ")
}

fn is_time(message: &MessageDescriptor) -> bool {
    message.full_name() == "google.protobuf.Timestamp"
}
