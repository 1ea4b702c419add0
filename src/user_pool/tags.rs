//! Tags: their rules, and the decisions of the commands that change nothing else.

use std::collections::BTreeMap;

use crate::proto::{UserPool, UserPoolTagged, UserPoolUntagged};

use super::{
    Event, InvalidRequest, Limits,
    check::Check,
    violation::{AwsError, Rule, Violation},
};

/// Also the limit for keys in field paths.
const MAX_KEY_CHARS: usize = 128;
const MAX_VALUE_CHARS: usize = 256;
/// The rules for texts, for people.
const ALLOWED: &str = "may contain only letters, digits, spaces and _ . : / = + - @";
const RESERVED: &str = "must not begin with \"aws:\"";

/// The field of a request that has tags, and the exception for a broken rule.
#[derive(Clone, Copy)]
struct TagField {
    name: &'static str,
    aws_error: AwsError,
}

/// The tags in the settings of a user pool.
const SETTING: TagField = TagField { name: "user_pool_tags", aws_error: AwsError::UserPoolTagging };
/// The tags of `TagResource`, which does not have the other exception.
const TAGS: TagField = TagField { name: "tags", aws_error: AwsError::InvalidParameter };

/// Sets tags. Tags that the user pool already has change nothing.
///
/// # Errors
/// The user pool would have too many tags.
pub(super) fn decide_tag(
    pool: &UserPool,
    mut tags: BTreeMap<String, String>,
    limits: &Limits,
) -> Result<Vec<Event>, InvalidRequest> {
    tags.retain(|key, value| pool.user_pool_tags.get(key) != Some(value));
    let is_new = |key: &&String| !pool.user_pool_tags.contains_key(*key);
    let count = pool.user_pool_tags.len().saturating_add(tags.keys().filter(is_new).count());
    InvalidRequest::semantics(TAGS.count_violation(count, limits).into_iter().collect())?;
    Ok(if tags.is_empty() { vec![] } else { vec![Event::UserPoolTagged(UserPoolTagged { tags })] })
}

/// Removes the tags with these keys.
pub(super) fn decide_untag(pool: &UserPool, mut tag_keys: Vec<String>) -> Vec<Event> {
    tag_keys.retain(|key| pool.user_pool_tags.contains_key(key));
    tag_keys.sort();
    tag_keys.dedup();
    if tag_keys.is_empty() {
        return Vec::new();
    }
    vec![Event::UserPoolUntagged(UserPoolUntagged { tag_keys })]
}

/// The violations of the tags in a request to set them by the ARN of their user pool.
pub(super) fn resource_violations(
    tags: &BTreeMap<String, String>,
    limits: &Limits,
) -> Vec<Violation> {
    TAGS.violations(tags, limits)
}

/// The violations of the tags in the settings of a user pool.
pub(super) fn violations(tags: &BTreeMap<String, String>, limits: &Limits) -> Vec<Violation> {
    SETTING.violations(tags, limits)
}

/// The rules of the tag in a filter: a tag that no user pool can have is refused.
pub(super) fn check_filter(check: &mut Check, key: Option<&String>, value: Option<&String>) {
    check.length("tag_key", key, 1..=MAX_KEY_CHARS);
    check.length("tag_value", value, 0..=MAX_VALUE_CHARS);
    if key.is_none() && value.is_some() {
        check.refuse("tag_key", Rule::Required, None, "is required with tag_value", "not be null");
    }
    if let Some(key) = key.filter(|key| is_reserved(key)) {
        let constraint = "not begin with \"aws:\"";
        check.refuse("tag_key", Rule::Reserved, Some(key), RESERVED, constraint);
    }
    for (field, text) in [("tag_key", key), ("tag_value", value)] {
        if let Some(text) = text.filter(|text| !text.chars().all(is_allowed)) {
            let constraint = "have letters, digits, spaces and _ . : / = + - @ only";
            check.refuse(field, Rule::Pattern, Some(text), ALLOWED, constraint);
        }
    }
}

impl TagField {
    /// Source: the developer guide of Cognito on tagging. The shapes of 2017 have no limits.
    fn violations(self, tags: &BTreeMap<String, String>, limits: &Limits) -> Vec<Violation> {
        if let Some(violation) = self.count_violation(tags.len(), limits) {
            // A request can have a hundred thousand tags, so they are not checked one by one.
            return vec![violation];
        }
        let reserved = format!("key {RESERVED}");
        let mut violations = Vec::new();
        for (key, value) in tags {
            let field = || format!("{}[{:?}]", self.name, truncate(key));
            let mut refuse =
                |rule, description| violations.push(self.violation(field(), rule, description));
            if !(1..=MAX_KEY_CHARS).contains(&key.chars().count()) {
                refuse(Rule::Length, "key must have 1 to 128 characters");
            }
            if value.chars().count() > MAX_VALUE_CHARS {
                refuse(Rule::Length, "value must have at most 256 characters");
            }
            if is_reserved(key) {
                refuse(Rule::Reserved, &reserved);
            }
            if !key.chars().chain(value.chars()).all(is_allowed) {
                refuse(Rule::Pattern, ALLOWED);
            }
        }
        violations
    }

    fn count_violation(self, count: usize, limits: &Limits) -> Option<Violation> {
        let description = format!("must have at most {} tags, has {count}", limits.tags);
        (count > limits.tags)
            .then(|| self.violation(self.name.to_owned(), Rule::Length, description))
    }

    fn violation(self, field: String, rule: Rule, description: impl Into<String>) -> Violation {
        let description = description.into();
        let text = format!("Invalid tag: {field} {description}.");
        Violation { aws_error: self.aws_error, ..Violation::new(field, rule, description, text) }
    }
}

/// The first characters of a key. A response has no space for a long one.
fn truncate(key: &str) -> &str {
    key.char_indices().nth(MAX_KEY_CHARS).and_then(|(end, _)| key.get(..end)).unwrap_or(key)
}

fn is_reserved(key: &str) -> bool {
    key.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:"))
}

fn is_allowed(character: char) -> bool {
    character.is_alphanumeric() || " _.:/=+-@".contains(character)
}
