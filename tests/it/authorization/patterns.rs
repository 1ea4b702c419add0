//! A grant matches exactly the callers that its pattern describes.

use userpool::{
    auth::{CallerPattern, Grants, Identity, Role},
    proto::ActorKind,
};

#[test]
fn a_pattern_matches_only_the_callers_it_names() {
    let billing = "spiffe://prod/ns/login/sa/billing";
    for (pattern, kind, subject, expected) in [
        ("certificate:spiffe://prod/ns/login/sa/billing", CERTIFICATE, billing, true),
        ("certificate:spiffe://prod/ns/*/sa/billing", CERTIFICATE, billing, true),
        ("certificate:spiffe://prod/ns/*", CERTIFICATE, billing, false),
        ("certificate:spiffe://prod/ns/**", CERTIFICATE, billing, true),
        ("certificate:**", CERTIFICATE, billing, true),
        ("certificate:*", CERTIFICATE, billing, false),
        ("certificate:*", CERTIFICATE, "billing.prod.example", true),
        ("certificate:*.prod.example", CERTIFICATE, "billing.prod.example", true),
        // The whole name must match, and only the star is special.
        ("certificate:CN=billing", CERTIFICATE, "CN=billing", true),
        ("certificate:CN=*", CERTIFICATE, "CN=billing.prod.example", true),
        ("certificate:**", CERTIFICATE, "CN=billing", true),
        ("certificate:billing", CERTIFICATE, "CN=billing", false),
        ("certificate:*", CERTIFICATE, "CN=billing", false),
        ("certificate:*.prod.example", CERTIFICATE, "CN=billing.prod.example", false),
        ("certificate:**/sa/billing", CERTIFICATE, "CN=spiffe://prod/sa/billing", false),
        ("token:*", TOKEN, "CN=billing", true),
        ("certificate:billing", CERTIFICATE, "billing.evil.example", false),
        ("certificate:billing", CERTIFICATE, "not-billing", false),
        ("certificate:billing.prod", CERTIFICATE, "billing-prod", false),
        ("certificate:a|b", CERTIFICATE, "a", false),
        ("certificate:(?i)a", CERTIFICATE, "A", false),
        ("certificate:billing", CERTIFICATE, "Billing", false),
        ("certificate:billing", CERTIFICATE, "billing\n", false),
        ("certificate:billing*", CERTIFICATE, "billing\n", true),
        // A star does not cross a segment, so a caller cannot enter another one.
        (
            "certificate:spiffe://prod/ns/*/sa/billing",
            CERTIFICATE,
            "spiffe://prod/ns/guest/sa/x/ns/y/sa/billing",
            false,
        ),
        // A subject of one kind never matches a pattern of another kind.
        ("certificate:alice", TOKEN, "alice", false),
        ("token:alice", CERTIFICATE, "alice", false),
        ("token:alice", TOKEN, "alice", true),
        ("token:**", ANONYMOUS, "", false),
        ("token:certificate:alice", CERTIFICATE, "alice", false),
        ("token:https://issuer/*", TOKEN, "https://issuer/alice", true),
        ("local:uid=1000", LOCAL, "uid=1000", true),
        ("local:uid=100", LOCAL, "uid=1000", false),
        ("local:uid=*", LOCAL, "uid=1000", true),
        ("local:*", LOCAL, "uid=0", true),
        ("anonymous", ANONYMOUS, "", true),
        ("anonymous", CERTIFICATE, "", false),
        ("anonymous", LOCAL, "uid=0", false),
    ] {
        let parsed: CallerPattern = pattern.parse().expect(pattern);
        let caller = Identity { kind, subject: subject.to_owned() };
        assert_eq!(parsed.matches(&caller), expected, "{pattern} for {subject:?} ({kind:?})");
    }
}

#[test]
fn an_invalid_pattern_is_refused() {
    for text in [
        "",
        "alice",
        "certificate:",
        "token:",
        "local:",
        "local:1000",
        "local:gid=0",
        "anonymous:",
        "anonymous:*",
        "system:*",
        "Certificate:alice",
        " token:alice",
        "*",
        "*:*",
    ] {
        assert!(text.parse::<CallerPattern>().is_err(), "{text:?}");
    }
}

#[test]
fn a_writer_may_read_and_a_reader_may_not_write() {
    let pattern = |text: &str| text.parse().expect("a pattern");
    let grants =
        Grants { readers: vec![pattern("token:reader")], writers: vec![pattern("token:writer")] };
    let caller = |subject: &str| Identity { kind: TOKEN, subject: subject.to_owned() };
    for (subject, reads, writes) in
        [("reader", true, false), ("writer", true, true), ("other", false, false)]
    {
        assert_eq!(grants.allows(Role::Reader, &caller(subject)), reads, "{subject}");
        assert_eq!(grants.allows(Role::Writer, &caller(subject)), writes, "{subject}");
    }
}

const CERTIFICATE: ActorKind = ActorKind::Certificate;
const TOKEN: ActorKind = ActorKind::Token;
const LOCAL: ActorKind = ActorKind::LocalProcess;
const ANONYMOUS: ActorKind = ActorKind::Anonymous;
