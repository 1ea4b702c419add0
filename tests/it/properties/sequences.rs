//! Sequences of commands: on the rules alone, and on the real server, which must
//! agree with the rules and with its log.

use std::sync::Arc;

use proptest::{
    collection::vec,
    option::of,
    prelude::*,
    sample::{Index, select},
};
use tokio::runtime::Runtime;
use tonic::{Code, transport::Channel};
use userpool::{
    event_log::MemoryLog,
    proto::{
        CreateUserPoolRequest, DescribeUserPoolRequest, DescribeUserPoolResponse,
        DomainDescription, EventView, ListUserPoolDomainsRequest, ListUserPoolEventsRequest,
        ListUserPoolsRequest, SmsConfiguration, SmsMfaConfig, SoftwareTokenMfaConfig,
        UpdateUserPoolRequest, UserPool, UserPoolDescription, UserPoolEventFilter,
        mfa_configuration::Value as Mfa,
        user_pool_history_service_client::UserPoolHistoryServiceClient,
        user_pool_service_client::UserPoolServiceClient,
    },
    user_pool::touches_domain,
};

use crate::{calls::Call, support::TestServer};

use super::{
    legal, trying,
    world::{Pool, World},
};

/// Few, so that the sequences use the same ones.
const PREFIXES: [&str; 2] = ["one", "two"];

