//! AWS's JSON to an encoded message. What protobuf cannot carry, such as the name of an
//! enum value that does not exist, is returned beside the message.

use std::fmt;

use prost::encoding::{WireType, encode_key, encode_varint};
use serde_json::{Map, Number, Value};

use crate::user_pool::lower_camel;

use super::shape::{Cardinality, Kind, Member, Shape};

/// The first second of the year 1.
const MIN_SECONDS: i64 = -62_135_596_800;
/// The last second of the year 9999.
const MAX_SECONDS: i64 = 253_402_300_799;

/// A decoded request.
#[derive(Debug, Default)]
pub(super) struct Decoded {
    /// The message, encoded.
    pub(super) message: Vec<u8>,
    /// The first members that do not exist, which were ignored.
    pub(super) ignored: Vec<String>,
    /// The names that no value of their enum has, with the numbers that stand for them in the
    /// message. No enum has a value with such a number, so the field rules refuse it.
    pub(super) unknown_names: Vec<(i32, String)>,
    /// The empty lists that must have an item.
    pub(super) empty_lists: Vec<String>,
}

/// How many different unknown names are kept before the last one, which stands for all further
/// ones. The limit bounds the time: each name is compared with those before it, and replaced in
/// the text of each violation.
const MAX_UNKNOWN_NAMES: usize = 64;

/// How many ignored members are logged.
const MAX_IGNORED: usize = 16;

/// How many characters of a name of the client are repeated.
const MAX_SHOWN_CHARS: usize = 128;

/// The JSON does not have the types of the request. The text is AWS's, with the path of the
/// member.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SerializationError(String);

impl SerializationError {
    /// The body is not JSON.
    fn syntax(error: &serde_json::Error) -> Self {
        Self(format!("Unable to parse the request body as JSON: {error}"))
    }

    fn new(text: impl fmt::Display, path: &Path<'_>) -> Self {
        match path.to_string() {
            path if path.is_empty() => Self(text.to_string()),
            path => Self(format!("{text} (at '{path}')")),
        }
    }
}

/// Decodes the body of a request. An empty body is an empty request.
///
/// # Errors
/// The body is not a JSON object, or the first value that does not have the type of its
/// member.
pub(super) fn decode(shape: &Shape, body: &[u8]) -> Result<Decoded, SerializationError> {
    let mut decoded = Decoded::default();
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(decoded);
    }
    let value: Value =
        serde_json::from_slice(body).map_err(|error| SerializationError::syntax(&error))?;
    let mut message = Vec::new();
    let object = structure(value, &Path::Root)?;
    decoded.read_message(shape, object, &Path::Root, &mut message)?;
    decoded.message = message;
    Ok(decoded)
}

impl Decoded {
    fn read_message(
        &mut self,
        shape: &Shape,
        object: Map<String, Value>,
        path: &Path<'_>,
        message: &mut Vec<u8>,
    ) -> Result<(), SerializationError> {
        for (name, value) in object {
            // As in AWS, members that do not exist are ignored, and null means absent.
            let Some(member) = shape.named(&name) else {
                self.ignore(path, &name);
                continue;
            };
            if value.is_null() {
                continue;
            }
            let path = Path::Member(path, &member.field);
            match (member.cardinality, value) {
                (Cardinality::One, value) => self.read_value(member, value, &path, message)?,
                (Cardinality::List, Value::Array(items)) => {
                    if items.is_empty() && member.must_have_items {
                        self.empty_lists.push(path.fields());
                    }
                    for (index, item) in items.into_iter().enumerate() {
                        self.read_value(member, item, &Path::Item(&path, index), message)?;
                    }
                }
                (Cardinality::Map, Value::Object(entries)) => {
                    for (key, value) in entries {
                        let path = Path::Value(&path, &key);
                        let value = string(value, &path)?;
                        let mut entry = Vec::new();
                        write_bytes(1, key.as_bytes(), &mut entry);
                        write_bytes(2, value.as_bytes(), &mut entry);
                        write_bytes(member.number, &entry, message);
                    }
                }
                (Cardinality::List, value) => {
                    return Err(wrong_type(&value, Expected::List, &path));
                }
                (Cardinality::Map, value) => return Err(wrong_type(&value, Expected::Map, &path)),
            }
        }
        Ok(())
    }

    fn read_value(
        &mut self,
        member: &Member,
        value: Value,
        path: &Path<'_>,
        message: &mut Vec<u8>,
    ) -> Result<(), SerializationError> {
        match &member.kind {
            Kind::String => write_bytes(member.number, string(value, path)?.as_bytes(), message),
            Kind::Boolean => {
                let truth = value.as_bool();
                let truth = truth.ok_or_else(|| wrong_type(&value, Expected::Boolean, path))?;
                write_varint(member.number, u64::from(truth), message);
            }
            Kind::Integer => {
                let number = value.as_number().and_then(integer);
                let number = number.ok_or_else(|| wrong_type(&value, Expected::Integer, path))?;
                write_varint(member.number, sign_extended(number), message);
            }
            Kind::Enum(names) => {
                let number = self.enum_number(names, string(value, path)?);
                write_varint(member.number, sign_extended(number), message);
            }
            Kind::Timestamp => {
                let at = value.as_number().and_then(timestamp);
                let at = at.ok_or_else(|| wrong_type(&value, Expected::Timestamp, path))?;
                write_bytes(member.number, &prost::Message::encode_to_vec(&at), message);
            }
            Kind::Message(shape) => {
                let mut nested = Vec::new();
                self.read_message(shape, structure(value, path)?, path, &mut nested)?;
                write_bytes(member.number, &nested, message);
            }
        }
        Ok(())
    }

