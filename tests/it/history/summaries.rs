//! A list summarizes each event by default: who changed what, from which value to which, at a
//! bounded cost.

use std::{collections::BTreeMap, sync::Arc};

use prost::Message as _;
use tonic::Code;
use userpool::{
    event_log::{EventLog as _, Head, MemoryLog},
    proto::{
        AddCustomAttributesRequest, CreateUserPoolRequest, DeleteUserPoolDomainRequest,
        DeleteUserPoolRequest, EventView, ListUserPoolEventsRequest, PasswordPolicy, ReadDirection,
        SchemaAttribute, SetUserPoolMfaConfigRequest, SoftwareTokenMfaConfig, TagResourceRequest,
        UntagResourceRequest, UpdateUserPoolDomainRequest, UpdateUserPoolRequest, UserPoolEvent,
        UserPoolEventFilter, UserPoolEventType, UserPoolPolicies, UserPoolTagged, UserPoolUntagged,
        attribute_data_type, mfa_configuration, user_pool_event::Payload, verified_attribute,
    },
};

use super::{History, history};
use crate::support::{
    Client, TestServer, arn, create, domain, event_body, fields, long_log, named, reason,
};

/// All events, page by page.
async fn list(history: &mut History, mut request: ListUserPoolEventsRequest) -> Vec<UserPoolEvent> {
    let mut events = Vec::new();
    loop {
        let page = history.list_user_pool_events(request.clone()).await.expect("a page");
        assert!(page.get_ref().encoded_len() < 4 * 1024 * 1024);
        let page = page.into_inner();
        events.extend(page.events);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return events;
        }
    }
}

/// The changes of an event as lines: `path: old → new`.
fn changes(event: &UserPoolEvent) -> Vec<String> {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    let line = |change: &userpool::proto::EventChange| {
        let old = if change.old_value_unknown { "?".to_owned() } else { text(&change.old_value) };
        format!("{}: {old} → {}", change.path, text(&change.new_value))
    };
    event.changes.iter().map(line).collect()
}

/// One user pool with every type of event.
async fn every_event(client: &mut Client) -> String {
    let request = CreateUserPoolRequest {
        auto_verified_attributes: vec![verified_attribute::Value::Email.into()],
        user_pool_tags: [("team".to_owned(), "people".to_owned())].into(),
        ..named("people")
    };
    let created = client.create_user_pool(request).await.expect("a user pool").into_inner();
    let id = created.user_pool.and_then(|pool| pool.id).expect("an ID");
    let user_pool_id = Some(id.clone());
    client.create_user_pool_domain(domain("login", &id)).await.expect("a domain");
    let policy = PasswordPolicy { minimum_length: Some(12), ..PasswordPolicy::default() };
    let update = UpdateUserPoolRequest {
        user_pool_id: user_pool_id.clone(),
        pool_name: Some("staff".to_owned()),
        policies: Some(UserPoolPolicies { password_policy: Some(policy), sign_in_policy: None }),
        update_mask: ["pool_name", "policies.password_policy.minimum_length"]
            .map(Into::into)
            .into(),
        ..Default::default()
    };
    client.update_user_pool(update).await.expect("updated");
    let tags =
        [("team", "staff"), ("zone", "a")].map(|(key, tag)| (key.to_owned(), tag.to_owned()));
    let resource_arn = Some(arn(&id));
    let tag = TagResourceRequest {
        resource_arn: resource_arn.clone(),
        tags: tags.into(),
        ..Default::default()
    };
    client.tag_resource(tag).await.expect("tagged");
    let tag_keys = vec!["team".to_owned()];
    client
        .untag_resource(UntagResourceRequest { resource_arn, tag_keys, ..Default::default() })
        .await
        .expect("untagged");
    let attribute = SchemaAttribute {
        name: Some("dept".to_owned()),
        attribute_data_type: Some(attribute_data_type::Value::Boolean.into()),
        ..Default::default()
    };
    let add = AddCustomAttributesRequest {
        user_pool_id: user_pool_id.clone(),
        custom_attributes: vec![attribute],
        ..Default::default()
    };
    client.add_custom_attributes(add).await.expect("added");
    let set = SetUserPoolMfaConfigRequest {
        user_pool_id: user_pool_id.clone(),
        software_token_mfa_configuration: Some(SoftwareTokenMfaConfig { enabled: Some(true) }),
        mfa_configuration: Some(mfa_configuration::Value::Optional.into()),
        ..Default::default()
    };
    client.set_user_pool_mfa_config(set).await.expect("set");
    let update = UpdateUserPoolDomainRequest {
        domain: Some("login".to_owned()),
        user_pool_id: user_pool_id.clone(),
        managed_login_version: Some(2),
        ..Default::default()
    };
    client.update_user_pool_domain(update).await.expect("updated");
    let domain = Some("login".to_owned());
    let free = DeleteUserPoolDomainRequest { domain, user_pool_id, ..Default::default() };
    client.delete_user_pool_domain(free).await.expect("deleted");
    let delete = DeleteUserPoolRequest { user_pool_id: Some(id.clone()), ..Default::default() };
    client.delete_user_pool(delete).await.expect("deleted");
    id
}

