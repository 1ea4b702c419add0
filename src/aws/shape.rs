//! The shapes of messages in AWS's JSON, from the descriptors: which members a message has,
//! and how each is written. A field with a number of this service's own is no member.

use std::{collections::HashMap, sync::Arc};

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind as ProtoKind, MessageDescriptor};

use super::api::AwsApi;

/// The first field number that this service uses for fields that AWS does not have.
pub(super) const FIRST_OWN_NUMBER: u32 = 101;

/// The lists that must not be empty if they are present. Protobuf does not distinguish an
/// empty list from an absent one, so the rules behind this room cannot check it.
const MUST_HAVE_ITEMS: [&str; 3] = [
    "userpool.v1.CreateUserPoolRequest.schema",
    "userpool.v1.SignInPolicy.allowed_first_auth_factors",
    "userpool.v1.AccountRecoverySetting.recovery_mechanisms",
];

/// The lists that are shown in every answer if they are empty: an empty one has another meaning
/// than an absent one.
const SHOW_EMPTY: [&str; 1] =
    ["userpool.v1.UserAttributeUpdateSettings.attributes_require_verification_before_update"];

/// The members of a message.
#[derive(Debug)]
pub(super) struct Shape {
    /// By field number, in order.
    members: Vec<Member>,
    by_name: HashMap<String, usize>,
}

/// A member of a message.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) number: u32,
    /// The name of the field in the schema of this service.
    pub(super) field: String,
    /// The name in JSON, quoted, with the colon.
    pub(super) key: String,
    pub(super) kind: Kind,
    pub(super) cardinality: Cardinality,
    /// Whether the list or map is shown if it is empty.
    pub(super) show_empty: bool,
    /// Whether the list must have an item if it is present.
    pub(super) must_have_items: bool,
}

/// How often a value occurs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cardinality {
    One,
    List,
    /// From string to string.
    Map,
}

/// The type of a value.
#[derive(Debug)]
pub(super) enum Kind {
    String,
    Boolean,
    Integer,
    Timestamp,
    /// The numbers and names of its values, except that for "unspecified".
    Enum(Vec<(i32, String)>),
    Message(Arc<Shape>),
}

impl Shape {
    /// The shape of a message in `api`. The empty lists and maps in the fields with these full
    /// names are shown. `None` if the message has a field of a type that AWS's JSON does not
    /// have.
    pub(super) fn of(
        message: &MessageDescriptor,
        api: AwsApi,
        show_empty: &[&str],
    ) -> Option<Self> {
        let fields = message.fields().filter(|field| field.number() < FIRST_OWN_NUMBER);
        let fields = fields.filter(|field| api.has_field(field));
        let members: Option<Vec<_>> =
            fields.map(|field| Member::of(&field, api, show_empty)).collect();
        let mut members = members?;
        members.sort_by_key(|member| member.number);
        let by_name = members.iter().enumerate();
        let by_name = by_name.map(|(index, member)| (member.name().to_owned(), index)).collect();
        Some(Self { members, by_name })
    }

    pub(super) fn members(&self) -> &[Member] {
        &self.members
    }

    /// The member with this name in JSON.
    pub(super) fn named(&self, name: &str) -> Option<&Member> {
        self.members.get(*self.by_name.get(name)?)
    }
}

impl Member {
    fn of(field: &FieldDescriptor, api: AwsApi, show_empty: &[&str]) -> Option<Self> {
        let name = field.full_name();
        let (kind, cardinality) = if field.is_map() {
            (Kind::String, Cardinality::Map)
        } else {
            let kind = match field.kind() {
                ProtoKind::String => Kind::String,
                ProtoKind::Bool => Kind::Boolean,
                ProtoKind::Int32 => Kind::Integer,
                ProtoKind::Enum(values) => Kind::Enum(names(&values)),
                ProtoKind::Message(message)
                    if message.full_name() == "google.protobuf.Timestamp" =>
                {
                    Kind::Timestamp
                }
                ProtoKind::Message(message) => {
                    Kind::Message(Arc::new(Shape::of(&message, api, show_empty)?))
                }
                ProtoKind::Double
                | ProtoKind::Float
                | ProtoKind::Int64
                | ProtoKind::Uint32
                | ProtoKind::Uint64
                | ProtoKind::Sint32
                | ProtoKind::Sint64
                | ProtoKind::Fixed32
                | ProtoKind::Fixed64
                | ProtoKind::Sfixed32
                | ProtoKind::Sfixed64
                | ProtoKind::Bytes => return None,
            };
            (kind, if field.is_list() { Cardinality::List } else { Cardinality::One })
        };
        Some(Self {
            number: field.number(),
            field: field.name().to_owned(),
            key: format!("\"{}\":", field.json_name()),
            kind,
            cardinality,
            show_empty: show_empty.contains(&name) || SHOW_EMPTY.contains(&name),
            must_have_items: MUST_HAVE_ITEMS.contains(&name),
        })
    }

    /// The name in JSON.
    fn name(&self) -> &str {
        self.key.trim_matches([':', '"'])
    }
}

fn names(values: &EnumDescriptor) -> Vec<(i32, String)> {
    let specified = values.values().filter(|value| value.number() != 0);
    specified.map(|value| (value.number(), value.name().to_owned())).collect()
}
