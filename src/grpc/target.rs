//! Reads the user pool and the domain that a request names, from its bytes as they arrive.
//! Keeps nothing else, so the length of the request does not matter.

use std::{collections::HashMap, sync::LazyLock};

use prost::encoding::WireType;
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use crate::{
    proto::DESCRIPTORS,
    transport::{Target, TargetReader},
};

use super::message_limit::{MAX_REQUEST_BYTES, PREFIX_BYTES};

/// The names of the fields.
const USER_POOL_ID: &str = "user_pool_id";
const RESOURCE_ARN: &str = "resource_arn";
const DOMAIN: &str = "domain";
const FILTER: &str = "filter";
/// The longest value that is read. A valid filter is shorter.
const MAX_VALUE_BYTES: usize = 4 * 1024;
/// How many characters of a value are recorded. Valid IDs and domains are shorter.
const MAX_CHARS: usize = 128;
/// The longest varint.
const MAX_VARINT_BYTES: u32 = 10;

/// The fields of a message that name a target, by their numbers.
type Fields = HashMap<u32, Field>;

#[derive(Debug)]
enum Field {
    UserPoolId,
    ResourceArn,
    Domain,
    Message(Fields),
}

/// The fields of each method's request, by `SERVICE/METHOD`.
static METHODS: LazyLock<HashMap<String, Fields>> = LazyLock::new(|| {
    let services: Vec<_> = DESCRIPTORS.services().collect();
    let methods = services.iter().flat_map(|service| {
        service.methods().map(move |method| {
            let name = format!("{}/{}", service.full_name(), method.name());
            (name, fields(&method.input()))
        })
    });
    methods.filter(|(_, fields)| !fields.is_empty()).collect()
});

fn fields(message: &MessageDescriptor) -> Fields {
    let field = |descriptor: FieldDescriptor| {
        let field = match (descriptor.name(), descriptor.kind()) {
            (USER_POOL_ID, Kind::String) => Field::UserPoolId,
            (RESOURCE_ARN, Kind::String) => Field::ResourceArn,
            (DOMAIN, Kind::String) => Field::Domain,
            (FILTER, Kind::Message(filter)) => Field::Message(fields(&filter)),
            (_, _) => return None,
        };
        Some((descriptor.number(), field))
    };
    message.fields().filter_map(field).collect()
}

/// A reader of the requests of a method; `None` if they name no target.
pub(super) fn reader(method: &str) -> Option<Box<dyn TargetReader>> {
    let fields = METHODS.get(method)?;
    Some(Box::new(Request {
        state: State::Prefix(Vec::new()),
        left: 0,
        message: Message::of(fields),
    }))
}

/// A request that is being read.
struct Request {
    state: State,
    /// How many bytes of the message are still to come.
    left: usize,
    message: Message,
}

enum State {
    /// The first bytes of the prefix: the compression flag and the length.
    Prefix(Vec<u8>),
    Message,
    Complete,
    /// The request is not valid.
    Invalid,
}

impl TargetReader for Request {
    fn read(&mut self, mut bytes: &[u8]) {
        while let (State::Prefix(prefix), Some((byte, rest))) =
            (&mut self.state, bytes.split_first())
        {
            prefix.push(*byte);
            bytes = rest;
            if let Ok([flag, length @ ..]) = <[u8; PREFIX_BYTES]>::try_from(prefix.as_slice()) {
                self.left = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
                let is_valid = flag == 0 && self.left <= MAX_REQUEST_BYTES;
                self.state = if is_valid { State::Message } else { State::Invalid };
            }
        }
        if !matches!(self.state, State::Message) {
            return;
        }
        let (part, _) = bytes.split_at(bytes.len().min(self.left));
        self.left = self.left.saturating_sub(part.len());
        self.state = match self.message.read(part) {
            Ok(()) if self.left > 0 => State::Message,
            Ok(()) if self.message.is_at_field() => State::Complete,
            Ok(()) | Err(Malformed) => State::Invalid,
        };
    }

    fn is_done(&self) -> bool {
        matches!(self.state, State::Complete | State::Invalid)
    }

    fn target(&self) -> Option<&Target> {
        matches!(self.state, State::Complete).then_some(&self.message.target)
    }
}

/// The bytes are not a message.
struct Malformed;

/// A message that is being read.
struct Message {
    fields: &'static Fields,
    next: Next,
    /// How many groups, an old kind of field, are open.
    groups: u32,
    target: Target,
}

/// What the next bytes are.
enum Next {
    Key(Varint),
    /// The value of a field that is a number.
    Number(Varint),
    /// The length of a field's value.
    Length(u32, Varint),
    /// This many bytes of a value that is not needed.
    Skip(usize),
    /// The value of a field that names a target, or a part of one.
    Value {
        field: &'static Field,
        value: Vec<u8>,
        left: usize,
    },
}

impl Message {
    fn of(fields: &'static Fields) -> Self {
        Self { fields, next: Next::Key(Varint::default()), groups: 0, target: Target::default() }
    }

