//! The lines of the README and of the guide for AWS clients work.

use std::fs;

use regex::Regex;

use crate::{
    tools::{self, repository},
    transcript,
};

use super::{Server, run, succeeded};

/// The page with the line for each client.
const GUIDE: &str = "docs/guides/aws-sdks.md";

fn guide() -> String {
    fs::read_to_string(repository().join(GUIDE)).expect("a page")
}

/// The line for a client.
fn line(client: &str) -> String {
    let row = Regex::new(&format!(r"(?m)^\| {client} \| `([^`]+)`")).expect("a pattern");
    row.captures(&guide()).expect(client)[1].to_owned()
}

/// Runs a command of a shell with the URL of a server in place of that of the page.
async fn shell(command: &str) {
    let server = Server::start().await;
    let command = command.replace("http://127.0.0.1:4566", &server.url);
    let tools = repository().join("target/tools/python-aws/bin");
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap_or_default());
    let mut shell = tokio::process::Command::new("bash");
    let output = run(shell.args(["-euc", &command]).env("PATH", path), "http://127.0.0.1:1").await;
    succeeded(&output);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lines_for_boto3_and_the_aws_cli_work() {
    if tools::boto3("that the lines for boto3 and the AWS CLI work").is_none() {
        return;
    }
    for page in [transcript::section("README.md", "Point your SDK at it"), guide()] {
        let block = page.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next());
        // The server of this test knows one key, which is not that of the page.
        let block = block.expect("a block").replace(
            "export AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any",
            ": export AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any",
        );
        shell(&block).await;
    }
    shell(&line("AWS CLI")).await;
    let boto3 = format!("import boto3; {}.list_user_pools(MaxResults=1)", line("boto3"));
    shell(&format!("python -c '{boto3}'")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_line_for_javascript_works() {
    let Some(modules) = tools::aws_javascript("that the line for JavaScript works") else {
        return;
    };
    let package = "@aws-sdk/client-cognito-identity-provider";
    let script = format!(
        "const {{ CognitoIdentityProviderClient, ListUserPoolsCommand }} = require(\"{package}\"); \
         {}.send(new ListUserPoolsCommand({{ MaxResults: 1 }}))",
        line("JavaScript")
    );
    shell(&format!("NODE_PATH={} node -e '{script}'", modules.display())).await;
}

/// The client has the line, and runs with it.
#[tokio::test(flavor = "multi_thread")]
async fn the_line_for_java_works() {
    let Some(modules) = tools::aws_java("that the line for Java works") else { return };
    let program = "tests/it/aws_clients/java/Client.java";
    let source = fs::read_to_string(repository().join(program)).expect("a source");
    let line = line("Java").replace("\"http://127.0.0.1:4566\"", "arguments[1]");
    assert!(source.contains(&line), "{line}");
    let run = format!("java -cp '{}/*' {program} endpoint", modules.display());
    shell(&format!("{run} http://127.0.0.1:4566")).await;
}

/// The client has the line, and is built and run with it.
#[tokio::test(flavor = "multi_thread")]
async fn the_line_for_go_works() {
    let Some(client) = tools::aws_go("that the line for Go works") else { return };
    let source = "tests/it/aws_clients/go/main.go";
    let source = fs::read_to_string(repository().join(source)).expect("a source");
    let line = line("Go").replace("\"http://127.0.0.1:4566\"", "os.Args[2]");
    assert!(source.contains(&line), "{line}");
    shell(&format!("{} endpoint http://127.0.0.1:4566", client.display())).await;
}
