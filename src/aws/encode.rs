//! An encoded message to AWS's JSON, without decoding the message first: most of a response
//! is a user pool that is stored encoded.
//!
//! Relies on the order in which prost encodes: by field number, the items of a list one
//! after the other.

use std::io::Write as _;

use bytes::Buf as _;
use prost::{
    DecodeError,
    encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field},
};

use super::shape::{Cardinality, FIRST_OWN_NUMBER, Kind, Member, Shape};

/// About how many bytes the names of the members take: those of a user pool, which is most of
/// a response.
const NAME_BYTES: usize = 4096;

/// Converts an encoded message to AWS's JSON: compact, with the members in the order of
/// their field numbers.
///
/// # Errors
/// The bytes are not a message of this shape.
pub(super) fn encode(shape: &Shape, message: &[u8]) -> Result<String, DecodeError> {
    let capacity = message.len().saturating_mul(2).saturating_add(NAME_BYTES);
    let mut json = Vec::with_capacity(capacity);
    write_message(shape, message, &mut json)?;
    // All texts at once. There is ASCII between them, so each of them is valid if all are.
    String::from_utf8(json).map_err(|_| invalid())
}

fn write_message(shape: &Shape, mut bytes: &[u8], json: &mut Vec<u8>) -> Result<(), DecodeError> {
    json.push(b'{');
    let mut members = shape.members().iter();
    // The list or map that is open.
    let mut open: Option<&Member> = None;
    while bytes.has_remaining() {
        let (number, wire_type) = decode_key(&mut bytes)?;
        if number >= FIRST_OWN_NUMBER {
            // It may come before a member that was appended to the message.
            skip_field(wire_type, number, &mut bytes, DecodeContext::default())?;
            continue;
        }
        if let Some(member) = open {
            if member.number == number {
                json.push(b',');
                write_item(member, wire_type, &mut bytes, json)?;
                continue;
            }
            close(member, json);
            open = None;
        }
        let found = members.by_ref().find(|member| {
            if member.number < number {
                write_if_empty(member, json);
            }
            member.number >= number
        });
        let Some(member) = found.filter(|member| member.number == number) else {
            // A field without a member. The next member, if there was one, is looked for again.
            members = after(shape, number);
            skip_field(wire_type, number, &mut bytes, DecodeContext::default())?;
            continue;
        };
        write_key(member, json);
        match member.cardinality {
            Cardinality::One => (),
            Cardinality::List => {
                json.push(b'[');
                open = Some(member);
            }
            Cardinality::Map => {
                json.push(b'{');
                open = Some(member);
            }
        }
        write_item(member, wire_type, &mut bytes, json)?;
    }
    if let Some(member) = open {
        close(member, json);
    }
    for member in members {
        write_if_empty(member, json);
    }
    json.push(b'}');
    Ok(())
}

/// The members with higher numbers.
fn after(shape: &Shape, number: u32) -> std::slice::Iter<'_, Member> {
    let members = shape.members();
    let first = members.partition_point(|member| member.number <= number);
    members.get(first..).unwrap_or_default().iter()
}

fn write_key(member: &Member, json: &mut Vec<u8>) {
    if !json.ends_with(b"{") {
        json.push(b',');
    }
    json.extend_from_slice(member.key.as_bytes());
}

fn write_if_empty(member: &Member, json: &mut Vec<u8>) {
    if member.show_empty {
        write_key(member, json);
        json.extend_from_slice(if member.cardinality == Cardinality::Map { b"{}" } else { b"[]" });
    }
}

fn close(member: &Member, json: &mut Vec<u8>) {
    json.push(if member.cardinality == Cardinality::Map { b'}' } else { b']' });
}

