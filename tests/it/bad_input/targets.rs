//! The functions that read bytes from outside. None of them panics on any input, and
//! a value that was read can be written again. `fuzz/` gives the same functions to
//! libFuzzer.

use std::{collections::BTreeMap, fmt::Debug};

use bytes::Bytes;
use prost::{Message, Name};
use prost_types::Timestamp;
use sha2::{Digest as _, Sha256};
use userpool::{
    app::{CountQuery, EventQuery, ReplayQuery, VerifyQuery, WatchQuery},
    audit::{self, Verifier, checkpoint},
    aws,
    event_log::{Head, Record},
    proto::{
        self, AddCustomAttributesRequest, CountUserPoolEventsRequest, CreateUserPoolDomainRequest,
        CreateUserPoolRequest, DeleteUserPoolDomainRequest, DeleteUserPoolRequest,
        DescribeUserPoolDomainRequest, DescribeUserPoolRequest, GetUserPoolMfaConfigRequest,
        ListTagsForResourceRequest, ListUserPoolDomainsRequest, ListUserPoolEventsRequest,
        ListUserPoolsRequest, ReplayUserPoolRequest, RestoreUserPoolRequest,
        SetUserPoolMfaConfigRequest, SignedCheckpoint, TagResourceRequest, UntagResourceRequest,
        UpdateUserPoolDomainRequest, UpdateUserPoolRequest, UserPool, UserPoolEvent,
        VerifyUserPoolHistoryRequest, WatchUserPoolEventsRequest,
    },
    user_pool::{
        self, CheckedCommand, Command, DomainName, Event, Facts, Limits, PageRequest,
        PoolPageRequest, RestorePoint, UserPoolArns, UserPoolId, UserPoolState, assigned_domains,
        decide, evolve, removed_domains,
    },
};

/// A function that reads bytes.
pub(crate) type Target = fn(&[u8]);

/// All targets; the names are those of `fuzz/corpus`.
pub(crate) const TARGETS: [(&str, Target); 7] = [
    ("requests", requests),
    ("record", record),
    ("export_line", export_line),
    ("checkpoint", signed_checkpoint),
    ("document", document),
    ("commands", commands),
    ("aws_request", aws_request),
];

/// A request of any kind and its checks.
pub(crate) fn requests(bytes: &[u8]) {
    let limits = Limits::default();
    read(bytes, |request: CreateUserPoolRequest| {
        CheckedCommand::create_user_pool(request, &limits).is_ok()
    });
    read(bytes, |request: UpdateUserPoolRequest| CheckedCommand::update_user_pool(request).is_ok());
    read(bytes, |request: DeleteUserPoolRequest| CheckedCommand::delete_user_pool(request).is_ok());
    read(bytes, |request: CreateUserPoolDomainRequest| {
        CheckedCommand::create_user_pool_domain(request).is_ok()
    });
    read(bytes, |request: DeleteUserPoolDomainRequest| {
        CheckedCommand::delete_user_pool_domain(request).is_ok()
    });
    let arns = UserPoolArns::new("us-east-1", "123456789012");
    read(bytes, |request: UpdateUserPoolDomainRequest| {
        CheckedCommand::update_user_pool_domain(request).is_ok()
    });
    read(bytes, |request: AddCustomAttributesRequest| {
        CheckedCommand::add_custom_attributes(request).is_ok()
    });
    read(bytes, |request: SetUserPoolMfaConfigRequest| {
        CheckedCommand::set_user_pool_mfa_config(request).is_ok()
    });
    read(bytes, |request: TagResourceRequest| {
        CheckedCommand::tag_resource(request, &arns, &limits).is_ok()
    });
    read(bytes, |request: UntagResourceRequest| {
        CheckedCommand::untag_resource(request, &arns).is_ok()
    });
    read(bytes, |request: RestoreUserPoolRequest| RestorePoint::parse(&request).is_ok());
    read(bytes, |request: ListTagsForResourceRequest| arns.parse_request(&request).is_ok());
    read(bytes, |request: GetUserPoolMfaConfigRequest| {
        user_pool::parse_mfa_config_request(request).is_ok()
    });
    read(bytes, |request: DescribeUserPoolRequest| UserPoolId::parse(request).is_ok());
    read(bytes, |request: DescribeUserPoolDomainRequest| DomainName::parse(request).is_ok());
    read(bytes, |request: ListUserPoolsRequest| PoolPageRequest::parse(request).is_ok());
    read(bytes, |request: ListUserPoolDomainsRequest| PageRequest::of_domains(request).is_ok());
    read(bytes, |request: ListUserPoolEventsRequest| EventQuery::parse(request).is_ok());
    read(bytes, |request: ReplayUserPoolRequest| ReplayQuery::parse(request).is_ok());
    read(bytes, |request: WatchUserPoolEventsRequest| WatchQuery::parse(request).is_ok());
    read(bytes, |request: VerifyUserPoolHistoryRequest| VerifyQuery::parse(request).is_ok());
    read(bytes, |request: CountUserPoolEventsRequest| CountQuery::parse(request).is_ok());
}

