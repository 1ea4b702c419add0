//! The rows that find user pools are covered by the digest and by the scrub.

use std::path::Path;

use fjall::Keyspace;
use prost::Message as _;
use userpool::server::ServerError;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::{by, expected, found_names, seven_pools, text};
use crate::{
    read_model::Checkpoint,
    support::{TestServer, change_read_model},
};

/// The letters of the rows that a list or a count needs.
const LETTERS: [&str; 4] = ["n", "s", "u", "c"];

fn first_row(index: &Keyspace, letter: &str) -> (Vec<u8>, Vec<u8>) {
    let row = index.prefix(letter).next().expect("a row").into_inner().expect("readable");
    (row.0.to_vec(), row.1.to_vec())
}

/// Removes a row, and its sum from the digest, so that the start does not notice.
fn remove_unnoticed(read_model: &Path, letter: &str) {
    change_read_model(read_model, |_, index| {
        let (key, value) = first_row(index, letter);
        let checkpoint = index.get("m").expect("readable").expect("a checkpoint");
        let mut checkpoint = Checkpoint::decode(&*checkpoint).expect("a checkpoint");
        let sum = xxh3_64_with_seed(&value, xxh3_64(&key));
        checkpoint.digest = checkpoint.digest.wrapping_sub(sum);
        index.remove(key).expect("removed");
        index.insert("m", checkpoint.encode_to_vec()).expect("written");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_a_row_rebuilds_the_read_model() {
    for letter in LETTERS {
        let server = TestServer::start().await;
        seven_pools(&mut server.client().await).await;
        let server = server
            .restart_after(|path| {
                change_read_model(&path.join("read_model"), |_, index| {
                    index.remove(first_row(index, letter).0).expect("removed");
                });
            })
            .await;
        let mut client = server.client().await;
        for (filter, names) in expected() {
            assert_eq!(found_names(&mut client, &filter, 60).await, names, "{letter} {filter:?}");
        }
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_row_is_found_without_a_call() {
    for letter in LETTERS {
        let server = TestServer::start().await;
        seven_pools(&mut server.client().await).await;
        let directory = server.stop().await;
        remove_unnoticed(&directory.path().join("read_model"), letter);
        let ended = TestServer::start_in(directory).await.ended().await;
        assert!(matches!(ended, Err(ServerError::ReadModelFailed)), "{letter}: {ended:?}");
    }
}

/// A row says nothing by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_no_state_has_lists_nothing() {
    let server = TestServer::start().await;
    seven_pools(&mut server.client().await).await;
    let server = server
        .restart_after(|path| {
            change_read_model(&path.join("read_model"), |_, index| {
                let key = [b"nz-forged\0".as_slice(), &1_u64.to_be_bytes()].concat();
                let checkpoint = index.get("m").expect("readable").expect("a checkpoint");
                let mut checkpoint = Checkpoint::decode(&*checkpoint).expect("a checkpoint");
                let sum = xxh3_64_with_seed(&[], xxh3_64(&key));
                checkpoint.digest = checkpoint.digest.wrapping_add(sum);
                index.insert(key, "").expect("written");
                index.insert("m", checkpoint.encode_to_vec()).expect("written");
            });
        })
        .await;
    let forged = by(|filter| filter.name_prefix = text("z"));
    let found = found_names(&mut server.client().await, &forged, 60).await;
    assert_eq!(found, Vec::<String>::new());
    server.stop().await;
}
