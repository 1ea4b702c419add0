//! A JSON document as a table: one line for each member that has a value, and one for
//! each schema attribute. Other objects in a list are numbered. The members of an object in the document are listed without the
//! name of that object.

use serde_json::Value;

use super::{
    table::{new_table, render},
    text::escape,
};

/// Formats the members of a document, each with its path and value.
pub(super) fn format_listing(document: &Value) -> String {
    let mut members = Vec::new();
    for (member, value) in document.as_object().into_iter().flatten() {
        let path = if value.is_object() { String::new() } else { member.clone() };
        collect(path, value, &mut members);
    }
    let mut table = new_table();
    for (path, value) in members {
        table.add_row([path, value]);
    }
    render(&mut table).join("\n")
}

/// Formats a value; a text has no quotes.
fn format_value(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), escape)
}

fn collect(path: String, value: &Value, members: &mut Vec<(String, String)>) {
    let at = |member: &str| match path.as_str() {
        "" => member.to_owned(),
        path => format!("{path}.{member}"),
    };
    match value {
        Value::Object(object) => {
            for (member, value) in object {
                collect(at(&escape(member)), value, members);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (index, item) in items.iter().enumerate() {
                match (item.get("Name"), item.get("AttributeDataType")) {
                    (Some(name), Some(_)) => {
                        members.push((at(&format_value(name)), format_attribute(item)));
                    }
                    _ => collect(at(&(index + 1).to_string()), item, members),
                }
            }
        }
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(format_value).collect();
            members.push((path, items.join(", ")));
        }
        Value::Null => (),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            members.push((path, format_value(value)));
        }
    }
}

/// Formats a schema attribute in a few words: its type, flags and bounds.
fn format_attribute(attribute: &Value) -> String {
    let mut words = vec![attribute.get("AttributeDataType").map(format_value).unwrap_or_default()];
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
        let bound =
            |bound| attribute.get(constraints).and_then(|all| all.get(bound)).map(format_value);
        match (bound(least), bound(most)) {
            (Some(least), Some(most)) => words.push(format!("{what} {least} to {most}")),
            (Some(least), None) => words.push(format!("{what} from {least}")),
            (None, Some(most)) => words.push(format!("{what} up to {most}")),
            (None, None) => (),
        }
    }
    words.join(", ")
}
