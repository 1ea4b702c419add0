//! Witnesses, and what stands before them, that answer wrongly for a while; and logs that change
//! their name.

use userpool::{audit::checkpoint::Origin, proto::SignedCheckpoint, server::Config};

use super::witness_servers::{
    Front, TestWitness, asked, key_of, serve, wait_for_asked, wait_for_witnessed, witnessed,
};
use crate::support::{TestServer, create};

const NAME: &str = "witness.example";

/// A server whose only event is to be cosigned by a witness behind a front.
async fn server_with_front() -> (TestServer, TestWitness, Front) {
    let server = TestServer::start().await;
    create(&mut server.client().await, "people").await;
    let witness = TestWitness::start(NAME, &key_of(&server).await).await;
    let front = Front::of(&witness, None).await;
    let server = serve(server.stop().await, vec![front.address("http")]).await;
    (server, witness, front)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_size_does_not_end_cosigning() {
    let (server, _witness, front) = server_with_front().await;
    for size in ["18446744073709551615\n", "2\n"] {
        front.answer("409", size);
        wait_for_asked(&server, NAME, "refused", 2.0).await;
    }
    front.open();
    wait_for_witnessed(&server, 1).await;
    server.stop().await;
}

/// Only a refusal says that the log may be another one.
#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_a_proxy_is_not_a_refusal() {
    let (server, _witness, front) = server_with_front().await;
    for status in ["500", "502", "503", "504", "408", "429"] {
        front.answer(status, "try again later");
        wait_for_asked(&server, NAME, "failed", 2.0).await;
    }
    assert!(asked(&server, NAME, "refused").await < 1.0);
    for status in ["403", "404", "422"] {
        front.answer(status, "no");
        wait_for_asked(&server, NAME, "refused", 2.0).await;
    }
    front.open();
    wait_for_witnessed(&server, 1).await;
    server.stop().await;
}

/// Of a former name, a cosigned checkpoint can have events that the log has lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_with_a_new_name_shows_no_cosignature_of_the_old() {
    let named = |name: &str| {
        let name: Origin = name.parse().expect("a name");
        move |config: &mut Config| config.checkpoint_origin = Some(name)
    };
    let server = TestServer::with(named("old.example")).await;
    create(&mut server.client().await, "people").await;
    let witness = TestWitness::start(NAME, &key_of(&server).await).await;
    let address = vec![witness.address()];
    let server = server
        .restart_with(|config| {
            named("old.example")(config);
            config.witnesses = address;
            config.checkpoint_interval = super::published::INTERVAL;
        })
        .await;
    let cosigned = wait_for_witnessed(&server, 1).await;
    let shown = async |server: &TestServer| -> Option<SignedCheckpoint> {
        witnessed(server.channel().await).await
    };
    let server = server.restart_with(named("new.example")).await;
    assert_eq!(shown(&server).await, None);
    let server = server.restart_with(named("old.example")).await;
    assert_eq!(shown(&server).await, Some(cosigned));
    server.stop().await;
}