    /// Whether the bytes so far end with a whole field.
    const fn is_at_field(&self) -> bool {
        self.groups == 0 && matches!(self.next, Next::Key(Varint { bytes: 0, .. }))
    }

    fn read(&mut self, mut bytes: &[u8]) -> Result<(), Malformed> {
        while !bytes.is_empty() {
            bytes = self.step(bytes)?;
        }
        Ok(())
    }

    /// Reads some bytes and returns the others. Of repeated fields the last one counts, as when
    /// the message is decoded.
    fn step<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], Malformed> {
        match &mut self.next {
            Next::Skip(left) => {
                let (skipped, rest) = bytes.split_at(bytes.len().min(*left));
                *left = left.saturating_sub(skipped.len());
                if *left == 0 {
                    self.next = Next::Key(Varint::default());
                }
                Ok(rest)
            }
            Next::Value { field, value, left } => {
                let (part, rest) = bytes.split_at(bytes.len().min(*left));
                *left = left.saturating_sub(part.len());
                value.extend_from_slice(part);
                if *left == 0 {
                    self.target.set(field, value)?;
                    self.next = Next::Key(Varint::default());
                }
                Ok(rest)
            }
            Next::Key(varint) | Next::Number(varint) | Next::Length(_, varint) => {
                let Some((byte, rest)) = bytes.split_first() else { return Ok(bytes) };
                if let Some(value) = varint.push(*byte)? {
                    self.next = self.after(value)?;
                }
                Ok(rest)
            }
        }
    }

    /// What follows a varint.
    fn after(&mut self, value: u64) -> Result<Next, Malformed> {
        let key = || Next::Key(Varint::default());
        match self.next {
            Next::Key(_) => {
                let field = u32::try_from(value >> 3).map_err(|_| Malformed)?;
                match WireType::try_from(value & 7).map_err(|_| Malformed)? {
                    WireType::Varint => Ok(Next::Number(Varint::default())),
                    WireType::SixtyFourBit => Ok(Next::Skip(8)),
                    WireType::ThirtyTwoBit => Ok(Next::Skip(4)),
                    WireType::LengthDelimited => Ok(Next::Length(field, Varint::default())),
                    WireType::StartGroup => {
                        self.groups = self.groups.checked_add(1).ok_or(Malformed)?;
                        Ok(key())
                    }
                    WireType::EndGroup => {
                        self.groups = self.groups.checked_sub(1).ok_or(Malformed)?;
                        Ok(key())
                    }
                }
            }
            Next::Length(field, _) => {
                let left = usize::try_from(value).map_err(|_| Malformed)?;
                let field = self.fields.get(&field).filter(|_| self.groups == 0);
                match field {
                    Some(_) if left > MAX_VALUE_BYTES => Err(Malformed),
                    Some(field) if left == 0 => {
                        self.target.set(field, &[])?;
                        Ok(key())
                    }
                    Some(field) => Ok(Next::Value { field, value: Vec::new(), left }),
                    None if left == 0 => Ok(key()),
                    None => Ok(Next::Skip(left)),
                }
            }
            Next::Number(_) | Next::Skip(_) | Next::Value { .. } => Ok(key()),
        }
    }
}

/// A number of up to 64 bits, seven in each byte.
#[derive(Default)]
struct Varint {
    value: u64,
    bytes: u32,
}

impl Varint {
    /// Takes the next byte; returns the value after the last one.
    fn push(&mut self, byte: u8) -> Result<Option<u64>, Malformed> {
        if self.bytes == MAX_VARINT_BYTES {
            return Err(Malformed);
        }
        self.value |= u64::from(byte & 0x7f) << (7 * self.bytes);
        self.bytes += 1;
        Ok((byte & 0x80 == 0).then_some(self.value))
    }
}

impl Target {
    fn set(&mut self, field: &'static Field, value: &[u8]) -> Result<(), Malformed> {
        match field {
            Field::UserPoolId => self.user_pool_id = Some(loggable(value)),
            Field::ResourceArn => {
                let id = value.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
                self.user_pool_id = Some(loggable(id));
            }
            Field::Domain => self.domain = Some(loggable(value)),
            Field::Message(fields) => {
                let mut message = Message::of(fields);
                message.read(value)?;
                if !message.is_at_field() {
                    return Err(Malformed);
                }
                // Repeated messages are merged.
                let Self { user_pool_id, domain } = message.target;
                self.user_pool_id = user_pool_id.or_else(|| self.user_pool_id.take());
                self.domain = domain.or_else(|| self.domain.take());
            }
        }
        Ok(())
    }
}

/// A value of a client as it can be logged: escaped, and cut if it is too long.
fn loggable(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    let mut escaped = text.chars().flat_map(char::escape_default);
    let mut loggable: String = escaped.by_ref().take(MAX_CHARS).collect();
    if escaped.next().is_some() {
        loggable.push_str("...");
    }
    loggable
}
