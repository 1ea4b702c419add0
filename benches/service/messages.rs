//! The messages of every comparison: the request for a user pool of about 2 KB, and
//! the answers of the real server to it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use bytes::{BufMut as _, BytesMut};
use prost::Message;
use tonic::transport::Channel;
use userpool::proto::{
    CreateUserPoolRequest, DescribeUserPoolRequest, ListUserPoolEventsRequest, UserPool, from_json,
    user_pool_history_service_client::UserPoolHistoryServiceClient,
    user_pool_service_client::UserPoolServiceClient,
};

use crate::{load::Call, process::Server};

pub(crate) const CREATE: &str = "/userpool.v1.UserPoolService/CreateUserPool";
pub(crate) const DESCRIBE: &str = "/userpool.v1.UserPoolService/DescribeUserPool";

pub(crate) const LIST_EVENTS: &str = "/userpool.v1.UserPoolHistoryService/ListUserPoolEvents";

/// How many bytes answers may differ by: their times and positions.
const TIMES: usize = 32;

/// The messages, and their files for load generators and baselines.
#[derive(Debug)]
pub(crate) struct Messages {
    pub(crate) request: CreateUserPoolRequest,
    /// The created user pool.
    pub(crate) pool: UserPool,
    /// Its record in the log.
    pub(crate) record: Vec<u8>,
    pub(crate) request_file: PathBuf,
    pub(crate) record_file: PathBuf,
    pub(crate) created_file: PathBuf,
    pub(crate) described_file: PathBuf,
    described_bytes: usize,
    directory: PathBuf,
}

impl Messages {
    /// Gets the answers from the real server, on a new directory.
    pub(crate) async fn make(directory: &Path) -> Self {
        let directory = &directory.join("messages");
        fs::create_dir(directory).expect("a directory");
        let request: CreateUserPoolRequest =
            from_json(include_str!("user-pool.json")).expect("a request");
        let server = Server::userpool(&directory.join("first"));
        let channel = connect(&server.address).await;
        let mut client = UserPoolServiceClient::new(channel.clone());
        let created = client.create_user_pool(request.clone()).await.expect("created").into_inner();
        let pool = created.user_pool.clone().expect("a user pool");
        let describe = DescribeUserPoolRequest { user_pool_id: pool.id.clone() };
        let described = client.describe_user_pool(describe).await.expect("described").into_inner();
        let list = ListUserPoolEventsRequest { include_records: true, ..Default::default() };
        let mut history = UserPoolHistoryServiceClient::new(channel);
        let page = history.list_user_pool_events(list).await.expect("a page").into_inner();
        let event = page.events.into_iter().next().expect("an event");
        let record = event.record.expect("its record");
        println!(
            "a user pool of {} bytes; CreateUserPool takes {} and answers {}; the record has {}\n",
            pool.encoded_len(),
            request.encoded_len(),
            created.encoded_len(),
            record.len(),
        );
        Self {
            request_file: written(directory, "create", &framed(&request)),
            record_file: written(directory, "record", &record),
            created_file: written(directory, "created", &created.encode_to_vec()),
            described_file: written(directory, "described", &described.encode_to_vec()),
            described_bytes: described.encoded_len(),
            record: record.to_vec(),
            directory: directory.to_owned(),
            request,
            pool,
        }
    }

    /// `CreateUserPool`, with the same bytes each time.
    pub(crate) fn create(&self, server: &Server) -> Call {
        let answer_bytes = self.pool.encoded_len().saturating_sub(TIMES);
        call(server, CREATE, self.request_file.clone(), answer_bytes)
    }

    /// `DescribeUserPool` of one user pool.
    pub(crate) fn describe(&self, server: &Server, id: &str) -> Call {
        let request = DescribeUserPoolRequest { user_pool_id: Some(id.to_owned()) };
        let body = self.file(&format!("describe-{id}"), &framed(&request));
        call(server, DESCRIBE, body, self.described_bytes.saturating_sub(TIMES))
    }

    /// Another file with a message to send.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        written(&self.directory, name, bytes)
    }

    /// A bare server with these answers.
    pub(crate) fn bare(&self) -> Server {
        Server::bare(&self.described_file, &self.created_file)
    }
}

fn call(server: &Server, path: &'static str, body: PathBuf, answer_bytes: usize) -> Call {
    Call { address: server.address.clone(), path, body, answer_bytes }
}

/// A message in its gRPC frame: not compressed, its length, its bytes.
pub(crate) fn framed(message: &impl Message) -> BytesMut {
    let length = u32::try_from(message.encoded_len()).expect("a small message");
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(length);
    frame.put_slice(&message.encode_to_vec());
    frame
}

/// A connection of tonic's client.
pub(crate) async fn connect(address: &str) -> Channel {
    let channel = Channel::from_shared(format!("http://{address}")).expect("an address");
    channel.connect().await.expect("a connection")
}

/// The position of the last event.
pub(crate) async fn head(server: &Server) -> u64 {
    let mut client = UserPoolHistoryServiceClient::new(connect(&server.address).await);
    let request = ListUserPoolEventsRequest { page_size: 1, ..Default::default() };
    let page = client.list_user_pool_events(request).await.expect("a page").into_inner();
    u64::try_from(page.head_position).expect("a position")
}

/// Writes a file and returns its path.
fn written(directory: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, bytes).expect("written");
    path
}
