//! The schema of a user pool: the standard attributes, the custom ones, and the
//! rules for both. Texts are Cognito's.

use std::{borrow::Cow, collections::HashSet, sync::LazyLock};

use crate::proto::{
    NumberAttributeConstraints, SchemaAttribute, StringAttributeConstraints, UserPool,
    alias_attribute,
    attribute_data_type::{self, Value as DataType},
};

use super::{
    Limits,
    violation::{Reason, Violation},
};

/// The longest value of a text attribute, in bytes.
const TEXT_MAX: i64 = 2048;

/// The standard attributes in the order in which Cognito shows them.
///
/// Source: what DescribeUserPool shows of a new pool.
static STANDARD: LazyLock<Vec<SchemaAttribute>> = LazyLock::new(|| {
    let text = |name, least: u16, most: u16| standard(name, DataType::String, bounds(least, most));
    let flag = |name| standard(name, DataType::Boolean, Constraints::None);
    let since = NumberAttributeConstraints { min_value: Some("0".to_owned()), max_value: None };
    let sub = text("sub", 1, 2048);
    vec![
        SchemaAttribute { mutable: Some(false), required: Some(true), ..sub },
        text("name", 0, 2048),
        text("given_name", 0, 2048),
        text("family_name", 0, 2048),
        text("middle_name", 0, 2048),
        text("nickname", 0, 2048),
        text("preferred_username", 0, 2048),
        text("profile", 0, 2048),
        text("picture", 0, 2048),
        text("website", 0, 2048),
        text("email", 0, 2048),
        flag("email_verified"),
        text("gender", 0, 2048),
        text("birthdate", 10, 10),
        text("zoneinfo", 0, 2048),
        text("locale", 0, 2048),
        text("phone_number", 0, 2048),
        flag("phone_number_verified"),
        text("address", 0, 2048),
        standard("updated_at", DataType::Number, Constraints::Number(since)),
    ]
});

/// The attributes of a user pool that was created with `requested`: the standard
/// ones, changed in place where requested, then the custom ones in order.
pub(super) fn merge(requested: &[SchemaAttribute]) -> Vec<SchemaAttribute> {
    let mut attributes = STANDARD.clone();
    for request in requested {
        let named = |attribute: &&mut SchemaAttribute| attribute.name == request.name;
        match attributes.iter_mut().take(STANDARD.len()).find(named) {
            Some(attribute) => override_standard(attribute, request),
            None => attributes.push(custom(request)),
        }
    }
    attributes
}

/// Whether this is a standard attribute as it is where nothing was requested.
pub(super) fn is_standard(attribute: &SchemaAttribute) -> bool {
    STANDARD.contains(attribute)
}

/// Every rule that the requested schema breaks.
pub(super) fn violations(requested: &UserPool, limits: &Limits) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut seen = HashSet::new();
    let mut customs = 0_usize;
    for (index, attribute) in requested.schema_attributes.iter().enumerate() {
        let place = Place(index);
        let Some(name) = attribute.name.as_ref() else {
            violations.push(Violation::new(
                place.member("name"),
                Reason::Required,
                "must be given",
                "Schema attributes must have a name.",
            ));
            continue;
        };
        let builtin = STANDARD.iter().find(|standard| standard.name.as_ref() == Some(name));
        let shown = match builtin {
            Some(_) => Cow::from(name),
            None => Cow::from(custom_name(attribute)),
        };
        if !seen.insert(shown.clone()) {
            let kind = if builtin.is_some() { "standard" } else { "custom" };
            violations.push(Violation::new(
                place.member("name"),
                Reason::Duplicate,
                format!("is the second attribute named {shown}"),
                format!(
                    "Duplicate {kind} attribute names {shown} are not allowed in a user pool \
                     schema."
                ),
            ));
        }
        if let Some(standard) = builtin {
            violations.extend(standard_violations(place, requested, attribute, standard));
        } else {
            customs += 1;
            violations.extend(custom_violations(place, attribute));
        }
        violations.extend(bounds_violations(place, &shown, attribute, builtin));
    }
    if customs > limits.custom_attributes {
        let limit = limits.custom_attributes;
        violations.push(Violation::new(
            "schema",
            Reason::Length,
            format!("may have at most {limit} custom attributes, has {customs}"),
            format!("Number of custom attributes exceeds the limit of {limit}."),
        ));
    }
    violations
}

