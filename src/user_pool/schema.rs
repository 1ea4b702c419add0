//! The schema of a user pool: the standard attributes, the custom attributes, and the rules
//! for both. The texts are those of Cognito.

use std::{borrow::Cow, collections::HashSet, num::ParseIntError, sync::LazyLock};

use crate::proto::{
    NumberAttributeConstraints, SchemaAttribute, StringAttributeConstraints, UserPool,
    attribute_data_type::{self, Value as DataType},
};

use super::{
    InvalidRequest, Limits,
    violation::{Rule, Violation},
};

/// The highest length limit of a string attribute.
const MAX_STRING_LENGTH: i64 = 2048;

/// The standard attributes, in the order of Cognito.
///
/// Source: DescribeUserPool of a new user pool.
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

/// Returns the attributes of a new user pool: the standard attributes with the requested
/// changes, then the requested custom attributes in order.
pub(super) fn merge(requested: &[SchemaAttribute]) -> Vec<SchemaAttribute> {
    let mut attributes = STANDARD.clone();
    for request in requested {
        let named = |attribute: &&mut SchemaAttribute| attribute.name == request.name;
        match attributes.iter_mut().take(STANDARD.len()).find(named) {
            Some(attribute) => override_standard(attribute, request),
            None => attributes.push(custom_attribute(request)),
        }
    }
    attributes
}

/// Whether the attribute is a standard attribute without changes.
pub(super) fn is_unchanged_standard(attribute: &SchemaAttribute) -> bool {
    STANDARD.contains(attribute)
}

/// Checks the requested schema.
pub(super) fn violations(requested: &UserPool, limits: &Limits) -> Vec<Violation> {
    let attributes = &requested.schema_attributes;
    let mut violations = attribute_violations("schema", attributes, &STANDARD);
    let is_custom = |attribute: &&SchemaAttribute| {
        attribute.name.is_some() && !STANDARD.iter().any(|known| known.name == attribute.name)
    };
    let custom_count = attributes.iter().filter(is_custom).count();
    violations.extend(limit_violation("schema", custom_count, limits));
    violations
}

/// The custom attributes with these requests, which may have the names of standard attributes.
///
/// # Errors
/// The rules that the requests break.
pub(super) fn new_custom_attributes(
    list: &'static str,
    requested: &[SchemaAttribute],
) -> Result<Vec<SchemaAttribute>, InvalidRequest> {
    InvalidRequest::semantics(attribute_violations(list, requested, &[]))?;
    Ok(requested.iter().map(custom_attribute).collect())
}

/// Checks that these custom attributes can be added to a schema.
pub(super) fn addition_violations(
    list: &'static str,
    added: &[SchemaAttribute],
    schema: &[SchemaAttribute],
    limits: &Limits,
) -> Vec<Violation> {
    let is_known = |name: &Option<String>| schema.iter().any(|known| known.name == *name);
    let known = added.iter().enumerate().filter(|(_, attribute)| is_known(&attribute.name));
    // Source: a refusal that emulators copy from AWS.
    let known = known.map(|(index, attribute)| {
        let name = attribute.name.as_deref().unwrap_or_default();
        let field = AttributePath { list, index }.member("name");
        let short = name.strip_prefix("dev:").unwrap_or(name);
        let text = format!("{short}: Existing attribute already has name {name}.");
        let description = format!("the user pool has an attribute named {name}");
        Violation::new(field, Rule::Duplicate, description, text)
    });
    let mut violations: Vec<_> = known.collect();
    let custom_count = schema.len().saturating_sub(STANDARD.len()).saturating_add(added.len());
    violations.extend(limit_violation(list, custom_count, limits));
    violations
}

fn limit_violation(list: &'static str, custom_count: usize, limits: &Limits) -> Option<Violation> {
    let limit = limits.custom_attributes;
    let description = format!("must have at most {limit} custom attributes, has {custom_count}");
    let text = format!("Number of custom attributes exceeds the limit of {limit}.");
    (custom_count > limit).then(|| Violation::new(list, Rule::Length, description, text))
}

/// Checks the attributes in a list of a request, which can change these standard attributes.
fn attribute_violations(
    list: &'static str,
    attributes: &[SchemaAttribute],
    standard: &[SchemaAttribute],
) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut seen = HashSet::new();
    for (index, attribute) in attributes.iter().enumerate() {
        let place = AttributePath { list, index };
        let Some(name) = attribute.name.as_ref() else {
            violations.push(Violation::new(
                place.member("name"),
                Rule::Required,
                "is required",
                "Schema attributes must have a name.",
            ));
            continue;
        };
        let builtin = standard.iter().find(|standard| standard.name.as_ref() == Some(name));
        let shown = match builtin {
            Some(_) => Cow::from(name),
            None => Cow::from(custom_name(attribute)),
        };
        if !seen.insert(shown.clone()) {
            let kind = if builtin.is_some() { "standard" } else { "custom" };
            violations.push(Violation::new(
                place.member("name"),
                Rule::Duplicate,
                format!("another attribute is named {shown}"),
                format!(
                    "Duplicate {kind} attribute names {shown} are not allowed in a user pool \
                     schema."
                ),
            ));
        }
        match builtin {
            Some(standard) => violations.extend(standard_violations(place, attribute, standard)),
            None => violations.extend(custom_violations(place, attribute)),
        }
        violations.extend(bounds_violations(place, &shown, attribute, builtin));
    }
    violations
}