/// A command on the first, second, … created user pool.
#[derive(Debug, Clone)]
enum Step {
    Create(Box<CreateUserPoolRequest>),
    Update(usize, Box<UpdateUserPoolRequest>),
    Delete(usize),
    Assign(usize, &'static str),
    Release(usize, &'static str),
    SetLoginVersion(usize, &'static str, i32),
    SetTag(usize, String),
    RemoveTag(usize),
    AddAttribute(usize, &'static str),
    SetMfa(usize, Mfa, Option<SmsMfaConfig>, Option<SoftwareTokenMfaConfig>),
    /// To one of its revisions, with or without its domains.
    Restore(usize, Index, bool),
}

/// Off without factors, or any factors, of which some are refused.
fn mfa() -> impl Strategy<Value = (Mfa, Option<SmsMfaConfig>, Option<SoftwareTokenMfaConfig>)> {
    let role = "arn:aws:iam::123456789012:role/sms".to_owned();
    let sms = of(Just(SmsConfiguration { sns_caller_arn: Some(role), ..Default::default() }));
    let sms = sms.prop_map(|sms_configuration| SmsMfaConfig {
        sms_authentication_message: None,
        sms_configuration,
    });
    let token = of(any::<bool>()).prop_map(|enabled| SoftwareTokenMfaConfig { enabled });
    prop_oneof![
        1 => Just((Mfa::Off, None, None)),
        2 => (select(&[Mfa::On, Mfa::Optional][..]), of(sms), of(token)),
    ]
}

fn steps(most: usize) -> impl Strategy<Value = Vec<(Step, Option<i64>)>> {
    let pool = || 0..3_usize;
    let prefix = || select(PREFIXES.as_slice());
    let step = prop_oneof![
        3 => legal::create().prop_map(|request| Step::Create(Box::new(request))),
        4 => (pool(), legal::update()).prop_map(|(pool, request)| Step::Update(pool, Box::new(request))),
        1 => pool().prop_map(Step::Delete),
        4 => (pool(), prefix()).prop_map(|(pool, prefix)| Step::Assign(pool, prefix)),
        4 => (pool(), prefix()).prop_map(|(pool, prefix)| Step::Release(pool, prefix)),
        2 => (pool(), prefix(), 1..=2).prop_map(|(pool, prefix, version)| Step::SetLoginVersion(pool, prefix, version)),
        2 => (pool(), "[a-c]{1,2}").prop_map(|(pool, value)| Step::SetTag(pool, value)),
        2 => pool().prop_map(Step::RemoveTag),
        2 => (pool(), prefix()).prop_map(|(pool, name)| Step::AddAttribute(pool, name)),
        4 => (pool(), any::<Index>(), any::<bool>())
            .prop_map(|(pool, revision, domain)| Step::Restore(pool, revision, domain)),
        3 => (pool(), mfa()).prop_map(|(pool, (mfa, sms, token))| Step::SetMfa(pool, mfa, sms, token)),
    ];
    let expected_revision = prop_oneof![5 => Just(None), 1 => of(1..5_i64)];
    vec((step, expected_revision), 1..most)
}

impl Step {
    /// The call for this step after these user pools were created.
    fn call(self, ids: &[String], world: &World, expected_revision: Option<i64>) -> Call {
        let id = |pool: usize| ids.get(pool).map_or("us-east-1_never", String::as_str);
        let call = match self {
            Self::Create(request) => Call::Create(request),
            Self::Update(pool, request) => Call::Update(Box::new(UpdateUserPoolRequest {
                user_pool_id: Some(id(pool).to_owned()),
                ..*request
            })),
            Self::Delete(pool) => Call::delete(id(pool)),
            Self::Assign(pool, prefix) => Call::assign(id(pool), prefix),
            Self::Release(pool, prefix) => Call::release(id(pool), prefix),
            Self::SetLoginVersion(pool, prefix, version) => {
                Call::set_login_version(id(pool), prefix, version)
            }
            Self::SetTag(pool, value) => Call::set_tag(id(pool), "step", &value),
            Self::RemoveTag(pool) => Call::remove_tag(id(pool), "step"),
            Self::AddAttribute(pool, name) => Call::add_attribute(id(pool), name),
            Self::SetMfa(pool, mfa, sms, token) => Call::set_factors(id(pool), mfa, sms, token),
            Self::Restore(pool, revision, with_domains) => {
                let id = id(pool);
                let last = world.pools.get(id).map_or(1, Pool::revision);
                let last = usize::try_from(last).expect("a small number");
                let revision = i64::try_from(revision.index(last)).expect("a small number") + 1;
                if with_domains {
                    Call::restore_with_domains(id, revision)
                } else {
                    Call::restore(id, revision)
                }
            }
        };
        match expected_revision {
            Some(revision) => call.expecting(revision),
            None => call,
        }
    }
}

#[test]
fn no_sequence_of_commands_breaks_an_invariant() {
    let tried = trying(128).run(&steps(24), |steps| {
        let mut world = World::default();
        let mut ids = Vec::new();
        for (step, expected_revision) in steps {
            let call = step.call(&ids, &world, expected_revision);
            let id = call.target().unwrap_or_else(|| {
                ids.push(format!("us-east-1_{}", ids.len()));
                ids[ids.len() - 1].clone()
            });
            // The invariants hold whether or not the command is refused.
            let _ = world.carry_out(&id, call);
            world.assert_sound();
        }
        Ok(())
    });
    tried.expect("no failing case");
}

/// All data that the server shows.
#[derive(Debug, PartialEq)]
struct ShownState {
    pools: Vec<Result<DescribeUserPoolResponse, (Code, String)>>,
    list: Vec<UserPoolDescription>,
    domains: Vec<DomainDescription>,
}

async fn shown(client: &mut UserPoolServiceClient<Channel>, ids: &[String]) -> ShownState {
    let mut pools = Vec::new();
    for id in ids {
        let described = client
            .describe_user_pool(DescribeUserPoolRequest {
                user_pool_id: Some(id.clone()),
                ..DescribeUserPoolRequest::default()
            })
            .await;
        pools.push(match described {
            Ok(response) => Ok(response.into_inner()),
            Err(status) => Err((status.code(), crate::support::reason(&status))),
        });
    }
    let list = ListUserPoolsRequest {
        max_results: Some(60),
        next_token: None,
        ..ListUserPoolsRequest::default()
    };
    let list = client.list_user_pools(list).await.expect("a page").into_inner().user_pools;
    let domains = ListUserPoolDomainsRequest {
        max_results: Some(60),
        next_token: None,
        ..ListUserPoolDomainsRequest::default()
    };
    let domains =
        client.list_user_pool_domains(domains).await.expect("a page").into_inner().domains;
    ShownState { pools, list, domains }
}

fn without_times(pool: UserPool) -> UserPool {
    UserPool { creation_date: None, last_modified_date: None, ..pool }
}

/// A list with the filter of a domain has every event that touches the domain. The server skips
/// records by their bytes, without decoding them; this shows that it skips none that match.
async fn check_domain_filters(server: &TestServer) {
    let mut client = UserPoolHistoryServiceClient::new(server.channel().await);
    let mut events = async |domain: Option<&str>| {
        let domain = domain.map(str::to_owned);
        let filter = Some(UserPoolEventFilter { domain, ..Default::default() });
        let view = EventView::Full.into();
        let request =
            ListUserPoolEventsRequest { filter, view, page_size: 100, ..Default::default() };
        client.list_user_pool_events(request).await.expect("a page").into_inner().events
    };
    let all = events(None).await;
    for domain in PREFIXES {
        let mut expected = all.clone();
        expected.retain(|event| {
            event.payload.as_ref().is_some_and(|payload| touches_domain(payload, domain))
        });
        assert_eq!(events(Some(domain)).await, expected, "{domain}");
    }
}

#[test]
fn the_server_agrees_with_the_rules_and_with_its_log() {
    let runtime = Runtime::new().expect("a runtime");
    let tried = trying(24).run(&steps(24), |steps| {
        runtime.block_on(async {
            let log = Arc::new(MemoryLog::default());
            let server = TestServer::on(Arc::<MemoryLog>::clone(&log)).await;
            let mut client = server.client().await;
            let mut world = World::default();
            let mut ids = Vec::new();
            for (step, expected_revision) in steps {
                let call = step.call(&ids, &world, expected_revision);
                let answer = call.clone().send(&mut client).await;
                let id = call.target().unwrap_or_else(|| {
                    ids.push(answer.as_ref().expect("a user pool").id());
                    ids[ids.len() - 1].clone()
                });
                match (answer, world.carry_out(&id, call)) {
                    (Ok(answer), Ok(revision)) => assert_eq!(answer.revision, revision),
                    (Err(status), Err(rejection)) => {
                        assert_eq!(status.message(), rejection.to_string());
                    }
                    both => unreachable!("{both:?}"),
                }
            }

            let first = shown(&mut client, &ids).await;
            for (id, described) in ids.iter().zip(&first.pools) {
                let pool = &world.pools[id];
                match (described.clone(), pool.state.user_pool()) {
                    (Ok(described), Some(expected)) => {
                        assert_eq!(described.revision, pool.revision());
                        let described = described.user_pool.expect("a user pool");
                        let (described, expected) =
                            (without_times(described), without_times(expected.clone()));
                        // The rules know no account.
                        assert_eq!(UserPool { arn: None, ..described }, expected);
                    }
                    (Err((code, reason)), None) => {
                        assert_eq!((code, reason.as_str()), (Code::NotFound, "USER_POOL_DELETED"));
                    }
                    both => unreachable!("{both:?}"),
                }
            }
            let listed = first.list.iter().filter_map(|pool| pool.id.clone());
            assert!(listed.eq(ids.iter().filter(|id| world.is_active(id)).cloned()));
            let listed = first.domains.iter().map(|domain| (&domain.domain, &domain.user_pool_id));
            let domains = world.domains.iter().map(|(prefix, id)| (Some(prefix), Some(id)));
            assert!(listed.map(|(prefix, id)| (prefix.as_ref(), id.as_ref())).eq(domains));
            check_domain_filters(&server).await;
            server.stop().await;

            // Another server reads the same log and begins without a read model.
            let fresh = TestServer::on(log).await;
            assert_eq!(shown(&mut fresh.client().await, &ids).await, first);
            fresh.stop().await;
        });
        Ok(())
    });
    tried.expect("no failing case");
}
