//! The differences of a user pool between two points, as people read them: lists without an
//! order are compared as sets, attributes by their names, and texts word by word.

use std::{collections::BTreeMap, time::Duration};

use maud::{Markup, html};
use serde_json::{Map, Value};
use similar::{ChangeTag, TextDiff};

use crate::proto::{Difference, differences};

use super::{
    members::{REDUNDANT, group_of},
    value::lines,
};

/// The attributes, each of which is one thing to people.
const ATTRIBUTES: &str = "SchemaAttributes.";

/// How long the comparison of the words of one text may take.
const WORDS_TIMEOUT: Duration = Duration::from_millis(100);

/// The differences of one group.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) differences: Vec<Difference>,
}

/// The differences, and how many of them say nothing of their own.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    pub(super) sections: Vec<Section>,
    pub(super) redundant: usize,
}

/// Compares two user pools.
pub(super) fn compare(from: &Value, to: &Value, with_redundant: bool) -> Comparison {
    let all = differences(&normalize(from), &normalize(to)).into_iter().flat_map(leaves);
    let is_redundant = |path: &str| REDUNDANT.contains(&path);
    let (redundant, rest): (Vec<_>, Vec<_>) = all.partition(|found| is_redundant(&found.path));
    let shown = if with_redundant { [rest, redundant.clone()].concat() } else { rest };
    let mut sections: Vec<Section> = Vec::new();
    for difference in shown {
        let title = group_of(&difference.path);
        match sections.iter_mut().find(|section| section.title == title) {
            Some(section) => section.differences.push(difference),
            None => sections.push(Section { title, differences: vec![difference] }),
        }
    }
    Comparison { sections, redundant: redundant.len() }
}

/// The members of a message that only one side has. An attribute stays whole.
fn leaves(difference: Difference) -> Vec<Difference> {
    let (one, is_new) = match (&difference.from, &difference.to) {
        (Some(Value::Object(members)), None) => (members, false),
        (None, Some(Value::Object(members))) => (members, true),
        _ => return vec![difference],
    };
    if difference.path.starts_with(ATTRIBUTES) {
        return vec![difference];
    }
    let members = one.iter().map(|(name, value)| {
        let (path, value) = (format!("{}.{name}", difference.path), Some(value.clone()));
        let (from, to) = if is_new { (None, value) } else { (value, None) };
        Difference { path, from, to }
    });
    members.flat_map(leaves).collect()
}

/// The document with its attributes by name, and with its lists of names in one order.
fn normalize(document: &Value) -> Value {
    match document {
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| (name.clone(), normalize(value)));
            Value::Object(members.collect())
        }
        Value::Array(items) => by_name(items).unwrap_or_else(|| sorted(items)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => document.clone(),
    }
}

/// The items by their names, if each has one.
fn by_name(items: &[Value]) -> Option<Value> {
    let named = items.iter().map(|item| {
        let name = item.get("Name").and_then(Value::as_str)?;
        Some((name.to_owned(), normalize(item)))
    });
    let named: Option<BTreeMap<_, _>> = named.collect();
    let named = named.filter(|named| !named.is_empty() && named.len() == items.len())?;
    Some(Value::Object(named.into_iter().collect::<Map<_, _>>()))
}

fn sorted(items: &[Value]) -> Value {
    let mut items: Vec<_> = items.iter().map(normalize).collect();
    items.sort_by_key(ToString::to_string);
    Value::Array(items)
}

/// The old and the new value, with the words marked that differ.
pub(super) fn marked(difference: &Difference) -> (Option<Markup>, Option<Markup>) {
    let (from, to) = (difference.from.as_ref().map(lines), difference.to.as_ref().map(lines));
    let (Some(old), Some(new)) = (&from, &to) else {
        let plain = |text: Option<String>| text.map(|text| html! { (text) });
        return (plain(from), plain(to));
    };
    let words = TextDiff::configure().timeout(WORDS_TIMEOUT).diff_words(old, new);
    let changes: Vec<_> = words.iter_all_changes().collect();
    let has_common = changes
        .iter()
        .any(|change| change.tag() == ChangeTag::Equal && !change.value().trim().is_empty());
    if !has_common {
        return (Some(html! { (old) }), Some(html! { (new) }));
    }
    let side = |own: ChangeTag| {
        html! {
            @for change in &changes {
                @if change.tag() == ChangeTag::Equal { (change.value()) }
                @else if change.tag() == own {
                    @if own == ChangeTag::Delete { del { (change.value()) } }
                    @else { ins { (change.value()) } }
                }
            }
        }
    };
    (Some(side(ChangeTag::Delete)), Some(side(ChangeTag::Insert)))
}

#[cfg(test)]
mod tests {
    use super::{compare, marked};
    use crate::proto::Difference;
    use serde_json::{Value, json};

    fn paths(from: &Value, to: &Value) -> Vec<String> {
        let compared = compare(from, to, false);
        let all = compared.sections.into_iter().flat_map(|section| section.differences);
        all.map(|difference| difference.path).collect()
    }

    #[test]
    fn an_order_without_meaning_is_no_difference() {
        let from = json!({ "AliasAttributes": ["email", "phone_number"] });
        let to = json!({ "AliasAttributes": ["phone_number", "email"] });
        assert_eq!(paths(&from, &to), Vec::<String>::new());
        let name = |name: &str, mutable: bool| json!({ "Name": name, "Mutable": mutable });
        let from = json!({ "SchemaAttributes": [name("a", true), name("b", true)] });
        let to =
            json!({ "SchemaAttributes": [name("b", false), name("a", true), name("c", true)] });
        assert_eq!(paths(&from, &to), ["SchemaAttributes.b.Mutable", "SchemaAttributes.c"]);
    }

    #[test]
    fn a_value_under_a_second_name_is_folded() {
        let pool = |text: &str| {
            json!({
                "EmailVerificationMessage": text,
                "VerificationMessageTemplate": { "EmailMessage": text },
                "LastModifiedDate": text,
            })
        };
        let (from, to) = (pool("a {####}"), pool("b {####}"));
        assert_eq!(paths(&from, &to), ["VerificationMessageTemplate.EmailMessage"]);
        assert_eq!(compare(&from, &to, false).redundant, 2);
        let all = compare(&from, &to, true).sections;
        assert_eq!(all.iter().map(|section| section.differences.len()).sum::<usize>(), 3);
    }

    #[test]
    fn each_member_of_a_new_message_is_a_difference() {
        let to = json!({ "SmsConfiguration": { "ExternalId": "x", "SnsCallerArn": "y" } });
        let expected = ["SmsConfiguration.ExternalId", "SmsConfiguration.SnsCallerArn"];
        assert_eq!(paths(&json!({}), &to), expected);
        assert_eq!(paths(&to, &json!({})), expected);
    }

    #[test]
    fn words_that_differ_are_marked_and_escaped() {
        let text = |text: &str| Some(Value::from(text));
        let difference =
            Difference { path: "a".to_owned(), from: text("Use <b> now"), to: text("Use <i> now") };
        let (from, to) = marked(&difference);
        assert_eq!(from.expect("a side").into_string(), "Use <del>&lt;b&gt;</del> now");
        assert_eq!(to.expect("a side").into_string(), "Use <ins>&lt;i&gt;</ins> now");
    }
}