/// Source: refusals observed on AWS. A required `preferred_username` that is also an alias is
/// accepted there, against the developer guide of Cognito.
fn standard_violations(
    place: AttributePath,
    attribute: &SchemaAttribute,
    standard: &SchemaAttribute,
) -> Vec<Violation> {
    let mut violations = Vec::new();
    let name = standard.name.as_deref().unwrap_or_default();
    let changes_type = attribute.attribute_data_type.is_some()
        && attribute.attribute_data_type != standard.attribute_data_type;
    let text = format!(
        "You can not change AttributeDataType or set developerOnlyAttribute for standard schema \
         attribute {name}"
    );
    if changes_type {
        let field = place.member("attribute_data_type");
        let description = "must be absent or the type of the standard attribute";
        violations.push(Violation::new(field, Rule::Conflict, description, text.clone()));
    }
    if attribute.developer_only_attribute == Some(true) {
        let field = place.member("developer_only_attribute");
        let description = "must not be true for a standard attribute";
        violations.push(Violation::new(field, Rule::Conflict, description, text));
    }
    violations
}

/// Source: refusals observed on AWS.
fn custom_violations(place: AttributePath, attribute: &SchemaAttribute) -> Vec<Violation> {
    let mut violations = Vec::new();
    if attribute.attribute_data_type.is_none() {
        violations.push(Violation::new(
            place.member("attribute_data_type"),
            Rule::Required,
            "is required for a custom attribute",
            "Invalid AttributeDataType input, consider using the provided AttributeDataType enum.",
        ));
    }
    if attribute.required == Some(true) {
        violations.push(Violation::new(
            place.member("required"),
            Rule::Unsupported,
            "must not be true for a custom attribute",
            "Required custom attributes are not supported currently.",
        ));
    }
    violations
}

/// Source: refusals observed on AWS, and those that moto copies from AWS.
fn bounds_violations(
    place: AttributePath,
    name: &str,
    attribute: &SchemaAttribute,
    builtin: Option<&SchemaAttribute>,
) -> Vec<Violation> {
    let standard_type = builtin.and_then(|standard| standard.attribute_data_type);
    let data_type = data_type(attribute.attribute_data_type.or(standard_type));
    let SchemaAttribute { string_attribute_constraints, number_attribute_constraints, .. } =
        attribute;
    let (least, most) =
        match (data_type, string_attribute_constraints, number_attribute_constraints) {
            (DataType::String, Some(bounds), _) => (&bounds.min_length, &bounds.max_length),
            (DataType::Number, _, Some(bounds)) => (&bounds.min_value, &bounds.max_value),
            // Constraints of another type are ignored and not stored.
            (_, _, _) => return Vec::new(),
        };
    let (least, most) = (bound(least.as_ref()), bound(most.as_ref()));
    let is_string = data_type == DataType::String;
    let (kind, smaller, shape, path) = if is_string {
        ("length", "shorter", "StringAttributeConstraints", "string_attribute_constraints")
    } else {
        ("value", "smaller", "NumberAttributeConstraints", "number_attribute_constraints")
    };
    let field = |end| place.member(&format!("{path}.{end}_{kind}"));
    let mut violations = Vec::new();
    for (end, bound) in [("min", &least), ("max", &most)] {
        let invalid = || format!("Invalid {shape} for schema attribute {name}");
        let (rule, description, text) = match bound {
            Ok(Some(..0)) | Err(_) if is_string => {
                (Rule::Pattern, "must be an integer, 0 or more", invalid())
            }
            Err(_) => (Rule::Pattern, "must be an integer", invalid()),
            Ok(Some(length)) if is_string && *length > MAX_STRING_LENGTH => {
                let name = attribute.name.as_deref().unwrap_or_default();
                let text = format!(
                    "user.{name}: String attributes cannot have a length of more than \
                     {MAX_STRING_LENGTH}"
                );
                (Rule::Range, "must be at most 2048", text)
            }
            Ok(_) => continue,
        };
        violations.push(Violation::new(field(end), rule, description, text));
    }
    if let (Ok(Some(least)), Ok(Some(most))) = (least, most)
        && least > most
    {
        let description = format!("must not be less than min_{kind}");
        let text =
            format!("Attribute {name} cannot have a max {kind} {smaller} than it's min {kind}");
        violations.push(Violation::new(field("max"), Rule::Range, description, text));
    }
    violations
}

/// The path of an attribute in the request, by its list and its index.
#[derive(Clone, Copy)]
struct AttributePath {
    list: &'static str,
    index: usize,
}

impl AttributePath {
    fn member(self, name: &str) -> String {
        format!("{}[{}].{name}", self.list, self.index)
    }
}

fn bound(text: Option<&String>) -> Result<Option<i64>, ParseIntError> {
    text.map(|text| text.parse()).transpose()
}

fn override_standard(attribute: &mut SchemaAttribute, request: &SchemaAttribute) {
    attribute.mutable = Some(is_mutable(request));
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

fn custom_attribute(request: &SchemaAttribute) -> SchemaAttribute {
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
        mutable: Some(is_mutable(request)),
        required: Some(request.required.unwrap_or(false)),
        number_attribute_constraints: number,
        string_attribute_constraints: string,
    }
}

/// An attribute in a request is mutable only if the request says so. A standard attribute that
/// is not in the request stays as it is.
///
/// Source: DescribeUserPool of user pools whose schema omitted the member.
fn is_mutable(request: &SchemaAttribute) -> bool {
    request.mutable.unwrap_or(false)
}

fn custom_name(request: &SchemaAttribute) -> String {
    let name = request.name.as_deref().unwrap_or_default();
    let developer_only = request.developer_only_attribute == Some(true);
    format!("{}custom:{name}", if developer_only { "dev:" } else { "" })
}

/// The constraints of an attribute, by its type.
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