/// Source: refusals seen on AWS; that a required alias is refused, Cognito's
/// developer guide.
fn standard_violations(
    place: Place,
    requested: &UserPool,
    attribute: &SchemaAttribute,
    standard: &SchemaAttribute,
) -> Vec<Violation> {
    let mut violations = Vec::new();
    let name = standard.name.as_deref().unwrap_or_default();
    let retyped = attribute.attribute_data_type.is_some()
        && attribute.attribute_data_type != standard.attribute_data_type;
    let text = format!(
        "You can not change AttributeDataType or set developerOnlyAttribute for standard schema \
         attribute {name}"
    );
    if retyped {
        let field = place.member("attribute_data_type");
        let kept = "must be left out, or be the type of the standard attribute";
        violations.push(Violation::new(field, Reason::Conflict, kept, text.clone()));
    }
    if attribute.developer_only_attribute == Some(true) {
        let field = place.member("developer_only_attribute");
        let kept = "may not be true for a standard attribute";
        violations.push(Violation::new(field, Reason::Conflict, kept, text));
    }
    let alias = i32::from(alias_attribute::Value::PreferredUsername);
    if name == "preferred_username"
        && attribute.required == Some(true)
        && requested.alias_attributes.contains(&alias)
    {
        violations.push(Violation::new(
            place.member("required"),
            Reason::Conflict,
            "may not be true while alias_attributes has preferred_username",
            "preferred_username can not be both required and an alias.",
        ));
    }
    violations
}

/// Source: refusals seen on AWS.
fn custom_violations(place: Place, attribute: &SchemaAttribute) -> Vec<Violation> {
    let mut violations = Vec::new();
    if attribute.attribute_data_type.is_none() {
        violations.push(Violation::new(
            place.member("attribute_data_type"),
            Reason::Required,
            "must be given for a custom attribute",
            "Invalid AttributeDataType input, consider using the provided AttributeDataType enum.",
        ));
    }
    if attribute.required == Some(true) {
        violations.push(Violation::new(
            place.member("required"),
            Reason::Unsupported,
            "may not be true for a custom attribute",
            "Required custom attributes are not supported currently.",
        ));
    }
    violations
}

/// Source: refusals seen on AWS and those that moto repeats from it.
fn bounds_violations(
    place: Place,
    name: &str,
    attribute: &SchemaAttribute,
    builtin: Option<&SchemaAttribute>,
) -> Vec<Violation> {
    let standard_type = builtin.and_then(|standard| standard.attribute_data_type);
    let mut violations = Vec::new();
    let mut refuse = |path: &str, reason, description: &str, text| {
        violations.push(Violation::new(place.member(path), reason, description, text));
    };
    match data_type(attribute.attribute_data_type.or(standard_type)) {
        DataType::String => {
            let Some(constraints) = &attribute.string_attribute_constraints else {
                return violations;
            };
            let path = "string_attribute_constraints";
            let invalid =
                || format!("Invalid StringAttributeConstraints for schema attribute {name}");
            let (least, most) =
                (bound(constraints.min_length.as_ref()), bound(constraints.max_length.as_ref()));
            for (member, length) in [("min_length", &least), ("max_length", &most)] {
                let path = format!("{path}.{member}");
                match length {
                    Ok(Some(..0)) | Err(NotAnInteger) => {
                        refuse(&path, Reason::Pattern, "must be an integer from 0", invalid());
                    }
                    Ok(Some(length)) if *length > TEXT_MAX => {
                        let text = format!(
                            "user.{}: String attributes cannot have a length of more than \
                             {TEXT_MAX}",
                            attribute.name.as_deref().unwrap_or_default()
                        );
                        refuse(&path, Reason::Range, "must be at most 2048", text);
                    }
                    Ok(Some(_) | None) => (),
                }
            }
            if let (Ok(Some(least)), Ok(Some(most))) = (least, most)
                && least > most
            {
                let text = format!(
                    "Attribute {name} cannot have a max length shorter than it's min length"
                );
                let path = format!("{path}.max_length");
                refuse(&path, Reason::Range, "must not be less than min_length", text);
            }
        }
        DataType::Number => {
            let Some(constraints) = &attribute.number_attribute_constraints else {
                return violations;
            };
            let path = "number_attribute_constraints";
            let invalid =
                || format!("Invalid NumberAttributeConstraints for schema attribute {name}");
            let (least, most) =
                (bound(constraints.min_value.as_ref()), bound(constraints.max_value.as_ref()));
            for (member, value) in [("min_value", &least), ("max_value", &most)] {
                if value.is_err() {
                    let path = format!("{path}.{member}");
                    refuse(&path, Reason::Pattern, "must be an integer", invalid());
                }
            }
            if let (Ok(Some(least)), Ok(Some(most))) = (least, most)
                && least > most
            {
                let text =
                    format!("Attribute {name} cannot have a max value smaller than it's min value");
                let path = format!("{path}.max_value");
                refuse(&path, Reason::Range, "must not be less than min_value", text);
            }
        }
        // Constraints of another type are not looked at; they are dropped.
        DataType::Boolean | DataType::DateTime | DataType::Unspecified => (),
    }
    violations
}

