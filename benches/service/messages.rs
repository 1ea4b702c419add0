//! The messages of every comparison: requests for varied user pools, and the answers of
//! the real server to them.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::{BufMut as _, Bytes, BytesMut};
use chrono::Utc;
use prost::Message;
use tonic::transport::Channel;
use userpool::proto::{
    CreateUserPoolRequest, CreateUserPoolResponse, DescribeUserPoolRequest,
    ListUserPoolEventsRequest, user_pool_history_service_client::UserPoolHistoryServiceClient,
    user_pool_service_client::UserPoolServiceClient,
};

use crate::{
    bare, data_directory::VARIED, load::Call, process::Server, signer::Signer,
    varied_pools::requests,
};

pub(crate) const CREATE: &str = "/userpool.v1.UserPoolService/CreateUserPool";
pub(crate) const DESCRIBE: &str = "/userpool.v1.UserPoolService/DescribeUserPool";
pub(crate) const UPDATE: &str = "/userpool.v1.UserPoolService/UpdateUserPool";

pub(crate) const LIST_EVENTS: &str = "/userpool.v1.UserPoolHistoryService/ListUserPoolEvents";

/// The target of `DescribeUserPool` in AWS's JSON.
const TARGET: &str = "AWSCognitoIdentityProviderService.DescribeUserPool";

/// How many bytes answers may differ by: their times and positions.
const TIMES: usize = 32;

/// The messages, and their files for load generators and baselines.
#[derive(Debug)]
pub(crate) struct Messages {
    /// The requests for varied user pools.
    pub(crate) requests: Arc<[CreateUserPoolRequest]>,
    /// The same, encoded.
    encoded: Arc<[Bytes]>,
    /// Their records in the log.
    records: Arc<[Bytes]>,
    /// The request for a user pool whose record has the mean length.
    pub(crate) typical: CreateUserPoolRequest,
    /// A file with that record.
    pub(crate) record_file: PathBuf,
    created_file: PathBuf,
    described_file: PathBuf,
    described_bytes: usize,
    directory: PathBuf,
}

impl Messages {
    /// Gets the answers from the real server, on a new directory.
    pub(crate) async fn make(directory: &Path) -> Self {
        let directory = &directory.join("messages");
        fs::create_dir(directory).expect("a directory");
        let requests: Arc<[_]> = requests(VARIED).into();
        let server = Server::userpool(&directory.join("first"));
        let channel = connect(&server.address).await;
        let mut client = UserPoolServiceClient::new(channel.clone());
        let mut created = Vec::new();
        for request in requests.iter() {
            let answer = client.create_user_pool(request.clone()).await.expect("created");
            created.push(answer.into_inner());
        }
        let records = records(channel).await;
        let typical = typical(&records);
        let request = requests.get(typical).expect("a request").clone();
        let created: CreateUserPoolResponse = created.swap_remove(typical);
        let user_pool_id = created.user_pool.as_ref().and_then(|pool| pool.id.clone());
        let describe =
            DescribeUserPoolRequest { user_pool_id, ..DescribeUserPoolRequest::default() };
        let described = client.describe_user_pool(describe).await.expect("described").into_inner();
        let record = records.get(typical).expect("a record");
        println!(
            "{VARIED} varied user pools; for a typical one, CreateUserPool takes {} bytes and \
             answers {}; the record has {}\n",
            request.encoded_len(),
            created.encoded_len(),
            record.len(),
        );
        Self {
            encoded: requests.iter().map(|request| request.encode_to_vec().into()).collect(),
            record_file: written(directory, "record", record),
            created_file: written(directory, "created", &created.encode_to_vec()),
            described_file: written(directory, "described", &described.encode_to_vec()),
            described_bytes: described.encoded_len(),
            directory: directory.to_owned(),
            typical: request,
            requests,
            records,
        }
    }

    /// The message of each `CreateUserPool` by its number.
    pub(crate) fn creates(&self) -> impl Fn(u64) -> Bytes + Clone + Send + Sync + use<> {
        let encoded = Arc::clone(&self.encoded);
        move |number| nth(&encoded, number).clone()
    }

    /// The record of each by its number.
    pub(crate) fn records(&self) -> impl Fn(u64) -> Bytes + Send + Sync + use<> {
        let records = Arc::clone(&self.records);
        move |number| nth(&records, number).clone()
    }

