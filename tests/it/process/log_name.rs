//! The name of a log in its checkpoints does not change without a word.

use tempfile::TempDir;

use crate::{
    binary::{Process, serve},
    support::create,
};

#[tokio::test(flavor = "multi_thread")]
async fn another_name_of_the_log_is_reported() {
    let directory = TempDir::new().expect("a directory");
    let warnings = async |name: Option<&str>| {
        let mut command = serve(directory.path());
        command.arg("--listen=127.0.0.1:0");
        command.args(name.map(|name| format!("--checkpoint-origin={name}")));
        let server = Process::from(&mut command).await;
        create(&mut server.client().await, "people").await;
        let log = server.terminate("TERM").await.stderr;
        let lines = log
            .lines()
            .filter(|line| line.contains("the name of the log in checkpoints has changed"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    for _ in 0..2 {
        assert_eq!(warnings(None).await, [""; 0]);
    }
    for (name, earlier) in [(Some("example.com/log"), "userpool/"), (None, "example.com/log")] {
        let [warning] = &warnings(name).await[..] else { panic!("no warning for {name:?}") };
        assert!(warning.contains("\"level\":\"WARN\"") && warning.contains(earlier), "{warning}");
        assert_eq!(warnings(name).await, [""; 0], "it is the name now");
    }
}
