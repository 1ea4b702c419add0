//! The differences between two documents.

use serde_json::{Map, Value, json};

/// A member that differs between two documents; `None` if it is absent in one.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The path of the member.
    pub path: String,
    /// The value in the first document.
    pub from: Option<Value>,
    /// The value in the second document.
    pub to: Option<Value>,
}

/// Returns the differences between two documents, member by member. Lists are compared as a
/// whole.
#[must_use]
pub fn differences(from: &Value, to: &Value) -> Vec<Difference> {
    let mut differences = Vec::new();
    collect(String::new(), Some(from), Some(to), &mut differences);
    differences
}

fn collect(
    path: String,
    from: Option<&Value>,
    to: Option<&Value>,
    differences: &mut Vec<Difference>,
) {
    if from == to {
        return;
    }
    let (Some(old), Some(new)) = (from.and_then(Value::as_object), to.and_then(Value::as_object))
    else {
        differences.push(Difference { path, from: from.cloned(), to: to.cloned() });
        return;
    };
    let added = new.keys().filter(|member| !old.contains_key(*member));
    for member in old.keys().chain(added) {
        let path = if path.is_empty() { member.clone() } else { format!("{path}.{member}") };
        collect(path, old.get(member), new.get(member), differences);
    }
}

/// Returns the document of a past state that is compared: the user pool, and whether it is
/// deleted. `replayed` is the JSON of a `ReplayUserPoolResponse`.
#[must_use]
pub fn comparable(replayed: &Value) -> Value {
    let mut pool = replayed.get("userPool").cloned().unwrap_or_default();
    let is_deleted = replayed.get("deleted").and_then(Value::as_bool).unwrap_or_default();
    if let (Some(members), true) = (pool.as_object_mut(), is_deleted) {
        members.insert("deleted".to_owned(), true.into());
    }
    pool
}

/// Returns a difference as a document.
#[must_use]
pub fn difference_item(difference: &Difference) -> Value {
    let Difference { path, from, to } = difference;
    let mut document = Map::from_iter([("path".to_owned(), path.as_str().into())]);
    document.extend(from.clone().map(|value| ("from".to_owned(), value)));
    document.extend(to.clone().map(|value| ("to".to_owned(), value)));
    Value::Object(document)
}

/// Returns the document of the differences between two past states: the two points, and each
/// difference. The states are the JSON of a `ReplayUserPoolResponse`.
#[must_use]
pub fn difference_document(from: &Value, to: &Value) -> Value {
    let point = |replayed: &Value| {
        let members = ["revision", "position", "recordTime"].into_iter().filter_map(|member| {
            replayed.get(member).map(|value| (member.to_owned(), value.clone()))
        });
        Value::Object(members.collect())
    };
    let found = differences(&comparable(from), &comparable(to));
    let found: Vec<_> = found.iter().map(difference_item).collect();
    json!({ "from": point(from), "to": point(to), "differences": found })
}