    /// `DescribeUserPool` of one user pool.
    pub(crate) fn describe(&self, server: &Server, id: &str) -> Call {
        let request = DescribeUserPoolRequest {
            user_pool_id: Some(id.to_owned()),
            ..DescribeUserPoolRequest::default()
        };
        let body = self.file(&format!("describe-{id}"), &framed(&request));
        let answer_bytes = self.described_bytes.saturating_sub(TIMES);
        let (address, cpu) = (server.address.clone(), server.cpu());
        Call { address, path: DESCRIBE, body, answer_bytes, cpu, aws_headers: None }
    }

    /// The same in AWS's JSON, at this address of the server; signed now, if there is a key.
    pub(crate) fn describe_as_aws(
        &self,
        server: &Server,
        address: &str,
        id: &str,
        key: Option<(&str, &str)>,
    ) -> Call {
        let text = format!("{{\"UserPoolId\":\"{id}\"}}");
        let body = self.file(&format!("describe-{id}.json"), text.as_bytes());
        let mut headers = vec![
            ("content-type", "application/x-amz-json-1.1".to_owned()),
            ("x-amz-target", TARGET.to_owned()),
        ];
        if let Some((key_id, secret)) = key {
            let at = Utc::now().format("%Y%m%dT%H%M%SZ").to_string();
            let region = "us-east-1";
            let signer = Signer { key_id, secret, at: &at, region, service: "cognito-idp" };
            let headers_to_sign =
                [("host", address), ("x-amz-date", &at), ("x-amz-target", TARGET)];
            let authorization = signer.authorization(&headers_to_sign, &text);
            headers.extend([("authorization", authorization), ("x-amz-date", at.clone())]);
        }
        // The JSON of a user pool is longer than its message.
        let answer_bytes = self.described_bytes.saturating_sub(TIMES);
        let (address, cpu) = (address.to_owned(), server.cpu());
        Call { address, path: "/", body, answer_bytes, cpu, aws_headers: Some(headers) }
    }

    /// Another file with a message to send.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        written(&self.directory, name, bytes)
    }

    /// A bare server with these answers.
    pub(crate) fn bare(&self) -> Server {
        Server::bare(bare::ARGUMENT, &self.described_file, &self.created_file)
    }

    /// A bare server that coalesces its writes.
    pub(crate) fn coalescing_bare(&self) -> Server {
        Server::bare(bare::COALESCING, &self.described_file, &self.created_file)
    }

    /// nghttp2's server with a file that has as many bytes as the answer to
    /// `DescribeUserPool`, at the path of that call.
    pub(crate) fn nghttpd(&self) -> Option<Server> {
        let files = self.directory.join("nghttpd");
        let file = files.join(DESCRIBE.trim_start_matches('/'));
        fs::create_dir_all(file.parent()?).expect("a directory");
        let mut frame = vec![0; 5];
        frame.extend(fs::read(&self.described_file).expect("the answer"));
        fs::write(file, frame).expect("written");
        Server::nghttpd(&files)
    }
}

/// The value of a number; they repeat.
pub(crate) fn nth<T>(values: &[T], number: u64) -> &T {
    let index = usize::try_from(number).expect("a small number") % values.len();
    values.get(index).expect("a value")
}

/// All records of a log.
async fn records(channel: Channel) -> Arc<[Bytes]> {
    let mut history = UserPoolHistoryServiceClient::new(channel);
    let (mut records, mut page_token) = (Vec::new(), String::new());
    loop {
        let request =
            ListUserPoolEventsRequest { include_records: true, page_token, ..Default::default() };
        let page = history.list_user_pool_events(request).await.expect("a page").into_inner();
        records.extend(page.events.into_iter().filter_map(|event| event.record));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return records.into();
        }
    }
}

/// The index of the record whose length is nearest to the mean.
fn typical(records: &[Bytes]) -> usize {
    let mean = records.iter().map(Bytes::len).sum::<usize>() / records.len();
    let lengths = records.iter().map(|record| record.len().abs_diff(mean)).enumerate();
    lengths.min_by_key(|(_, difference)| *difference).map(|(index, _)| index).expect("a record")
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
