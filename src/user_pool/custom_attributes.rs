//! The decision of the command that adds custom attributes to the schema of a user pool.

use crate::proto::{CustomAttributesAdded, SchemaAttribute, UserPool};

use super::{Event, InvalidRequest, Limits, schema};

/// The list in the request.
pub(super) const LIST: &str = "custom_attributes";

/// Adds the attributes to the schema.
///
/// # Errors
/// The schema has one with the same name, or would have too many.
pub(super) fn decide(
    pool: &UserPool,
    custom_attributes: Vec<SchemaAttribute>,
    limits: &Limits,
) -> Result<Vec<Event>, InvalidRequest> {
    let schema = &pool.schema_attributes;
    InvalidRequest::semantics(schema::addition_violations(
        LIST,
        &custom_attributes,
        schema,
        limits,
    ))?;
    Ok(vec![Event::CustomAttributesAdded(CustomAttributesAdded { custom_attributes })])
}