    fn ignore(&mut self, parent: &Path<'_>, name: &str) {
        if self.ignored.len() < MAX_IGNORED {
            let name: String = name.chars().take(MAX_SHOWN_CHARS).collect();
            self.ignored.push(match parent {
                Path::Root => name,
                Path::Member(..) | Path::Item(..) | Path::Value(..) => format!("{parent}.{name}"),
            });
        }
    }

    fn enum_number(&mut self, names: &[(i32, String)], name: String) -> i32 {
        if let Some((number, _)) = names.iter().find(|(_, known)| *known == name) {
            return *number;
        }
        let known = self.unknown_names.iter().find(|(_, other)| *other == name);
        if let Some((number, _)) = known {
            return *number;
        }
        if let Some((number, _)) = self.unknown_names.get(MAX_UNKNOWN_NAMES) {
            return *number;
        }
        let index = i32::try_from(self.unknown_names.len()).unwrap_or(i32::MAX);
        let number = i32::MIN.saturating_add(index);
        self.unknown_names.push((number, name));
        number
    }
}

/// The place of a value in the request.
enum Path<'a> {
    Root,
    Member(&'a Path<'a>, &'a str),
    Item(&'a Path<'a>, usize),
    Value(&'a Path<'a>, &'a str),
}

impl Path<'_> {
    /// As the schema of this service has it, for the path of a member outside of lists:
    /// `policies.sign_in_policy`.
    fn fields(&self) -> String {
        match self {
            Self::Member(parent, field) => match parent.fields() {
                path if path.is_empty() => (*field).to_owned(),
                path => format!("{path}.{field}"),
            },
            Self::Root | Self::Item(..) | Self::Value(..) => String::new(),
        }
    }
}

/// As AWS writes it: `schema.1.member.name`.
impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Member(Self::Root, field) => f.write_str(&lower_camel(field)),
            Self::Member(parent, field) => write!(f, "{parent}.{}", lower_camel(field)),
            Self::Item(list, index) => write!(f, "{list}.{}.member", index + 1),
            Self::Value(map, key) => {
                let key: String = key.chars().take(MAX_SHOWN_CHARS).collect();
                write!(f, "{map}.{key}.member")
            }
        }
    }
}

/// A type that a member requires, as the service's texts name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    String,
    Integer,
    Boolean,
    Timestamp,
    List,
    Map,
    Structure,
}

fn wrong_type(value: &Value, expected: Expected, path: &Path<'_>) -> SerializationError {
    let token = match value {
        Value::Array(_) => {
            return SerializationError::new("Start of list found where not expected.", path);
        }
        Value::Object(_) => {
            let text = "Start of structure or map found where not expected.";
            return SerializationError::new(text, path);
        }
        Value::Null => "NULL_VALUE",
        Value::Bool(true) => "TRUE_VALUE",
        Value::Bool(false) => "FALSE_VALUE",
        Value::Number(_) => "NUMBER_VALUE",
        Value::String(_) => "STRING_VALUE",
    };
    let name = match expected {
        Expected::String => "a String",
        Expected::Integer => "an Integer",
        Expected::Boolean => "a Boolean",
        Expected::Timestamp => "a Timestamp",
        Expected::List => "a List",
        Expected::Map => "a Map",
        Expected::Structure => "a Structure",
    };
    SerializationError::new(format_args!("{token} can not be converted to {name}"), path)
}

fn string(value: Value, path: &Path<'_>) -> Result<String, SerializationError> {
    if let Value::String(text) = value {
        Ok(text)
    } else {
        Err(wrong_type(&value, Expected::String, path))
    }
}

fn structure(value: Value, path: &Path<'_>) -> Result<Map<String, Value>, SerializationError> {
    if let Value::Object(object) = value {
        Ok(object)
    } else {
        Err(wrong_type(&value, Expected::Structure, path))
    }
}

/// An integral number in the range of the type. `8.0` is integral.
fn integer(number: &Number) -> Option<i32> {
    if let Some(integer) = number.as_i64() {
        return i32::try_from(integer).ok();
    }
    let float = number.as_f64().filter(|float| float.fract() == 0.0)?;
    format!("{float:.0}").parse().ok()
}

/// Epoch seconds, to the millisecond.
fn timestamp(number: &Number) -> Option<prost_types::Timestamp> {
    let millis = (number.as_f64()? * 1000.0).round();
    let millis: i64 = format!("{millis:.0}").parse().ok()?;
    // The years that a timestamp can have, in which a float is exact to the millisecond.
    let seconds = millis.div_euclid(1000);
    if !(MIN_SECONDS..=MAX_SECONDS).contains(&seconds) {
        return None;
    }
    let nanos = i32::try_from(millis.rem_euclid(1000)).ok()?.checked_mul(1_000_000)?;
    Some(prost_types::Timestamp { seconds, nanos })
}

fn write_bytes(number: u32, bytes: &[u8], message: &mut Vec<u8>) {
    encode_key(number, WireType::LengthDelimited, message);
    encode_varint(u64::try_from(bytes.len()).unwrap_or(u64::MAX), message);
    message.extend_from_slice(bytes);
}

fn write_varint(number: u32, value: u64, message: &mut Vec<u8>) {
    encode_key(number, WireType::Varint, message);
    encode_varint(value, message);
}

fn sign_extended(number: i32) -> u64 {
    i64::from(number).cast_unsigned()
}