/// The place of an attribute in the request.
#[derive(Clone, Copy)]
struct Place(usize);

impl Place {
    fn member(self, name: &str) -> String {
        format!("schema[{}].{name}", self.0)
    }
}

struct NotAnInteger;

fn bound(text: Option<&String>) -> Result<Option<i64>, NotAnInteger> {
    text.map(String::as_str).map(str::parse).transpose().map_err(|_| NotAnInteger)
}

fn override_standard(attribute: &mut SchemaAttribute, request: &SchemaAttribute) {
    attribute.mutable = request.mutable.or(attribute.mutable);
    attribute.required = request.required.or(attribute.required);
    match data_type(attribute.attribute_data_type) {
        DataType::String => {
            let requested = request.string_attribute_constraints.clone();
            attribute.string_attribute_constraints =
                requested.or(attribute.string_attribute_constraints.take());
        }
        DataType::Number => {
            let requested = request.number_attribute_constraints.clone();
            attribute.number_attribute_constraints =
                requested.or(attribute.number_attribute_constraints.take());
        }
        DataType::Boolean | DataType::DateTime | DataType::Unspecified => (),
    }
}

fn custom(request: &SchemaAttribute) -> SchemaAttribute {
    let (mut number, mut string) = (None, None);
    match data_type(request.attribute_data_type) {
        DataType::String => {
            string = Some(request.string_attribute_constraints.clone().unwrap_or_default());
        }
        DataType::Number => {
            number = Some(request.number_attribute_constraints.clone().unwrap_or_default());
        }
        DataType::Boolean | DataType::DateTime | DataType::Unspecified => (),
    }
    SchemaAttribute {
        name: Some(custom_name(request)),
        attribute_data_type: request.attribute_data_type,
        developer_only_attribute: Some(request.developer_only_attribute.unwrap_or(false)),
        mutable: Some(request.mutable.unwrap_or(true)),
        required: Some(request.required.unwrap_or(false)),
        number_attribute_constraints: number,
        string_attribute_constraints: string,
    }
}

fn custom_name(request: &SchemaAttribute) -> String {
    let name = request.name.as_deref().unwrap_or_default();
    let developer_only = request.developer_only_attribute == Some(true);
    format!("{}custom:{name}", if developer_only { "dev:" } else { "" })
}

/// The bounds of an attribute, in the form that its type has.
enum Constraints {
    None,
    String(StringAttributeConstraints),
    Number(NumberAttributeConstraints),
}

fn bounds(least: u16, most: u16) -> Constraints {
    let (min_length, max_length) = (Some(least.to_string()), Some(most.to_string()));
    Constraints::String(StringAttributeConstraints { min_length, max_length })
}

fn standard(name: &str, data_type: DataType, constraints: Constraints) -> SchemaAttribute {
    let (string, number) = match constraints {
        Constraints::None => (None, None),
        Constraints::String(constraints) => (Some(constraints), None),
        Constraints::Number(constraints) => (None, Some(constraints)),
    };
    SchemaAttribute {
        name: Some(name.to_owned()),
        attribute_data_type: Some(data_type.into()),
        developer_only_attribute: Some(false),
        mutable: Some(true),
        required: Some(false),
        number_attribute_constraints: number,
        string_attribute_constraints: string,
    }
}

fn data_type(value: Option<i32>) -> DataType {
    value.and_then(|value| attribute_data_type::Value::try_from(value).ok()).unwrap_or_default()
}
