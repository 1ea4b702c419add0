//! Unmodified AWS clients against the binary. None has a setting of its own other than the
//! endpoint, the region and the keys.

mod guide;
mod proxy;
mod records;
mod terraform;
mod tls;

use std::{path::Path, process::Output};

use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::{Child, Command},
    task::JoinHandle,
};
use tonic::transport::Channel;
use userpool::proto::{
    ActorKind, ListUserPoolEventsRequest, UserPoolEvent, UserPoolEventType,
    user_pool_history_service_client::UserPoolHistoryServiceClient,
};

use crate::{
    authority::replace,
    binary::serve,
    json::{data, with_later_members, without},
    support::copy_directory,
    tools::{self, repository},
};

use self::proxy::LossyProxy;

/// The variable that sets the endpoint of this one service, as SDKs read it.
const ENDPOINT: &str = "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER";

/// The binary, which knows one access key.
struct Server {
    child: Child,
    stderr: JoinHandle<String>,
    /// The URL for AWS clients.
    url: String,
    grpc: String,
    _directory: TempDir,
}

impl Server {
    async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same, with other settings.
    async fn start_with(arguments: &[String]) -> Self {
        let directory = TempDir::new().expect("a directory");
        let text =
            "[tests]\naccess_key_id = \"AKIATESTS\"\nsecret_access_key = \"tests/secret+1\"\n";
        let keys = replace(directory.path(), "keys.toml", text);
        let mut command = serve(&directory.path().join("data"));
        command.args(["--listen=127.0.0.1:0", "--aws-listen=127.0.0.1:0"]).args(arguments);
        let mut child =
            command.arg("--aws-credentials").arg(keys).spawn().expect("the binary runs");
        let mut stderr = child.stderr.take().expect("a pipe");
        let stderr = tokio::spawn(async move {
            let mut text = String::new();
            stderr.read_to_string(&mut text).await.expect("UTF-8");
            text
        });
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut line = async || lines.next_line().await.expect("readable").expect("a line");
        let (grpc, url) = (line().await, line().await);
        let grpc = grpc.strip_prefix("userpool listening on ").expect("an address").to_owned();
        let url = url.strip_prefix("userpool listening for AWS clients on ").expect("a URL");
        Self { child, stderr, url: url.to_owned(), grpc, _directory: directory }
    }

    /// Stops it gracefully, and returns its log.
    async fn terminate(mut self) -> String {
        let process = self.child.id().expect("it runs").to_string();
        let sent = Command::new("sh").args(["-c", "kill -s TERM $0", &process]).status().await;
        assert!(sent.expect("a shell").success());
        assert!(self.child.wait().await.expect("an end").success());
        self.stderr.await.expect("read to the end")
    }

    /// A proxy that loses the first answer.
    async fn lossy(&self) -> LossyProxy {
        LossyProxy::of(self.url.strip_prefix("http://").expect("a host and port")).await
    }

    /// The history, in the order in which it was recorded.
    async fn events(&self) -> Vec<UserPoolEvent> {
        let channel = Channel::from_shared(format!("http://{}", self.grpc)).expect("an address");
        let channel = channel.connect().await.expect("a connection");
        let mut history = UserPoolHistoryServiceClient::new(channel);
        let request = ListUserPoolEventsRequest::default();
        history.list_user_pool_events(request).await.expect("events").into_inner().events
    }
}

/// Runs a client with the endpoint, the region and the keys in its environment.
async fn run(command: &mut Command, url: &str) -> Output {
    command
        .current_dir(repository())
        .env("AWS_ACCESS_KEY_ID", "AKIATESTS")
        .env("AWS_SECRET_ACCESS_KEY", "tests/secret+1")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_CONFIG_FILE", "/nonexistent")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
        .env("AWS_PAGER", "")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env(ENDPOINT, url)
        .kill_on_drop(true)
        .output()
        .await
        .expect("it runs")
}

#[track_caller]
fn succeeded(output: &Output) -> String {
    let (stdout, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stdout}{stderr}");
    stdout.into_owned()
}