/// What each of these events changed, by its position.
fn expected() -> BTreeMap<i64, Vec<String>> {
    let attribute = "{\"Name\":\"custom:dept\",\"AttributeDataType\":\"Boolean\",\
                     \"DeveloperOnlyAttribute\":false,\"Mutable\":false,\"Required\":false}";
    let lines: [(i64, &[&str]); 10] = [
        (
            1,
            &[
                "pool_name: - → people",
                "auto_verified_attributes: - → [\"email\"]",
                "user_pool_tags.team: - → people",
            ],
        ),
        (2, &["domain: - → login"]),
        (3, &["pool_name: people → staff", "policies.password_policy.minimum_length: 8 → 12"]),
        (4, &["user_pool_tags.team: people → staff", "user_pool_tags.zone: - → a"]),
        (5, &["user_pool_tags.team: staff → -"]),
        (6, &[&format!("schema_attributes.custom:dept: - → {attribute}")]),
        (
            7,
            &[
                "mfa_configuration: OFF → OPTIONAL",
                "sms_mfa: - → false",
                "software_token_mfa: - → {\"Enabled\":true}",
            ],
        ),
        (8, &["domain: login → login", "domain_settings: - → {\"managedLoginVersion\":2}"]),
        (9, &["domain: login → -", "domain_settings: {\"managedLoginVersion\":2} → -"]),
        (10, &["pool_name: staff → -"]),
    ];
    lines
        .into_iter()
        .map(|(at, lines)| (at, lines.iter().map(|line| (*line).to_owned()).collect()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_shows_what_changed_from_which_value_to_which() {
    let server = TestServer::start().await;
    let id = every_event(&mut server.client().await).await;
    create(&mut server.client().await, "others").await;
    let mut expected = expected();
    expected.insert(11, vec!["pool_name: - → others".to_owned()]);
    let mut history = history(&server).await;
    for page_size in [0, 1, 3] {
        for direction in [ReadDirection::Forward, ReadDirection::Backward] {
            let request = ListUserPoolEventsRequest {
                page_size,
                direction: direction.into(),
                ..Default::default()
            };
            let events = list(&mut history, request).await;
            let found: BTreeMap<_, _> =
                events.iter().map(|event| (event.position, changes(event))).collect();
            assert_eq!(found, expected, "{direction:?} by {page_size}");
        }
    }
    // A filter leaves out the events that the old values come from.
    for kind in [3, 4, 5, 7, 9] {
        let user_pool_id = Some(id.clone());
        let filter = UserPoolEventFilter { user_pool_id, ..Default::default() };
        let all = ListUserPoolEventsRequest { filter: Some(filter.clone()), ..Default::default() };
        let kind = list(&mut history, all).await[kind - 1].r#type;
        let filter = UserPoolEventFilter { types: vec![kind], ..filter };
        let request = ListUserPoolEventsRequest { filter: Some(filter), ..Default::default() };
        for event in list(&mut history, request).await {
            assert_eq!(Some(&changes(&event)), expected.get(&event.position));
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_summary_says_who_and_when_and_a_full_event_the_rest() {
    let server = TestServer::start().await;
    every_event(&mut server.client().await).await;
    let mut history = history(&server).await;
    let view =
        |view: EventView| ListUserPoolEventsRequest { view: view.into(), ..Default::default() };
    let summaries = list(&mut history, view(EventView::Unspecified)).await;
    assert_eq!(list(&mut history, view(EventView::Summary)).await, summaries);
    let full = list(&mut history, view(EventView::Full)).await;
    assert_eq!(full.len(), 10);
    for (summary, full) in summaries.iter().zip(&full) {
        assert!(full.payload.is_some() && full.hash.len() == 32 && full.schema_version == 1);
        assert!(full.changes.is_empty() && full.record.is_none());
        let without = UserPoolEvent {
            changes: summary.changes.clone(),
            payload: None,
            hash: Vec::new(),
            previous_hash: Vec::new(),
            schema_version: 0,
            request_fingerprint: None,
            ..full.clone()
        };
        assert_eq!(*summary, without);
    }
    // The records are of whole events.
    let records = ListUserPoolEventsRequest { include_records: true, ..Default::default() };
    let records = list(&mut history, records).await;
    for (with, full) in records.iter().zip(&full) {
        assert!(with.record.is_some());
        assert_eq!(UserPoolEvent { record: None, ..with.clone() }, *full);
    }
    for wrong in [
        ListUserPoolEventsRequest { include_records: true, ..view(EventView::Summary) },
        ListUserPoolEventsRequest { view: 7, ..Default::default() },
    ] {
        let refused = history.list_user_pool_events(wrong).await.expect_err("refused");
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert_eq!(
            (reason(&refused), fields(&refused)),
            ("INVALID_REQUEST".into(), vec!["view".to_owned()])
        );
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_value_is_cut() {
    let server = TestServer::start().await;
    let message = format!("{{####}}{}", "プ".repeat(19_994));
    let request =
        CreateUserPoolRequest { email_verification_message: Some(message), ..named("people") };
    server.client().await.create_user_pool(request).await.expect("a user pool");
    let events = list(&mut history(&server).await, ListUserPoolEventsRequest::default()).await;
    let changes = &events[0].changes;
    let change = changes.iter().find(|change| change.path == "email_verification_message");
    let shown = change.and_then(|change| change.new_value.clone()).expect("a value");
    assert_eq!(shown.chars().count(), 256);
    assert!(shown.starts_with("{####}プ") && shown.ends_with("プ…"), "{shown}");
    server.stop().await;
}

/// A log of events, which is written without a server.
#[derive(Default)]
struct Log {
    events: Vec<UserPoolEvent>,
    revisions: BTreeMap<&'static str, i64>,
}

impl Log {
    fn create(&mut self, id: &'static str) {
        let created = UserPoolEvent::decode(event_body(id, 1)).expect("an event");
        self.push(id, UserPoolEventType::UserPoolCreated, created.payload.expect("a payload"));
    }

    /// Sets the tag `n`.
    fn tag(&mut self, id: &'static str, value: usize) {
        self.tags(id, [("n".to_owned(), value.to_string())].into());
    }

    fn tags(&mut self, id: &'static str, tags: BTreeMap<String, String>) {
        let tagged = Payload::UserPoolTagged(UserPoolTagged { tags });
        self.push(id, UserPoolEventType::UserPoolTagged, tagged);
    }

    fn untag(&mut self, id: &'static str, tag_keys: Vec<String>) {
        let untagged = Payload::UserPoolUntagged(UserPoolUntagged { tag_keys });
        self.push(id, UserPoolEventType::UserPoolUntagged, untagged);
    }

    fn push(&mut self, id: &'static str, kind: UserPoolEventType, payload: Payload) {
        let position = i64::try_from(self.events.len()).expect("a small number") + 1;
        let revision = self.revisions.entry(id).or_default();
        *revision += 1;
        self.events.push(UserPoolEvent {
            position,
            user_pool_id: id.to_owned(),
            revision: *revision,
            r#type: kind.into(),
            schema_version: 1,
            record_time: Some(prost_types::Timestamp { seconds: position, nanos: 0 }),
            payload: Some(payload),
            ..Default::default()
        });
    }

    async fn server(self) -> TestServer {
        let log = MemoryLog::default();
        let bodies = self.events.iter().map(|event| event.encode_to_vec().into()).collect();
        log.append(Head::default(), bodies).await.expect("appended");
        TestServer::on(Arc::new(log)).await
    }
}

const PEOPLE: &str = "us-east-1_people123";
const STAFF: &str = "us-east-1_staff1234";

fn untagged(direction: ReadDirection) -> ListUserPoolEventsRequest {
    let types = vec![UserPoolEventType::UserPoolUntagged.into()];
    let filter = Some(UserPoolEventFilter { types, ..Default::default() });
    ListUserPoolEventsRequest { filter, direction: direction.into(), ..Default::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_values_that_are_far_away_are_searched_for_page_by_page() {
    let mut log = Log::default();
    for id in [PEOPLE, STAFF] {
        log.create(id);
        (1..=6_000).for_each(|value| log.tag(id, value));
    }
    for id in [PEOPLE, STAFF] {
        log.untag(id, vec!["n".to_owned()]);
    }
    let server = log.server().await;
    let mut history = history(&server).await;
    for direction in [ReadDirection::Backward, ReadDirection::Forward] {
        let events = list(&mut history, untagged(direction)).await;
        let changes: Vec<_> = events.iter().flat_map(changes).collect();
        assert_eq!(changes, ["user_pool_tags.n: 6000 → -"; 2], "{direction:?}");
    }
    // Each needs more than half of what one page may cost.
    let page = history.list_user_pool_events(untagged(ReadDirection::Backward)).await;
    assert_eq!(page.expect("a page").into_inner().events.len(), 1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_value_that_costs_too_much_is_unknown() {
    let mut log = Log::default();
    log.create(PEOPLE);
    (1..=10_001).for_each(|value| log.tag(PEOPLE, value));
    log.untag(PEOPLE, vec!["n".to_owned()]);
    let server = log.server().await;
    let mut history = history(&server).await;
    let filter =
        UserPoolEventFilter { user_pool_id: Some(PEOPLE.to_owned()), ..Default::default() };
    let request = ListUserPoolEventsRequest {
        filter: Some(filter),
        direction: ReadDirection::Backward.into(),
        page_size: 2,
        ..Default::default()
    };
    let page = history.list_user_pool_events(request.clone()).await.expect("a page").into_inner();
    let found: Vec<_> = page.events.iter().flat_map(changes).collect();
    assert_eq!(found, ["user_pool_tags.n: ? → -", "user_pool_tags.n: ? → 10001"]);
    // Nearer to the beginning they are known.
    let request = ListUserPoolEventsRequest { page_token: page.next_page_token, ..request };
    let page = history.list_user_pool_events(request).await.expect("a page").into_inner();
    let found: Vec<_> = page.events.iter().flat_map(changes).collect();
    assert_eq!(found, ["user_pool_tags.n: 9999 → 10000", "user_pool_tags.n: 9998 → 9999"]);
    server.stop().await;
}

/// Small events whose old values are large.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_summaries_fits_into_one_message() {
    let mut log = Log::default();
    log.create(PEOPLE);
    let keys: Vec<_> = (0..50).map(|key| format!("{key:02}")).collect();
    for _ in 0..200 {
        log.tags(PEOPLE, keys.iter().map(|key| (key.clone(), "プ".repeat(256))).collect());
        log.untag(PEOPLE, keys.clone());
    }
    let server = log.server().await;
    let mut history = history(&server).await;
    for direction in [ReadDirection::Backward, ReadDirection::Forward] {
        let request = ListUserPoolEventsRequest { page_size: 1000, ..untagged(direction) };
        let events = list(&mut history, request).await;
        assert_eq!(events.len(), 200);
        assert!(events.iter().all(|event| event.changes.len() == 50));
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_history_is_summarized_in_pages() {
    let server = long_log(2_500).await;
    let request = ListUserPoolEventsRequest { page_size: 1000, ..Default::default() };
    let events = list(&mut history(&server).await, request).await;
    let positions: Vec<_> = events.iter().map(|event| event.position).collect();
    assert_eq!(positions, (1..=2_500).collect::<Vec<_>>());
    server.stop().await;
}
