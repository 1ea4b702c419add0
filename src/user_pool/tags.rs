//! The rules for tags.

use std::collections::BTreeMap;

use super::{
    Limits,
    violation::{AwsError, Reason, Violation},
};

/// Source: Cognito's developer guide on tagging; the shapes of 2017 give no bound.
pub(super) fn violations(tags: &BTreeMap<String, String>, limits: &Limits) -> Vec<Violation> {
    let mut violations = Vec::new();
    if tags.len() > limits.tags {
        let limit = limits.tags;
        violations.push(refused(
            "user_pool_tags".to_owned(),
            Reason::Length,
            format!("may have at most {limit} tags, has {}", tags.len()),
        ));
    }
    for (key, value) in tags {
        let field = || format!("user_pool_tags[{key:?}]");
        if !(1..=128).contains(&key.chars().count()) {
            violations.push(refused(field(), Reason::Length, "key must have 1 to 128 characters"));
        }
        if value.chars().count() > 256 {
            violations.push(refused(field(), Reason::Length, "value may have 256 characters"));
        }
        if key.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:")) {
            violations.push(refused(field(), Reason::Reserved, "key may not begin with \"aws:\""));
        }
        if !key.chars().chain(value.chars()).all(is_allowed) {
            let allowed = "may have letters, digits, spaces and _ . : / = + - @";
            violations.push(refused(field(), Reason::Pattern, allowed));
        }
    }
    violations
}

fn is_allowed(character: char) -> bool {
    character.is_alphanumeric() || " _.:/=+-@".contains(character)
}

fn refused(field: String, reason: Reason, description: impl Into<String>) -> Violation {
    let description = description.into();
    let text = format!("Invalid tag: {field} {description}.");
    let aws_error = AwsError::UserPoolTagging;
    Violation { aws_error, ..Violation::new(field, reason, description, text) }
}