/// The script does what the seed documents, and prints its checks.
async fn boto3_runs_the_seed(python: &Path, modules: &str, api: &str) {
    let server = Server::start_with(&[format!("--aws-api={api}")]).await;
    let mut command = Command::new(python);
    command.arg("tests/it/aws_clients/seed.py").env("PYTHONPATH", modules);
    let printed = succeeded(&run(&mut command, &server.url).await);
    assert!(printed.starts_with("create, describe: 64 members, equal\n"), "{printed}");
    assert_eq!(printed.lines().count(), 6, "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_runs_the_seed_unmodified() {
    let Some(python) = tools::boto3("that boto3 works") else { return };
    for api in ["today", "2017-12-11"] {
        boto3_runs_the_seed(&python, "", api).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_calls_the_operations_of_later_years() {
    let Some(python) = tools::boto3("that boto3 calls the operations of later years") else {
        return;
    };
    let server = Server::start().await;
    let mut command = Command::new(python);
    let printed =
        succeeded(&run(command.arg("tests/it/aws_clients/operations.py"), &server.url).await);
    assert_eq!(printed.lines().count(), 4, "{printed}");
}

/// Its model is that of 2017-12-11, so nothing of later years is needed.
#[tokio::test(flavor = "multi_thread")]
async fn boto3_of_2017_runs_the_seed_unmodified() {
    let Some(python) = tools::boto3_of_2017("that boto3 of 2017 works") else { return };
    for api in ["today", "2017-12-11"] {
        boto3_runs_the_seed(&python, "tests/it/aws_clients/boto3-2017", api).await;
    }
}

/// Every member that today's model has more than that of 2017, and no operation of later years.
#[tokio::test(flavor = "multi_thread")]
async fn boto3_sends_and_gets_every_later_member() {
    let Some(python) = tools::boto3("that the members of today work") else { return };
    let server = Server::start_with(&["--log=debug".to_owned()]).await;
    let mut command = Command::new(python);
    let printed = succeeded(&run(command.arg("tests/it/aws_clients/today.py"), &server.url).await);
    let log = server.terminate().await;
    let expected = "create: 94 members, equal\nupdate: 79 members, equal\nrefusals: as on AWS\n";
    assert_eq!(printed, expected);
    let ignored = "members that this server does not have are ignored";
    let records: Vec<_> = log.lines().filter(|line| line.contains(ignored)).collect();
    assert_eq!(records.len(), 1, "{records:?}");
    for member in [
        "KeyConfiguration",
        "IssuerConfiguration",
        "DcrConfiguration",
        "AcrConfiguration",
        "lambdaConfig.InboundFederation",
        "smsConfiguration.EumsSms",
    ] {
        assert!(records[0].contains(member), "{member}: {records:?}");
    }
}

/// A retry after a lost answer gets that answer: one user pool, not two.
async fn makes_one_user_pool(command: &mut Command) {
    let server = Server::start().await;
    let proxy = server.lossy().await;
    succeeded(&run(command, &proxy.url()).await);
    let events = server.events().await;
    let created =
        events.iter().filter(|event| event.r#type() == UserPoolEventType::UserPoolCreated);
    assert_eq!(created.count(), 1, "{events:#?}");
    let actor = events[0].actor.as_ref().expect("an actor");
    assert_eq!((actor.kind(), actor.subject.as_str()), (ActorKind::AccessKey, "tests"));
    assert_eq!(actor.door.as_deref(), Some("aws-json"));
}

const CREATE: &str = "import boto3; boto3.client('cognito-idp').create_user_pool(PoolName='once')";

#[tokio::test(flavor = "multi_thread")]
async fn boto3_retries_a_lost_answer_safely_in_every_mode() {
    let Some(python) = tools::boto3("that retries of boto3 are safe") else { return };
    for mode in ["standard", "legacy", "adaptive"] {
        let mut command = Command::new(&python);
        makes_one_user_pool(command.args(["-c", CREATE]).env("AWS_RETRY_MODE", mode)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_aws_cli_retries_a_lost_answer_safely() {
    let Some(cli) = tools::aws_cli_1("that retries of the AWS CLI are safe") else { return };
    let arguments = ["cognito-idp", "create-user-pool", "--pool-name", "once"];
    makes_one_user_pool(Command::new(cli).args(arguments)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_go_sdk_works_and_retries_safely() {
    let Some(client) = tools::aws_go("that the AWS SDK for Go works") else { return };
    let server = Server::start().await;
    let printed = succeeded(&run(Command::new(&client).arg("check"), &server.url).await);
    assert_eq!(printed.lines().count(), 4, "{printed}");
    makes_one_user_pool(Command::new(&client).arg("create")).await;
}

/// The calls that Terraform's current provider makes to create, read, import, update and destroy a
/// user pool and a domain, from its source.
#[tokio::test(flavor = "multi_thread")]
async fn the_calls_of_terraforms_provider_work() {
    let Some(client) = tools::aws_go("that the calls of Terraform's provider work") else { return };
    let server = Server::start().await;
    let printed = succeeded(&run(Command::new(&client).arg("terraform"), &server.url).await);
    assert_eq!(printed.lines().count(), 8, "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_javascript_sdk_works_and_retries_safely() {
    let Some(modules) = tools::aws_javascript("that the AWS SDK for JavaScript works") else {
        return;
    };
    let script = |what: &str| {
        let mut command = Command::new("node");
        command.arg("tests/it/aws_clients/client.js").arg(what).env("NODE_PATH", &modules);
        command
    };
    // The script compares with members of 2017.
    let server = Server::start_with(&["--aws-api=2017-12-11".to_owned()]).await;
    let printed = succeeded(&run(&mut script("check"), &server.url).await);
    assert_eq!(printed.lines().count(), 4, "{printed}");
    makes_one_user_pool(&mut script("create")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_java_sdk_works_and_retries_safely() {
    let Some(modules) = tools::aws_java("that the AWS SDK for Java works") else { return };
    let program = |what: &str| {
        let mut command = Command::new("java");
        command.arg("-cp").arg(modules.join("*"));
        command.args(["tests/it/aws_clients/java/Client.java", what]);
        command
    };
    let server = Server::start().await;
    let printed = succeeded(&run(&mut program("check"), &server.url).await);
    assert_eq!(printed.lines().count(), 4, "{printed}");
    makes_one_user_pool(&mut program("create")).await;
}

/// Every operation, and the exit code of a refusal.
async fn cli_works(cli: &Path, refusal: i32, request: &Value) {
    let server = Server::start().await;
    let call = async |arguments: &[&str]| {
        let mut command = Command::new(cli);
        command.arg("cognito-idp").args(arguments);
        // Version 2.9 does not read the variable.
        run(command.args(["--output=json", "--endpoint-url", &server.url]), &server.url).await
    };
    let json = |output: &Output| -> Value {
        serde_json::from_str(&succeeded(output)).unwrap_or(Value::Null)
    };
    let full = "file://tests/it/data/create-user-pool-full.json";
    let created = json(&call(&["create-user-pool", "--cli-input-json", full]).await);
    let id = created["UserPool"]["Id"].as_str().expect("an ID").to_owned();
    let id = ["--user-pool-id", id.as_str()];
    let described = json(&call(&["describe-user-pool", id[0], id[1]]).await);
    for (member, value) in request.as_object().expect("an object") {
        if !["PoolName", "Schema"].contains(&member.as_str()) {
            assert_eq!(&described["UserPool"][member], value, "{member}");
        }
    }
    json(&call(&["update-user-pool", id[0], id[1], "--user-pool-tags", "a=b"]).await);
    let arn = format!("arn:aws:cognito-idp:us-east-1:000000000000:userpool/{}", id[1]);
    let arn = ["--resource-arn", arn.as_str()];
    json(&call(&["tag-resource", arn[0], arn[1], "--tags", "c=d,e=f"]).await);
    json(&call(&["untag-resource", arn[0], arn[1], "--tag-keys", "a", "c"]).await);
    let tags = json(&call(&["list-tags-for-resource", arn[0], arn[1]]).await);
    assert_eq!(tags, serde_json::json!({ "Tags": { "e": "f" } }));
    let attribute = ["--custom-attributes", "Name=added,AttributeDataType=Number"];
    json(&call(&["add-custom-attributes", id[0], id[1], attribute[0], attribute[1]]).await);
    let factors = ["--mfa-configuration=ON", "--software-token-mfa-configuration=Enabled=true"];
    let set = ["set-user-pool-mfa-config", id[0], id[1], factors[0], factors[1]];
    let set = json(&call(&set).await);
    let mfa = json(&call(&["get-user-pool-mfa-config", id[0], id[1]]).await);
    assert_eq!(mfa, set);
    assert_eq!(mfa["SoftwareTokenMfaConfiguration"]["Enabled"], true);
    json(&call(&["create-user-pool-domain", id[0], id[1], "--domain", "people"]).await);
    let domain = json(&call(&["describe-user-pool-domain", "--domain", "people"]).await);
    assert_eq!(domain["DomainDescription"]["UserPoolId"], id[1]);
    let config = |number| {
        format!(
            "--custom-domain-config=CertificateArn=arn:aws:acm:us-east-1:1:certificate/{number}"
        )
    };
    for (operation, config) in [("create", config(1)), ("update", config(2))] {
        let operation = format!("{operation}-user-pool-domain");
        let name = "--domain=auth.example.com";
        let answer = json(&call(&[&operation, id[0], id[1], name, &config]).await);
        assert_eq!(answer["CloudFrontDomain"], "auth-example-com.cloudfront.invalid");
    }
    json(&call(&["delete-user-pool-domain", id[0], id[1], "--domain", "auth.example.com"]).await);
    let listed = json(&call(&["list-user-pools", "--max-results", "10"]).await);
    assert_eq!(listed["UserPools"].as_array().map(Vec::len), Some(1));

    let refused = call(&["delete-user-pool", id[0], id[1]]).await;
    assert_eq!(refused.status.code(), Some(refusal), "{refused:?}");
    let stderr = String::from_utf8_lossy(&refused.stderr);
    assert!(stderr.contains("(InvalidParameterException)"), "{stderr}");
    assert!(stderr.contains("It has a domain configured"), "{stderr}");
    json(&call(&["delete-user-pool-domain", id[0], id[1], "--domain", "people"]).await);
    json(&call(&["delete-user-pool", id[0], id[1]]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_aws_cli_works() {
    let Some(cli) = tools::aws_cli_1("that the AWS CLI works") else { return };
    let request = with_later_members(data("create-user-pool-full.json"));
    cli_works(&cli, 255, &request).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn version_2_of_the_aws_cli_works() {
    let Some(cli) = tools::aws_cli_2("that the AWS CLI, version 2, works") else { return };
    let sent = data("create-user-pool-full.json");
    // Its model is of 2023-01, and has neither UserPoolTier nor PreTokenGenerationConfig.
    let mut request = without(with_later_members(sent.clone()), "UserPoolTier");
    request["LambdaConfig"] = sent["LambdaConfig"].clone();
    cli_works(&cli, 254, &request).await;
}

/// The example, through a proxy that loses the first answer.
#[tokio::test(flavor = "multi_thread")]
async fn the_example_with_boto3_works() {
    let Some(python) = tools::boto3("that the example with boto3 works") else { return };
    let workshop = TempDir::new().expect("a directory");
    copy_directory(&repository().join("examples/boto3"), workshop.path());
    let server = Server::start().await;
    let proxy = server.lossy().await;
    let script = workshop.path().join("client.py");
    let printed = succeeded(&run(Command::new(python).arg(script), &proxy.url()).await);
    let lines: Vec<_> = printed.lines().collect();
    assert!(lines[0].starts_with("created us-east-1_"), "{printed}");
    assert_eq!(lines[1..], ["example has the domain example-login", "deleted"], "{printed}");
}
