//! A database on another machine: it is reached with TLS, and its certificate must be valid. A
//! server logs in with a password or with a certificate.

use std::{fs, time::Duration};

use bytes::Bytes;
use rcgen::SanType;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};
use userpool::{
    event_log::{
        DatabaseTls, Durability, EventLog as _, Head, LogUrl, PostgresError, PostgresLog,
        PostgresSettings, create_log,
    },
    telemetry::{error_chain, metrics::LogMetrics},
};

use super::cluster::{KEY, Node, OWNER, ROLE, write_private};
use crate::authority::Authority;

const PATIENCE: Duration = Duration::from_mins(1);

/// A database with a log, and the files to reach it.
struct Encrypted {
    node: Node,
    authority: Authority,
    directory: TempDir,
}

impl Encrypted {
    async fn new() -> Self {
        let authority = Authority::new("database");
        let localhost = SanType::DnsName("localhost".try_into().expect("a name"));
        let server = authority.server_with(|params| params.subject_alt_names = vec![localhost]);
        let node = Node::encrypted(&server, &authority.pem).await;
        let database = Self { node, authority, directory: TempDir::new().expect("a directory") };
        let path = |file: &str| database.directory.path().join(file);
        fs::write(path("ca.pem"), &database.authority.pem).expect("written");
        let owner = database.authority.client(OWNER, &[]);
        fs::write(path("owner.pem"), owner.certificate).expect("written");
        write_private(&path("owner.key"), &owner.key);
        let (grants, _) =
            create_log(&database.owner(), "us-east-1", &KEY, ROLE).await.expect("created");
        database.node.execute("userpool", &grants).await;
        database.set_password("first").await;
        database
    }

    /// Sets the password of the servers, in the database and in their file.
    async fn set_password(&self, password: &str) {
        let set = format!("alter role {ROLE} password '{password}'");
        self.node.execute("userpool", &set).await;
        self.write_url(&format!("{ROLE}:{password}@localhost"), "?sslmode=verify-full");
    }

    fn write_url(&self, login: &str, options: &str) {
        let url = format!("postgres://{login}:{}/userpool{options}", self.node.port());
        write_private(&self.directory.path().join("url"), &url);
    }

    fn server(&self) -> PostgresSettings {
        let path = |file: &str| self.directory.path().join(file);
        PostgresSettings {
            url: LogUrl::File(path("url")),
            name: "main".parse().expect("a name"),
            tls: DatabaseTls { authorities: Some(path("ca.pem")), client: None },
            durability: Durability::Managed,
            replica: None,
        }
    }

    fn owner(&self) -> PostgresSettings {
        let path = |file: &str| self.directory.path().join(file);
        let mut settings = self.server();
        settings.url = LogUrl::Text(format!(
            "postgres://{OWNER}@localhost:{}/userpool?sslmode=require",
            self.node.port()
        ));
        settings.tls.client = Some((path("owner.pem"), path("owner.key")));
        settings
    }

    async fn open(&self, settings: PostgresSettings) -> Result<PostgresLog, PostgresError> {
        PostgresLog::open(settings, None, LogMetrics::default()).await
    }

    /// Why a log cannot be opened.
    async fn refusal(&self, settings: PostgresSettings) -> String {
        error_chain(&self.open(settings).await.expect_err("refused"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_logs_in_with_tls_and_a_password_that_changes() {
    let database = Encrypted::new().await;
    let log = database.open(database.server()).await.expect("a log");
    let body = || vec![Bytes::from_static(b"a")];
    let head = log.append(Head::default(), body()).await.expect("appended")[0].head();
    let encrypted = "select bool_and(ssl) from pg_stat_ssl join pg_stat_activity using (pid) \
                     where usename = 'userpool'";
    assert_eq!(database.node.value(encrypted).await, "t");

    database.set_password("second").await;
    let end = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'userpool'";
    database.node.execute("userpool", end).await;
    let appended = timeout(PATIENCE, async {
        loop {
            if let Ok(appended) = log.append(head, body()).await {
                return appended;
            }
            sleep(Duration::from_millis(20)).await;
        }
    });
    assert_eq!(appended.await.expect("in time")[0].position.0, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_or_login_that_is_not_valid_is_refused() {
    let database = Encrypted::new().await;
    let other = Authority::new("other");
    let path = database.directory.path().join("other.pem");
    fs::write(&path, &other.pem).expect("written");
    let mut settings = database.server();
    settings.tls.authorities = Some(path);
    let refused = database.refusal(settings).await;
    assert!(refused.contains("certificate"), "{refused}");
    let mut settings = database.server();
    settings.tls.authorities = None;
    let refused = database.refusal(settings).await;
    assert!(refused.contains("certificate"), "authorities of the system: {refused}");

    let mut settings = database.owner();
    settings.tls.client = None;
    let refused = database.refusal(settings).await;
    assert!(refused.contains("certificate"), "{refused}");

    for (login, options, expected) in [
        ("userpool:first@127.0.0.1", "?sslmode=verify-full", "not valid for name"),
        ("userpool:wrong@localhost", "?sslmode=require", "password authentication failed"),
        ("userpool:first@localhost", "?sslmode=disable", "no encryption"),
        ("userpool@localhost", "?sslmode=require", "password"),
    ] {
        database.write_url(login, options);
        let refused = database.refusal(database.server()).await;
        assert!(refused.contains(expected), "{login}{options}: {refused}");
        assert!(!refused.contains("first") && !refused.contains("wrong"), "{refused}");
    }
}
