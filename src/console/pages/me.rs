//! Who the server takes the reader for, and which server it is.

use data_encoding::HEXLOWER;
use maud::html;

use crate::{
    console::{
        answer::{Answer, Command, Page, Section},
        failure::Failure,
        text::printable,
        visit::Visit,
    },
    proto::{self, DescribeLogRequest},
};

pub(super) async fn page(visit: &Visit) -> Result<Answer, Failure> {
    let log = visit.calls.describe_log(DescribeLogRequest::default()).await?;
    if visit.wants_json {
        return Ok(Answer::Json(proto::to_json(&log)?));
    }
    let head = log.head.unwrap_or_default();
    let hash = HEXLOWER.encode(&head.hash);
    let body = html! {
        div.head { div {
            h1 { "Who am I" }
            p.sub { "The server takes you for " b.mono { (printable(&log.caller)) } }
        } }
        p.note {
            "You may read. This console changes nothing, so it needs no other role than reader, \
             which the setting " code { "readers" } " of the server gives to this name."
        }
        section.panel {
            header { h2 { "The server" } }
            dl.set {
                dt { "Region" } dd { (printable(&log.region)) }
                dt { "Log" } dd {
                    @if head.log_id.is_empty() { span.muted { "empty" } }
                    @else { code { (printable(&head.log_id)) } }
                }
                dt { "Position" } dd { (head.position) }
                dt { "Hash of its event" } dd { code { (hash) } }
                dt { "User pools" } dd { (log.user_pool_count) }
                dt { "Domains" } dd { (log.domain_count) }
                dt { "Engine" } dd { (printable(&log.engine)) }
                dt { "Version" } dd { (printable(&log.server_version)) }
            }
        }
    };
    Ok(Answer::Page(Page {
        restore: None,
        scripts: Vec::new(),
        title: "Who am I".to_owned(),
        section: Section::Other,
        body,
        commands: vec![Command::new(&["status"])],
    }))
}