/// Reads a message and uses it if it is one. A message that is written and read again
/// is equal, in both forms.
fn read<M: Message + Name + Default + PartialEq + Debug>(
    bytes: &[u8],
    check: impl FnOnce(M) -> bool,
) {
    let Ok(message) = M::decode(bytes) else { return };
    let again = M::decode(message.encode_to_vec().as_slice()).expect("a message");
    assert_eq!(again, message);
    check(message);
}

/// A stored record: as it is, and with a correct hash, since a wrong hash is refused
/// first.
pub(crate) fn record(bytes: &[u8]) {
    parsed(&bytes.to_vec().into());
    let hashed = bytes.len().saturating_sub(32);
    let hash = Sha256::digest(&bytes[..hashed]);
    parsed(&[&bytes[..hashed], hash.as_slice()].concat().into());
}

fn parsed(stored: &Bytes) {
    let Ok(record) = Record::parse(stored.clone()) else { return };
    assert_eq!(record.stored, *stored);
    record.check_follows(Head::default()).ok();
    let Ok(event) = audit::decode_with_record(&record) else { return };
    let before = Head {
        position: userpool::event_log::Position(record.position.0.wrapping_sub(1)),
        hash: record.previous_hash,
    };
    if record.check_follows(before).is_ok() {
        // A record that continues the chain does so as an event too.
        let checked = audit::extract_record(&event).expect("the event of the record");
        assert_eq!(checked, record);
    }
    if let Ok(line) = proto::to_json(&event) {
        Verifier::default().push_line(&line.to_string()).ok();
    }
}

/// A line of an export.
pub(crate) fn export_line(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut verifier = Verifier::default();
    if let Ok(record) = verifier.push_line(text) {
        assert_eq!(
            record.map(|record| record.position.0),
            verifier.anchor().is_none().then_some(1)
        );
    }
    if let Ok(event) = proto::from_json::<UserPoolEvent>(text) {
        proto::to_json(&event).ok();
    }
}