/// Writes a value, the item of a list, or the entry of a map.
fn write_item(
    member: &Member,
    wire_type: WireType,
    bytes: &mut &[u8],
    json: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    if member.cardinality == Cardinality::Map {
        return write_entry(length_delimited(bytes)?, json);
    }
    match &member.kind {
        Kind::String => write_string(length_delimited(bytes)?, json),
        Kind::Boolean => {
            let is_true = decode_varint(bytes)? != 0;
            json.extend_from_slice(if is_true { b"true" } else { b"false" });
            Ok(())
        }
        Kind::Integer => write_integer(int32(decode_varint(bytes)?), json),
        Kind::Enum(names) if wire_type == WireType::LengthDelimited => {
            // The items of a list, packed.
            let mut packed = length_delimited(bytes)?;
            let mut separator: &[u8] = b"";
            while packed.has_remaining() {
                json.extend_from_slice(separator);
                write_name(names, decode_varint(&mut packed)?, json)?;
                separator = b",";
            }
            Ok(())
        }
        Kind::Enum(names) => write_name(names, decode_varint(bytes)?, json),
        Kind::Timestamp => write_timestamp(length_delimited(bytes)?, json),
        Kind::Message(shape) => write_message(shape, length_delimited(bytes)?, json),
    }
}

/// Writes a number that stands for no name as a string, too: clients expect strings.
fn write_name(names: &[(i32, String)], number: u64, json: &mut Vec<u8>) -> Result<(), DecodeError> {
    let number = int32(number);
    json.push(b'"');
    match names.iter().find(|(known, _)| *known == number) {
        Some((_, name)) => json.extend_from_slice(name.as_bytes()),
        None => write_integer(number, json)?,
    }
    json.push(b'"');
    Ok(())
}

/// Epoch seconds with milliseconds. Other clients than boto3 accept only numbers.
fn write_timestamp(bytes: &[u8], json: &mut Vec<u8>) -> Result<(), DecodeError> {
    let prost_types::Timestamp { seconds, nanos } = prost::Message::decode(bytes)?;
    let millis = i128::from(seconds) * 1000 + i128::from(nanos.div_euclid(1_000_000));
    let sign = if millis < 0 { "-" } else { "" };
    let (seconds, millis) = (millis.unsigned_abs() / 1000, millis.unsigned_abs() % 1000);
    let text = format!("{sign}{seconds}.{millis:03}");
    let text = text.trim_end_matches('0');
    json.extend_from_slice(text.as_bytes());
    if text.ends_with('.') {
        json.push(b'0');
    }
    Ok(())
}

fn write_entry(mut bytes: &[u8], json: &mut Vec<u8>) -> Result<(), DecodeError> {
    let (mut key, mut value): (&[u8], &[u8]) = (&[], &[]);
    while bytes.has_remaining() {
        let (number, wire_type) = decode_key(&mut bytes)?;
        match number {
            1 => key = length_delimited(&mut bytes)?,
            2 => value = length_delimited(&mut bytes)?,
            _ => skip_field(wire_type, number, &mut bytes, DecodeContext::default())?,
        }
    }
    write_string(key, json)?;
    json.push(b':');
    write_string(value, json)
}

/// Most texts need no escape, and are copied.
fn write_string(bytes: &[u8], json: &mut Vec<u8>) -> Result<(), DecodeError> {
    // Without an early end, so that many bytes are compared at once.
    let needs_escape = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
    if bytes.iter().fold(false, |any, byte| any | needs_escape(*byte)) {
        let text = str::from_utf8(bytes).map_err(|_| invalid())?;
        return serde_json::to_writer(json, text).map_err(|_| invalid());
    }
    json.push(b'"');
    json.extend_from_slice(bytes);
    json.push(b'"');
    Ok(())
}

fn write_integer(number: i32, json: &mut Vec<u8>) -> Result<(), DecodeError> {
    write!(json, "{number}").map_err(|_| invalid())
}

fn length_delimited<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], DecodeError> {
    let length = usize::try_from(decode_varint(bytes)?).map_err(|_| invalid())?;
    let (content, rest) = bytes.split_at_checked(length).ok_or_else(invalid)?;
    *bytes = rest;
    Ok(content)
}

/// Protobuf encodes a negative number with its sign extended to 64 bits.
fn int32(varint: u64) -> i32 {
    let [low @ .., _, _, _, _] = varint.to_le_bytes();
    i32::from_le_bytes(low)
}

#[expect(deprecated, reason = "the only way to make this error outside of prost")]
fn invalid() -> DecodeError {
    DecodeError::new("not a message of this shape")
}
