//! The servers of a log, as the database lists them.

use serde_json::Value;

use super::{
    cluster::{ROLE, url},
    servers::{Service, wait_for},
};
use crate::{
    binary::{run, userpool},
    support::{TestServer, create},
};

/// Runs a command on the log of a service. Returns whether it succeeded, and what it printed.
async fn command(service: &Service, arguments: &[&str]) -> (bool, String) {
    let mut command = userpool();
    command.args(arguments).args(["--log-name", &service.test.name]);
    command.args(["--log-url", &url(ROLE, &[&service.test.node])]);
    let output = run(&mut command).await;
    let printed = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&printed).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_server_is_listed_with_its_version_and_position() {
    let service = Service::new().await;
    let servers = [
        TestServer::with_identifiers(0, |config| {
            service.configure(config);
            config.replica = "userpool-0".to_owned();
        })
        .await,
        TestServer::with_identifiers(1_000_000, |config| {
            service.configure(config);
            config.replica = "userpool-1".to_owned();
        })
        .await,
    ];
    create(&mut servers[0].client().await, "people").await;
    wait_for(&servers[1], 1).await;
    let name = &service.test.name;
    let both = format!(
        "select count(*) = 2 or null from userpool_replica where log = '{name}' and position = 1"
    );
    service.test.node.wait_for(&both).await;

    let (is_done, listed) = command(&service, &["replicas"]).await;
    assert!(is_done && listed.starts_with("NAME "), "{listed}");
    let (is_done, listed) = command(&service, &["replicas", "--output", "json"]).await;
    assert!(is_done, "{listed}");
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    assert_eq!(listed["headPosition"], "1");
    for (number, replica) in listed["replicas"].as_array().expect("servers").iter().enumerate() {
        assert_eq!(replica["name"], format!("userpool-{number}"));
        assert_eq!(replica["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!((&replica["position"], &replica["behind"]), (&"1".into(), &"0".into()));
        assert_eq!(replica["isRunning"], true);
    }

    for server in servers {
        server.try_stop().await.expect("stopped");
    }
    let later = format!(
        "update userpool_replica set seen_at = now() - interval '2 minutes' where log = '{name}'"
    );
    service.test.node.execute("userpool", &later).await;
    let (_, listed) = command(&service, &["replicas"]).await;
    assert_eq!(listed.matches("does not run").count(), 2, "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_is_refused_while_an_older_server_runs() {
    let service = Service::new().await;
    let name = &service.test.name;
    let older = format!(
        "update userpool_log set min_reader = 0 where log = '{name}'; \
         insert into userpool_replica values ('{name}', 'old', '0.0.1', 0, 0, now())"
    );
    service.test.node.execute("userpool", &older).await;
    let form = format!("select min_reader from userpool_log where log = '{name}'");

    let (is_done, printed) = command(&service, &["log", "upgrade"]).await;
    assert!(!is_done && printed.contains("old (0.0.1); upgrade or stop them"), "{printed}");
    assert_eq!(service.test.node.value(&form).await, "0");

    let stopped = format!(
        "update userpool_replica set seen_at = now() - interval '2 minutes' where log = '{name}'"
    );
    service.test.node.execute("userpool", &stopped).await;
    let (is_done, printed) = command(&service, &["log", "upgrade"]).await;
    assert!(is_done && printed.contains("form 1 from now on; before, form 0"), "{printed}");
    assert_eq!(service.test.node.value(&form).await, "1");
    let (is_done, printed) = command(&service, &["log", "upgrade"]).await;
    assert!(is_done && printed.contains("form 1 already"), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_does_not_exist_has_no_servers() {
    let service = Service::new().await;
    let mut command = userpool();
    command.args(["replicas", "--log-name", "missing"]);
    command.args(["--log-url", &url(ROLE, &[&service.test.node])]);
    let output = run(&mut command).await;
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && printed.contains("there is no log missing"), "{printed}");
}
