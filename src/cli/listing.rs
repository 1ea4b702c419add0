//! A JSON document as a listing: one line for each member that has a value, and
//! one for each schema attribute. A response that has one thing and its revision is
//! listed as that thing.

use serde_json::Value;

use super::{
    table::{lines, table},
    text::printable,
};

/// The members of a document by their paths, with their values.
pub(super) fn listing(document: &Value) -> String {
    let mut members = Vec::new();
    for (member, value) in document.as_object().into_iter().flatten() {
        let path = if value.is_object() { String::new() } else { member.clone() };
        collect(path, value, &mut members);
    }
    let mut table = table();
    for (path, value) in members {
        table.add_row([path, value]);
    }
    lines(&mut table).join("\n")
}

/// A value as it is read: texts without their quotes.
fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), printable)
}

fn collect(path: String, value: &Value, members: &mut Vec<(String, String)>) {
    let at = |member: &str| match path.as_str() {
        "" => member.to_owned(),
        path => format!("{path}.{member}"),
    };
    match value {
        Value::Object(object) => {
            for (member, value) in object {
                collect(at(&printable(member)), value, members);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for item in items {
                let name = item.get("Name").map(shown).unwrap_or_default();
                members.push((at(&name), attribute(item)));
            }
        }
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(shown).collect();
            members.push((path, items.join(", ")));
        }
        Value::Null => (),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => members.push((path, shown(value))),
    }
}

/// A schema attribute in a few words: its type, what it allows, its bounds.
fn attribute(attribute: &Value) -> String {
    let mut words = vec![attribute.get("AttributeDataType").map(shown).unwrap_or_default()];
    let flag = |member| attribute.get(member) == Some(&Value::Bool(true));
    if flag("Required") {
        words.push("required".to_owned());
    }
    if !flag("Mutable") {
        words.push("immutable".to_owned());
    }
    if flag("DeveloperOnlyAttribute") {
        words.push("developer only".to_owned());
    }
    for (constraints, least, most, what) in [
        ("StringAttributeConstraints", "MinLength", "MaxLength", "length"),
        ("NumberAttributeConstraints", "MinValue", "MaxValue", "value"),
    ] {
        let bound = |bound| attribute.get(constraints).and_then(|all| all.get(bound)).map(shown);
        match (bound(least), bound(most)) {
            (Some(least), Some(most)) => words.push(format!("{what} {least} to {most}")),
            (Some(least), None) => words.push(format!("{what} from {least}")),
            (None, Some(most)) => words.push(format!("{what} up to {most}")),
            (None, None) => (),
        }
    }
    words.join(", ")
}
