//! boto3 over TLS, and the error of a client that does not use TLS where it must.

use tempfile::TempDir;
use tokio::{io::AsyncWriteExt as _, net::TcpStream, process::Command};

use super::{Server, run, succeeded};
use crate::{
    authority::{Authority, replace},
    aws::read,
    tools,
};

const LIST: &str = "import boto3; print(boto3.client('cognito-idp').list_user_pools(MaxResults=1))";

#[tokio::test(flavor = "multi_thread")]
async fn boto3_works_over_tls() {
    let Some(python) = tools::boto3("that boto3 works over TLS") else { return };
    let (authority, files) = (Authority::new("root"), TempDir::new().expect("a directory"));
    let tls = authority.write_server_tls(files.path(), None);
    let arguments = [
        format!("--tls-cert={}", tls.certificate.display()),
        format!("--tls-key={}", tls.key.display()),
    ];
    let server = Server::start_with(&arguments).await;
    assert!(server.url.starts_with("https://"), "{}", server.url);
    let bundle = replace(files.path(), "bundle.pem", &authority.pem);
    let mut command = Command::new(python);
    command.args(["-c", LIST]).env("AWS_CA_BUNDLE", bundle);
    succeeded(&run(&mut command, &server.url).await);

    // A client without TLS gets an error that says so.
    let address = server.url.strip_prefix("https://").expect("an address");
    let mut socket = TcpStream::connect(address).await.expect("a connection");
    socket.write_all(b"POST / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("written");
    let refused = read(&mut socket).await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.header("content-length"), Some(&*refused.body.len().to_string()));
    assert!(refused.error().1.contains("requires TLS"), "{refused:?}");
}
