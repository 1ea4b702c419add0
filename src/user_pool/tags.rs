//! The rules for tags.

use std::collections::BTreeMap;

use super::{
    Limits,
    violation::{AwsError, Rule, Violation},
};

/// Also the limit for keys in field paths.
const MAX_KEY_CHARS: usize = 128;
const MAX_VALUE_CHARS: usize = 256;

/// Source: the developer guide of Cognito on tagging. The shapes of 2017 have no limits.
pub(super) fn violations(tags: &BTreeMap<String, String>, limits: &Limits) -> Vec<Violation> {
    let mut violations = Vec::new();
    if tags.len() > limits.tags {
        let allowed = format!("must have at most {} tags, has {}", limits.tags, tags.len());
        violations.push(violation("user_pool_tags".to_owned(), Rule::Length, allowed));
        // A request can have a hundred thousand tags, so they are not checked one by one.
        return violations;
    }
    for (key, value) in tags {
        let field = || format!("user_pool_tags[{:?}]", truncate(key));
        if !(1..=MAX_KEY_CHARS).contains(&key.chars().count()) {
            violations.push(violation(field(), Rule::Length, "key must have 1 to 128 characters"));
        }
        if value.chars().count() > MAX_VALUE_CHARS {
            violations.push(violation(
                field(),
                Rule::Length,
                "value must have at most 256 characters",
            ));
        }
        if key.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:")) {
            violations.push(violation(field(), Rule::Reserved, "key must not begin with \"aws:\""));
        }
        if !key.chars().chain(value.chars()).all(is_allowed) {
            let allowed = "may contain only letters, digits, spaces and _ . : / = + - @";
            violations.push(violation(field(), Rule::Pattern, allowed));
        }
    }
    violations
}

/// The first characters of a key. A response has no space for a long one.
fn truncate(key: &str) -> &str {
    key.char_indices().nth(MAX_KEY_CHARS).and_then(|(end, _)| key.get(..end)).unwrap_or(key)
}

fn is_allowed(character: char) -> bool {
    character.is_alphanumeric() || " _.:/=+-@".contains(character)
}

fn violation(field: String, rule: Rule, description: impl Into<String>) -> Violation {
    let description = description.into();
    let text = format!("Invalid tag: {field} {description}.");
    let aws_error = AwsError::UserPoolTagging;
    Violation { aws_error, ..Violation::new(field, rule, description, text) }
}