/// A signed checkpoint, as bytes and as JSON.
pub(crate) fn signed_checkpoint(bytes: &[u8]) {
    if let Ok(signed) = SignedCheckpoint::decode(bytes) {
        checkpoint::verify(&signed).ok();
        proto::to_json(&signed).ok();
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(signed) = proto::from_json::<SignedCheckpoint>(text) {
        checkpoint::verify(&signed).ok();
    }
}

/// A JSON document as the command line reads it.
pub(crate) fn document(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    json(text, |request: CreateUserPoolRequest| {
        CheckedCommand::create_user_pool(request, &Limits::default()).is_ok()
    });
    json(text, |request: UpdateUserPoolRequest| CheckedCommand::update_user_pool(request).is_ok());
    json(text, |pool: UserPool| {
        let request = user_pool::to_create_request(pool);
        CheckedCommand::create_user_pool(request, &Limits::default()).is_ok()
    });
}

fn json<M: Message + Name + Default + PartialEq + Debug>(
    text: &str,
    check: impl FnOnce(M) -> bool,
) {
    let Ok(message) = proto::from_json::<M>(text) else { return };
    // A time out of range can be read but has no JSON form.
    if let Ok(shown) = proto::to_json(&message) {
        let again: M = proto::from_json(&shown.to_string()).expect("what was shown");
        assert_eq!(again, message);
    }
    check(message);
}

/// The body of a request of an AWS SDK.
pub(crate) fn aws_request(bytes: &[u8]) {
    aws_json::<CreateUserPoolRequest>(bytes);
    aws_json::<UpdateUserPoolRequest>(bytes);
    aws_json::<DeleteUserPoolRequest>(bytes);
    aws_json::<DescribeUserPoolRequest>(bytes);
    aws_json::<ListUserPoolsRequest>(bytes);
    aws_json::<CreateUserPoolDomainRequest>(bytes);
    aws_json::<DescribeUserPoolDomainRequest>(bytes);
    aws_json::<DeleteUserPoolDomainRequest>(bytes);
    aws_json::<UpdateUserPoolDomainRequest>(bytes);
    aws_json::<AddCustomAttributesRequest>(bytes);
    aws_json::<GetUserPoolMfaConfigRequest>(bytes);
    aws_json::<SetUserPoolMfaConfigRequest>(bytes);
    aws_json::<TagResourceRequest>(bytes);
    aws_json::<UntagResourceRequest>(bytes);
    aws_json::<ListTagsForResourceRequest>(bytes);
    // No request has times.
    aws_json::<UserPool>(bytes);
}

fn aws_json<M: Message + Name + Default + PartialEq + Debug>(bytes: &[u8]) {
    let Ok(Some(message)) = aws::from_aws_json::<M>(bytes) else { return };
    let shown = aws::to_aws_json(&message).expect("a form in AWS's JSON");
    let again: Option<M> = aws::from_aws_json(shown.as_bytes()).expect("what was shown");
    assert_eq!(again, Some(message));
}

/// A sequence of commands of four bytes each, on four user pools and three prefixes. A first
/// byte of 200 or more restores a user pool.
pub(crate) fn commands(bytes: &[u8]) {
    // The states after each event.
    let mut pools: [Vec<UserPoolState>; 4] = Default::default();
    let mut owners: BTreeMap<String, usize> = BTreeMap::new();
    for (step, at) in bytes.chunks_exact(4).take(64).zip(1_i64..) {
        let [what, place, prefix, expected] = *step else { return };
        let place = usize::from(place) % pools.len();
        let id = format!("us-east-1_00000000{place}");
        let prefix = format!("prefix-{}", prefix % 3);
        let state = pools[place].last().cloned().unwrap_or_default();
        let revision = i64::try_from(pools[place].len()).expect("a small number");
        let command = if what < 200 {
            command(what, &id, &prefix, expected)
        } else {
            let restored = usize::from(what) % pools[place].len().max(1);
            let past = pools[place].get(restored).cloned().unwrap_or_default();
            let Some(command) = restore(&id, restored, past, expected % 2 == 0) else { continue };
            command
        };
        let owner = |name: &str| {
            let owner = owners.get(name)?;
            Some((name.to_owned(), user_pool_id(format!("us-east-1_00000000{owner}"))))
        };
        let domain_owners = command.assigned_domains().into_iter().filter_map(owner).collect();
        let facts = Facts {
            user_pool_id: user_pool_id(id),
            revision,
            domain_owners,
            user_pool_count: 0,
            limits: Limits::default(),
        };
        let expected = (expected >= 128).then(|| i64::from(expected - 128));
        let Ok(events) = decide(&state, &facts, expected, command) else { continue };
        for event in events {
            assert!(expected.is_none_or(|expected| expected == revision || revision == 0));
            owned(&mut owners, place, &event);
            let at = Timestamp { seconds: at, nanos: 0 };
            pools[place].push(evolve(state.clone(), event, at));
        }
        for (place, states) in pools.iter().enumerate() {
            let pool = states.last().and_then(UserPoolState::user_pool);
            let shown = pool.and_then(|pool| pool.domain.clone());
            let has = owners.iter().find(|(_, pool)| **pool == place).map(|(prefix, _)| prefix);
            assert_eq!(shown.as_ref(), has, "a domain is shown by its one owner");
        }
    }
}

fn user_pool_id(id: String) -> UserPoolId {
    UserPoolId::parse(DescribeUserPoolRequest {
        user_pool_id: Some(id),
        ..DescribeUserPoolRequest::default()
    })
    .expect("a legal ID")
}

fn command(what: u8, id: &str, prefix: &str, variant: u8) -> Command {
    let user_pool_id = Some(id.to_owned());
    let tags = [("variant".to_owned(), variant.to_string())].into();
    let limits = Limits::default();
    let checked = match what % 6 {
        0 | 1 => {
            let pool_name = Some(format!("pool {variant}"));
            let request =
                CreateUserPoolRequest { pool_name, user_pool_tags: tags, ..Default::default() };
            CheckedCommand::create_user_pool(request, &limits)
        }
        2 => {
            let request =
                UpdateUserPoolRequest { user_pool_id, user_pool_tags: tags, ..Default::default() };
            CheckedCommand::update_user_pool(request)
        }
        3 => CheckedCommand::delete_user_pool(DeleteUserPoolRequest {
            user_pool_id,
            ..Default::default()
        }),
        4 => CheckedCommand::create_user_pool_domain(CreateUserPoolDomainRequest {
            user_pool_id,
            domain: Some(prefix.to_owned()),
            ..Default::default()
        }),
        _ => CheckedCommand::delete_user_pool_domain(DeleteUserPoolDomainRequest {
            user_pool_id,
            domain: Some(prefix.to_owned()),
            ..Default::default()
        }),
    };
    checked.expect("a legal request").command
}

/// The command, unless the user pool was deleted at that revision.
fn restore(id: &str, index: usize, past: UserPoolState, domain: bool) -> Option<Command> {
    let request = RestoreUserPoolRequest {
        user_pool_id: Some(id.to_owned()),
        revision: Some(i64::try_from(index).expect("a small number") + 1),
        restore_domain: domain,
        ..Default::default()
    };
    CheckedCommand::restore_user_pool(request, past).ok().map(|checked| checked.command)
}

fn owned(owners: &mut BTreeMap<String, usize>, place: usize, event: &Event) {
    for domain in removed_domains(event) {
        assert_eq!(owners.remove(domain), Some(place), "its owner");
    }
    for domain in assigned_domains(event) {
        assert_eq!(owners.insert(domain.clone(), place), None, "one owner");
    }
}
