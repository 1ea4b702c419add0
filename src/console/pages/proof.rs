//! The proof: what the browser verifies itself, and what stays open.

use axum::body::Body;
use data_encoding::HEXLOWER;
use maud::{Markup, html};

use crate::{
    console::{
        answer::{Answer, Command, Page, Section},
        assets::{PROOF_SCRIPT, VERIFY_SCRIPT},
        failure::Failure,
        icons::Icon,
        text::{printable, time},
        url::{Query, Route},
        verifier::{self, VERIFIER},
        visit::Visit,
    },
    proto::{self, GetInclusionProofRequest, GetSignedCheckpointRequest, SignedCheckpoint},
};

/// What is checked: its name in the script, its claim, and what is said of it before.
const CHECKS: [(&str, &str, &str); 6] = [
    ("hash", "Every record has the hash that it states", "SHA-256 of the stored bytes"),
    ("chain", "Every record names the one before it", "positions from 1 on without a gap"),
    (
        "root",
        "The tree of all records has the signed root",
        "RFC 9162: one record less or another one makes another root",
    ),
    ("signature", "The end is signed", "Ed25519, by the holder of the key"),
    (
        "known",
        "The log has what you noted before",
        "open a checkpoint that you keep elsewhere, and it is looked for",
    ),
    (
        "key",
        "The key is the one that you know",
        "compare it with what userpool key prints on the server's machine",
    ),
];

pub(super) async fn page(visit: &Visit) -> Result<Answer, Failure> {
    let signed = visit.calls.get_signed_checkpoint(GetSignedCheckpointRequest::default()).await?;
    let checkpoint = signed.checkpoint.unwrap_or_default();
    let json = proto::to_json(&checkpoint)?;
    if visit.wants_json {
        return Ok(Answer::Json(json));
    }
    let records = Query::default().set("after", "0").set("to", checkpoint.position.to_string());
    let body = html! {
        div.head {
            div {
                h1 { "Proof" }
                p.sub { "Is this the history that was recorded, all of it, in order?" }
            }
            div."actions no-print" {
                button data-print hidden { "Print" }
                a.button href=(visit.route.json(&Query::default())) download="checkpoint.json" {
                    "Checkpoint"
                }
                a.button href=(Route::Export.path()) download="log.jsonl" { "Export" }
            }
        }
        section."panel hero" data-proof data-records=(Route::Records.with(&records))
            data-checkpoint=(json.to_string()) data-worker=(VERIFY_SCRIPT.path)
            data-inclusion=(Route::Inclusion.json(&Query::default())) {
            span.seal { (Icon::Shield.show()) }
            div {
                h2 data-verdict { "Not verified yet" }
                p.muted role="status" data-state {
                    "No script runs here: verify with the command below."
                }
                progress max=(checkpoint.position.max(1)) value="0" aria-label="Records verified" {}
            }
            div.actions {
                button.primary data-start hidden { "Verify here" }
                button data-stop hidden { "Stop" }
            }
        }
        ol.chain data-chain aria-label="The last records: each names the hash of the one before" {}
        div.two {
            (checks())
            (end_of_log(&checkpoint, visit))
        }
        (one_event(checkpoint.position))
        (limits())
    };
    Ok(Answer::Page(Page {
        restore: None,
        scripts: vec![&PROOF_SCRIPT],
        title: "Proof".to_owned(),
        section: Section::Proof,
        body,
        commands: vec![Command::new(&["checkpoint"]), Command::new(&["verify"])],
    }))
}

/// The inclusion proof of an event, for the script of the page.
pub(super) async fn inclusion(visit: &Visit) -> Result<Answer, Failure> {
    let number = |name| visit.number(name);
    let request = GetInclusionProofRequest {
        position: number("position")?,
        tree_size: number("size")?,
        ..GetInclusionProofRequest::default()
    };
    let proof = visit.calls.get_inclusion_proof(request).await?;
    Ok(Answer::Json(proto::to_json(&proof)?))
}

/// The verifier as a file. It does not run at this address, whose policy allows no script in a page.
pub(super) fn verifier() -> Answer {
    let content_type = "text/html; charset=utf-8";
    Answer::Stream { content_type, body: Body::from(VERIFIER.as_str()) }
}

fn checks() -> Markup {
    html! {
        section.panel {
            header { h2 { "What is checked here" } }
            ul.checks { @for (name, claim, words) in CHECKS {
                li.open data-check=(name) {
                    span.mark { (Icon::Anonymous.show()) (Icon::Yes.show()) (Icon::Broken.show()) }
                    b { (claim) } " " span.small data-result { "open" }
                    p { (words) }
                }
            } }
        }
    }
}

/// What to note, so that the same log is found again.
fn end_of_log(checkpoint: &SignedCheckpoint, visit: &Visit) -> Markup {
    let hexadecimal = |bytes: &[u8]| html! { span."v mono" { (HEXLOWER.encode(bytes)) } };
    html! {
        section.panel {
            header { h2 { "The end of the log, to be noted" } }
            dl.set {
                dt { "Position" } dd { span."v mono" { (checkpoint.position) } }
                dt { "Hash" } dd { (hexadecimal(&checkpoint.hash)) }
                dt { "Root" } dd { (hexadecimal(&checkpoint.root_hash)) }
                dt { "Log" } dd { span."v mono" { (printable(&checkpoint.log_id)) } }
                dt { "Signed at" } dd { span { (time(checkpoint.time, visit.now)) " "
                    span data-zone { "UTC" } } }
                dt { "Public key" } dd { (hexadecimal(&checkpoint.public_key)) }
            }
            div."pad no-print" {
                p."small muted" {
                    "Download the checkpoint above, keep it where nobody who runs the server can change \
                     it, and open it here the next time: the log must still have it."
                }
                label.field for="known" { "Checkpoints noted before" }
                input #known type="file" multiple accept=".json,.jsonl,.txt,application/json";
                label.field {
                    input #begin type="checkbox";
                    "Begin after the newest of them: what is before was verified then"
                }
            }
        }
    }
}

fn one_event(last: i64) -> Markup {
    html! {
        section."panel no-print" {
            header {
                h2 { "One event" }
                span."small muted" { "in about 20 hashes, without the other events" }
            }
            form.pad data-event {
                label.field for="position" { "Position" }
                input #position type="number" min="1" max=(last) required;
                button disabled { "Verify" }
                p role="status" data-event-result {}
            }
        }
    }
}

fn limits() -> Markup {
    html! {
        section.panel {
            header { h2 { "What this proves, and what it does not" } }
            ul."pad cols" {
                li { "No record of the log was changed, moved, removed or added since its hash was \
                      computed." }
                li { "Whoever can write the data directory can rewrite all of it, with new hashes: \
                      only a checkpoint that was kept elsewhere shows that." }
                li { "Times are those of the server's clock; user agents are what clients say." }
                li { "That the events obey the rules, such as one owner for each domain, is checked \
                      by " code { "userpool verify" } ", not here." }
                li { "This page came from the server, and a server that lies can serve a page that \
                      lies. To depend on nothing from it, verify with a " code { "userpool" }
                      " of your own, or with the "
                    a.no-print href=(Route::Verifier.path()) download="verifier.html" { "verifier" }
                    span.print-only { "verifier" }
                    ", a file that runs from your disk on an export. That of this version has the \
                     SHA-256 " code { (verifier::sha256()) } ", also from a server that you trust." }
            }
        }
    }
}
