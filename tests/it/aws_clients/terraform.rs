//! Terraform and its AWS provider of 2019, unmodified: the whole life of a user pool, and
//! plans that find nothing to change.
//!
//! That provider has no setting for the endpoint of Cognito. So a proxy ends its TLS
//! connections to AWS and forwards what is in them.

use std::{fs, net::SocketAddr, path::Path};

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, copy_bidirectional},
    net::{TcpListener, TcpStream},
    process::Command,
    task::AbortHandle,
};
use tokio_rustls::TlsAcceptor;

use crate::{authority::IssuedCertificate, tools};

use super::{Server, run};

const HOST: &str = "cognito-idp.us-east-1.amazonaws.com";

/// Stops the proxy when dropped.
struct Proxy {
    address: SocketAddr,
    /// The certificate that it must be trusted with, in PEM.
    certificate: String,
    serving: AbortHandle,
}

impl Proxy {
    async fn of(server: &Server) -> Self {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([HOST.to_owned()]).expect("a name");
        let certificate = params.self_signed(&key).expect("a certificate").pem();
        let issued = IssuedCertificate { certificate, key: key.serialize_pem() };
        let acceptor = issued.acceptor();
        let behind = server.url.strip_prefix("http://").expect("an address").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let serving = tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.expect("a connection");
                tokio::spawn(forward(socket, acceptor.clone(), behind.clone()));
            }
        });
        Self { address, certificate: issued.certificate, serving: serving.abort_handle() }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn forward(socket: TcpStream, acceptor: TlsAcceptor, behind: String) {
    let mut socket = BufReader::new(socket);
    let mut line = String::new();
    while socket.read_line(&mut line).await.is_ok_and(|count| count > 2) {}
    // Nothing else than this service is called.
    assert!(line.starts_with(&format!("CONNECT {HOST}:443 ")), "{line}");
    socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.expect("written");
    let Ok(mut client) = acceptor.accept(socket).await else { return };
    let mut server = TcpStream::connect(behind).await.expect("a server");
    copy_bidirectional(&mut client, &mut server).await.ok();
}

/// A user pool with most settings, and its domain.
fn configuration(subject: &str) -> String {
    format!(
        r#"
provider "aws" {{
  region                      = "us-east-1"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
  skip_get_ec2_platforms      = true
}}
resource "aws_cognito_user_pool" "people" {{
  name                       = "people"
  alias_attributes           = ["email", "preferred_username"]
  auto_verified_attributes   = ["email"]
  email_verification_subject = "{subject}"
  email_verification_message = "Your code is {{####}}."
  mfa_configuration          = "OFF"
  admin_create_user_config {{
    allow_admin_create_user_only = true
    unused_account_validity_days = 14
    invite_message_template {{
      email_message = "{{username}}, your password is {{####}}."
      email_subject = "Welcome"
      sms_message   = "{{username}}, your password is {{####}}."
    }}
  }}
  device_configuration {{
    challenge_required_on_new_device      = true
    device_only_remembered_on_user_prompt = false
  }}
  password_policy {{
    minimum_length    = 10
    require_lowercase = true
    require_numbers   = true
    require_symbols   = false
    require_uppercase = true
  }}
  schema {{
    attribute_data_type      = "String"
    developer_only_attribute = false
    mutable                  = true
    name                     = "plan"
    required                 = false
    string_attribute_constraints {{
      min_length = 1
      max_length = 32
    }}
  }}
  tags {{
    team = "payments"
  }}
}}
resource "aws_cognito_user_pool_domain" "login" {{
  domain       = "people-login"
  user_pool_id = "${{aws_cognito_user_pool.people.id}}"
}}
"#
    )
}

struct Terraform<'a> {
    binary: &'a Path,
    directory: &'a Path,
    proxy: &'a Proxy,
    bundle: &'a Path,
}

impl Terraform<'_> {
    /// Runs a command, and returns its exit code and output.
    async fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let mut command = Command::new("sh");
        // `run` would change to the repository.
        let script = r#"cd "$0" && exec "$@""#;
        command.args(["-c", script]).arg(self.directory).arg(self.binary).args(arguments);
        command
            .env("HTTPS_PROXY", format!("http://{}", self.proxy.address))
            .env("AWS_CA_BUNDLE", self.bundle)
            .env("CHECKPOINT_DISABLE", "1")
            .env("TF_INPUT", "0")
            .env("TF_IN_AUTOMATION", "1");
        let output = run(&mut command, "http://127.0.0.1:1").await;
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&text).into_owned())
    }

    async fn succeeds(&self, arguments: &[&str]) {
        let (code, text) = self.run(arguments).await;
        assert_eq!(code, Some(0), "{arguments:?}: {text}");
    }

    /// The exit code is 2 if there is something to change.
    async fn plans_nothing(&self) {
        self.succeeds(&["plan", "-no-color", "-detailed-exitcode"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn terraform_finds_nothing_to_change_after_each_apply() {
    let Some((binary, plugins)) = tools::terraform("that Terraform of 2019 works") else { return };
    let server = Server::start().await;
    let proxy = Proxy::of(&server).await;
    let directory = TempDir::new().expect("a directory");
    let bundle = directory.path().join("bundle.pem");
    fs::write(&bundle, &proxy.certificate).expect("written");
    let main = directory.path().join("main.tf");
    fs::write(&main, configuration("Confirm")).expect("written");
    let terraform =
        Terraform { binary: &binary, directory: directory.path(), proxy: &proxy, bundle: &bundle };

    let plugins = format!("-plugin-dir={}", plugins.display());
    terraform.succeeds(&["init", "-no-color", "-verify-plugins=false", &plugins]).await;
    terraform.succeeds(&["apply", "-no-color", "-auto-approve"]).await;
    terraform.plans_nothing().await;
    fs::write(&main, configuration("Confirm your address")).expect("written");
    terraform.succeeds(&["apply", "-no-color", "-auto-approve"]).await;
    terraform.plans_nothing().await;

    let (_, state) = terraform.run(&["state", "show", "aws_cognito_user_pool.people"]).await;
    let id = state.lines().find_map(|line| line.strip_prefix("id ")?.split("= ").nth(1));
    let id = id.expect("an ID").trim();
    for resource in ["aws_cognito_user_pool_domain.login", "aws_cognito_user_pool.people"] {
        terraform.succeeds(&["state", "rm", resource]).await;
    }
    terraform.succeeds(&["import", "-no-color", "aws_cognito_user_pool.people", id]).await;
    let domain = ["import", "-no-color", "aws_cognito_user_pool_domain.login", "people-login"];
    terraform.succeeds(&domain).await;
    terraform.plans_nothing().await;
    terraform.succeeds(&["destroy", "-no-color", "-auto-approve"]).await;
}
