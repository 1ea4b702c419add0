//! The web console, through the binary and over HTTP, as a browser asks.

mod access;
mod browser;
mod commands;
mod door;
mod hostile;
mod json;
mod links;
mod live;
mod pages;
mod proof;
mod states;

use tokio::{
    io::{
        AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _,
        BufReader,
    },
    net::TcpStream,
    process::Child,
};
use tonic::{Request, transport::Channel};
use userpool::proto::{
    CreateUserPoolRequest, DeleteUserPoolDomainRequest, DeleteUserPoolRequest, EmailConfiguration,
    LambdaConfig, TagResourceRequest, UpdateUserPoolRequest, VerificationMessageTemplate,
    user_pool_service_client::UserPoolServiceClient,
};

use crate::{
    binary::userpool,
    support::{TestServer, arn, create, domain},
};

/// A console process, and the cookie of the browser that opened its link.
pub(crate) struct Console {
    _child: Child,
    pub(crate) address: String,
    cookie: String,
}

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The headers, in lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The value of a header.
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// Asserts that a page has all of these texts.
    fn has(&self, texts: &[&str]) {
        for text in texts {
            assert!(self.body.contains(text), "{text:?} is not in {}\n{}", self.head, self.body);
        }
    }
}

/// A console process that has printed its link, which nobody has opened.
async fn unopened(endpoint: &str, options: &[&str]) -> (Child, String, String) {
    let mut command = userpool();
    command.args(["console", "--no-open", "--endpoint", endpoint]).args(options);
    let mut child = command.spawn().expect("the binary runs");
    let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    let link = stdout.lines().next_line().await.expect("readable").expect("a link");
    let rest = link.strip_prefix("http://").expect("a link");
    let (address, path) = rest.split_once('/').expect("a path");
    (child, address.to_owned(), format!("/{path}"))
}

/// Sends a request of these lines, and returns the answer.
async fn send(address: &str, request: &str) -> Answer {
    let socket = TcpStream::connect(address).await.expect("a connection");
    exchange(socket, request).await
}

