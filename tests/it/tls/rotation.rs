//! Certificates change while the server serves, without disruption.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::timeout;
use tonic::transport::{Certificate, Channel, ClientTlsConfig};
use userpool::proto::DescribeUserPoolRequest;

use super::{TlsServer, recorded};
use crate::{
    authority::{Authority, connect, replace},
    support::{Client, TestServer, create},
};

/// Longer than the server needs to notice a changed file.
const IN_TIME: Duration = Duration::from_mins(1);
/// How often the certificates change.
const ROTATIONS: usize = 10;
/// How many clients of each kind call continuously.
const CLIENTS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_rotated_under_load_without_a_failed_call() {
    let secured = TlsServer::start(Some(true)).await;
    let directory = secured.files.path();
    let (old, new) = (&secured.authority, Authority::new("another root"));
    let both = format!("{}{}", old.pem, new.pem);
    replace(directory, "ca.crt", &both);
    let address = secured.server.endpoint.to_string();
    let client = old.workload("spiffe://prod/load").identity();
    let trusting = |pem: &str| {
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem));
        tls.identity(client.clone())
    };
    let first = connect(&address, trusting(&both)).await.expect("a connection");
    let id = create(&mut Client::new(first.clone()), "people").await;

    let (done, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut load = tokio::task::JoinSet::new();
    for client in 0..2 * CLIENTS {
        let (address, tls, id) = (address.clone(), trusting(&both), id.clone());
        let (done, calls, first_channel) = (Arc::clone(&done), Arc::clone(&calls), first.clone());
        load.spawn(async move {
            while !done.load(Ordering::Relaxed) {
                // Half of them use one connection, the others a new one for each
                // call.
                let channel = if client < CLIENTS {
                    first_channel.clone()
                } else {
                    connect(&address, tls.clone()).await.expect("a connection")
                };
                describe(channel, &id).await;
                calls.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    for rotation in 0..ROTATIONS {
        let issuer = if rotation % 2 == 0 { &new } else { old };
        issuer.server().write(directory);
        let before = calls.load(Ordering::Relaxed);
        shown(&address, &trusting(&issuer.pem)).await;
        while calls.load(Ordering::Relaxed) < before + 4 * CLIENTS && load.try_join_next().is_none()
        {
            tokio::task::yield_now().await;
        }
    }
    done.store(true, Ordering::Relaxed);
    // Every call of every task was answered.
    for ended in load.join_all().await {
        let () = ended;
    }
    assert!(calls.load(Ordering::Relaxed) > ROTATIONS * 4 * CLIENTS);
    secured.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_authority_is_trusted_for_no_new_connection() {
    let secured = TlsServer::start(Some(true)).await;
    let (old, new) = (&secured.authority, Authority::new("another root"));
    let of = |authority: &Authority| {
        old.trusted().identity(authority.workload("spiffe://prod/client").identity())
    };
    let old_channel = secured.connect(of(old)).await.expect("a connection");
    let id = create(&mut Client::new(old_channel.clone()), "people").await;

    replace(secured.files.path(), "ca.crt", &new.pem);

    // Existing connections stay; new ones need the new authority.
    let address = secured.server.endpoint.to_string();
    let channel = answering(&address, &of(&new)).await;
    assert_eq!(recorded(channel).await.subject, "spiffe://prod/client");
    describe(old_channel, &id).await;
    let refused = connect(&address, of(old)).await;
    let answer = match refused {
        Ok(channel) => Client::new(channel).list_user_pools(list()).await.err().is_some(),
        Err(_) => true,
    };
    assert!(answer, "the old authority is still trusted");
    secured.server.stop().await;
}

/// In Kubernetes the files are links to links, of which one is replaced.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_secret_volume_is_reloaded() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let volume = tempfile::TempDir::new().expect("a directory");
    let publish = |authority: &Authority, name: &str| {
        let data = volume.path().join(name);
        fs::create_dir(&data).expect("a directory");
        authority.server().write(&data);
        let beside = volume.path().join("..data_tmp");
        symlink(name, &beside).expect("linked");
        fs::rename(beside, volume.path().join("..data")).expect("swapped");
    };
    publish(&old, "..2026_01");
    let link = |name: &str| {
        let path = volume.path().join(name);
        symlink(Path::new("..data").join(name), &path).expect("linked");
        path
    };
    let (certificate, key) = (link("tls.crt"), link("tls.key"));
    let tls = userpool::transport::ServerTls { certificate, key, clients: None };
    let server = TestServer::with(|config| config.tls = Some(tls)).await;
    let address = server.endpoint.to_string();
    connect(&address, old.trusted()).await.expect("a connection");

    publish(&new, "..2026_02");

    shown(&address, &new.trusted()).await;
    assert!(connect(&address, old.trusted()).await.is_err(), "the old one is still shown");
    server.stop().await;
}

/// Waits until the server shows a certificate that this client trusts.
async fn shown(address: &str, tls: &ClientTlsConfig) {
    let shown = async { while connect(address, tls.clone()).await.is_err() {} };
    timeout(IN_TIME, shown).await.expect("the new certificate is shown");
}

/// Waits until the server trusts the certificate of this client.
async fn answering(address: &str, tls: &ClientTlsConfig) -> Channel {
    let answering = async {
        loop {
            if let Ok(channel) = connect(address, tls.clone()).await
                && Client::new(channel.clone()).list_user_pools(list()).await.is_ok()
            {
                return channel;
            }
        }
    };
    timeout(IN_TIME, answering).await.expect("the new authority is trusted")
}

fn list() -> userpool::proto::ListUserPoolsRequest {
    userpool::proto::ListUserPoolsRequest { max_results: Some(1), ..Default::default() }
}

async fn describe(channel: Channel, id: &str) {
    let request = DescribeUserPoolRequest {
        user_pool_id: Some(id.to_owned()),
        ..DescribeUserPoolRequest::default()
    };
    Client::new(channel).describe_user_pool(request).await.expect("an answer");
}
