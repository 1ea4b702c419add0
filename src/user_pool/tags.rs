//! The rules for tags.

use std::collections::BTreeMap;

use super::{
    Limits,
    violation::{AwsError, Reason, Violation},
};

/// The longest key, in characters.
const KEY_MAX: usize = 128;

/// Source: Cognito's developer guide on tagging; the shapes of 2017 give no bound.
pub(super) fn violations(tags: &BTreeMap<String, String>, limits: &Limits) -> Vec<Violation> {
    let mut violations = Vec::new();
    if tags.len() > limits.tags {
        let allowed = format!("may have at most {} tags, has {}", limits.tags, tags.len());
        violations.push(refused("user_pool_tags".to_owned(), Reason::Length, allowed));
        // A request has room for a hundred thousand; they are not looked at.
        return violations;
    }
    for (key, value) in tags {
        let field = || format!("user_pool_tags[{:?}]", shown(key));
        if !(1..=KEY_MAX).contains(&key.chars().count()) {
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

/// The key as far as it may go: a longer one would not fit into an answer.
fn shown(key: &str) -> &str {
    key.char_indices().nth(KEY_MAX).and_then(|(end, _)| key.get(..end)).unwrap_or(key)
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
