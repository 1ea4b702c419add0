//! The attributes of the users of a user pool.

use maud::{Markup, html};

use crate::{
    console::{last_changes::LastChanges, members::SCHEMA, text::printable},
    proto::SchemaAttribute,
};

/// The prefixes of the names of custom attributes.
const CUSTOM: [&str; 2] = ["custom:", "dev:custom:"];

pub(super) fn show(attributes: &[SchemaAttribute], changes: &LastChanges) -> Markup {
    let is_custom = |attribute: &&SchemaAttribute| {
        CUSTOM.iter().any(|prefix| attribute.name().starts_with(prefix))
    };
    let (own, standard): (Vec<_>, Vec<_>) = attributes.iter().partition(is_custom);
    html! {
        section.panel {
            header {
                h2 { (SCHEMA) }
                span."small muted" { (own.len()) " custom, " (standard.len()) " standard attributes" }
                (changes.show("schema_attributes", true))
            }
            @if own.is_empty() {
                p."pad muted" { "no custom attributes" }
            } @else {
                (table("Custom attributes", &own))
            }
            div.pad {
                details {
                    summary { "The " (standard.len()) " standard attributes" }
                    (table("Standard attributes", &standard))
                }
            }
        }
    }
}

fn table(caption: &str, attributes: &[&SchemaAttribute]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(caption) {
            table {
                caption.vh { (caption) }
                thead { tr {
                    th scope="col" { "Attribute" }
                    th scope="col" { "Type" }
                    th scope="col" { "Bounds" }
                    th scope="col" { "Required" }
                    th scope="col" { "Mutable" }
                    th scope="col" { "Visible to" }
                } }
                tbody { @for attribute in attributes { tr {
                    td.mono { (printable(attribute.name())) }
                    td { (attribute.attribute_data_type().as_str_name()) }
                    td { (bounds(attribute)) }
                    td { @if attribute.required() { "required" } @else { span.muted { "no" } } }
                    td { @if attribute.mutable() { "yes" } @else { span.muted { "fixed once set" } } }
                    td {
                        @if attribute.developer_only_attribute() { "developers" }
                        @else { span.muted { "everyone" } }
                    }
                } } }
            }
        }
    }
}

fn bounds(attribute: &SchemaAttribute) -> String {
    let range = |min: Option<&String>, max: Option<&String>, unit: &str| {
        let min = min.map_or("…", String::as_str);
        let max = max.map_or("…", String::as_str);
        printable(format!("{min} to {max} {unit}").trim_end())
    };
    if let Some(bounds) = &attribute.string_attribute_constraints {
        return range(bounds.min_length.as_ref(), bounds.max_length.as_ref(), "characters");
    }
    let bounds = attribute.number_attribute_constraints.as_ref();
    bounds.map(|b| range(b.min_value.as_ref(), b.max_value.as_ref(), "")).unwrap_or_default()
}