/// The same over a connection.
async fn exchange(mut socket: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> Answer {
    let request = format!("{request}\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.expect("written");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
    let head = head.split("\r\n").map(|line| match line.split_once(": ") {
        Some((name, value)) => format!("{}: {value}", name.to_lowercase()),
        None => line.to_owned(),
    });
    Answer { status, head: head.collect::<Vec<_>>().join("\n"), body: body.to_owned() }
}

impl Console {
    pub(crate) async fn of(server: &TestServer) -> Self {
        Self::start(&server.endpoint.to_string(), &[]).await
    }

    pub(crate) async fn start(endpoint: &str, options: &[&str]) -> Self {
        let (child, address, link) = unopened(endpoint, options).await;
        let opened = send(&address, &format!("GET {link} HTTP/1.1\r\nhost: {address}")).await;
        let cookie = opened.header("set-cookie").expect("a cookie");
        let cookie = cookie.split(';').next().expect("a value").to_owned();
        Self { _child: child, address, cookie }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.get_with(path, "accept: text/html").await
    }

    /// Asks with further headers.
    pub(crate) async fn get_with(&self, path: &str, headers: &str) -> Answer {
        let (address, cookie) = (&self.address, &self.cookie);
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: {address}\r\ncookie: {cookie}\r\n{headers}");
        send(address, &request).await
    }
}

/// The user pools of a server with something to look at.
pub(crate) struct Sample {
    pub(crate) server: TestServer,
    /// Updated, tagged, lost its domain to `other`, and got it back.
    pub(crate) pool: String,
    pub(crate) other: String,
    pub(crate) deleted: String,
}

/// The text of a user agent, of a correlation ID and of messages that a page must not run.
const AGENT: &str = "<svg/onload=alert(4)>";
const CORRELATION: &str = "\"><script>alert(3)</script>";
const MESSAGE: &str = "<h1>Welcome</h1> {####} <img src=x onerror=alert(1)>";
/// A text that is shown in another order than it is written, with a control character.
const HIDDEN: &str = "\u{202e}txet\u{202c}\u{7}";

impl Sample {
    pub(crate) async fn new() -> Self {
        let server = TestServer::start().await;
        let endpoint = Channel::from_shared(format!("http://{}", server.endpoint));
        let endpoint = endpoint.expect("an address").user_agent(AGENT).expect("an agent");
        let mut client =
            UserPoolServiceClient::new(endpoint.connect().await.expect("a connection"));
        let pool = CreateUserPoolRequest {
            pool_name: Some("payments".to_owned()),
            user_pool_tags: [("stage".to_owned(), "prod".to_owned())].into(),
            ..CreateUserPoolRequest::default()
        };
        let created = client.create_user_pool(pool).await.expect("created").into_inner();
        let pool = created.user_pool.and_then(|pool| pool.id).expect("an ID");
        let other = create(&mut client, "payments-v2").await;
        let deleted = create(&mut client, "old").await;
        client.create_user_pool_domain(domain("login", &pool)).await.expect("assigned");
        client.update_user_pool(hostile_update(&pool)).await.expect("updated");
        for (from, to) in [(&pool, &other), (&other, &pool)] {
            let release = DeleteUserPoolDomainRequest {
                domain: Some("login".to_owned()),
                user_pool_id: Some(from.clone()),
                ..DeleteUserPoolDomainRequest::default()
            };
            client.delete_user_pool_domain(with_id(release)).await.expect("released");
            client.create_user_pool_domain(with_id(domain("login", to))).await.expect("assigned");
        }
        let tags = TagResourceRequest {
            resource_arn: Some(arn(&pool)),
            tags: [("incident".to_owned(), "INC-1184".to_owned())].into(),
            ..TagResourceRequest::default()
        };
        client.tag_resource(tags).await.expect("tagged");
        let delete = DeleteUserPoolRequest {
            user_pool_id: Some(deleted.clone()),
            ..DeleteUserPoolRequest::default()
        };
        client.delete_user_pool(delete).await.expect("deleted");
        Self { server, pool, other, deleted }
    }
}

/// The time of the last change of a user pool, as its history shows it.
pub(crate) async fn last_change(console: &Console, pool: &str) -> String {
    let history = console.get(&format!("/pools/{pool}/history")).await.body;
    let rail = history.split("class=\"rail\"").nth(1).expect("a timeline");
    let time = rail.split("datetime=\"").nth(1).expect("a time");
    time.split('"').next().expect("an end").to_owned()
}

/// A page without the elements of the console's own scripts.
fn without_own_scripts(body: &str) -> String {
    body.replace(r#"<script type="module" src="/assets/"#, "")
}

/// A request with the hostile correlation ID.
fn with_id<M>(message: M) -> Request<M> {
    let mut request = Request::new(message);
    let id = CORRELATION.parse().expect("visible ASCII");
    request.metadata_mut().insert("x-request-id", id);
    request
}

fn hostile_update(pool: &str) -> UpdateUserPoolRequest {
    let function = "arn:aws:lambda:eu-west-1:314159265358:function:pre-sign-up";
    UpdateUserPoolRequest {
        user_pool_id: Some(pool.to_owned()),
        lambda_config: Some(LambdaConfig {
            pre_sign_up: Some(function.to_owned()),
            ..LambdaConfig::default()
        }),
        verification_message_template: Some(VerificationMessageTemplate {
            email_message: Some(MESSAGE.to_owned()),
            ..VerificationMessageTemplate::default()
        }),
        email_configuration: Some(EmailConfiguration {
            from: Some(HIDDEN.to_owned()),
            ..EmailConfiguration::default()
        }),
        user_pool_tags: [("stage".to_owned(), "prod".to_owned())].into(),
        ..UpdateUserPoolRequest::default()
    }
}
