//! Documents that show commands and their output: each command is run and must print
//! what the document shows.
//!
//! IDs and times differ between runs, so only their form is compared.

use std::{
    collections::HashMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use regex::{Captures, Regex};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use crate::tools::repository;

/// The name of the server in documents.
const ADDRESS: &str = "localhost:50051";

/// A command and its expected output.
pub(crate) struct Step {
    pub(crate) command: String,
    pub(crate) shown: String,
}

/// The commands of the `console` blocks of a document: the text after `$ `, with
/// further lines while a quote is open or a backslash continues it, and the output
/// below.
pub(crate) fn steps(document: &str) -> Vec<Step> {
    steps_in(&fs::read_to_string(repository().join(document)).expect("a document"))
}

/// The section of a document with this heading.
pub(crate) fn section(document: &str, heading: &str) -> String {
    let text = fs::read_to_string(repository().join(document)).expect("a document");
    let (_, section) = text.split_once(&format!("\n## {heading}\n")).expect(heading);
    section.split("\n## ").next().expect("a section").to_owned()
}

/// The same in a part of a document.
pub(crate) fn steps_in(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
        }
        if !inside || line.starts_with("```") {
            continue;
        }
        if let Some(step) = steps.last_mut().filter(|step| is_open(&step.command)) {
            step.command.extend(["\n", line]);
        } else if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { command: command.to_owned(), shown: String::new() });
        } else if let Some(step) = steps.last_mut() {
            step.shown.extend([line, "\n"]);
        }
    }
    steps
}

fn is_open(command: &str) -> bool {
    command.ends_with('\\') || command.matches('\'').count() % 2 == 1
}

/// The server that a document starts.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: String,
}

impl Server {
    /// Starts it with the command of the document, on a free port and a data
    /// directory.
    pub(crate) async fn start(command: &str, data_dir: &Path) -> Self {
        let there = format!("--listen 127.0.0.1:0 --data-dir '{}'", data_dir.display());
        let mut bash = bash(&format!("exec {command} {there}"));
        bash.stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut process = bash.spawn().expect("the server starts");
        let stdout = BufReader::new(process.stdout.take().expect("a pipe"));
        let line = stdout.lines().next_line().await.expect("readable").expect("a line");
        let address = line.strip_prefix("userpool listening on ").expect("the address").to_owned();
        Self { process, address }
    }

    /// Kills it.
    pub(crate) async fn kill(mut self) {
        self.process.kill().await.expect("killed");
    }
}

/// The state of one run of a document: that of a shell, which the next command continues.
pub(crate) struct Reader {
    variables: Vec<(&'static str, OsString)>,
    shell: TempDir,
    /// The IDs of this run for those in the document.
    ids: HashMap<String, String>,
}

impl Reader {
    /// A run at the root of the repository, with userpool and these tools.
    pub(crate) fn new(tools: PathBuf) -> Self {
        let mut search = tools.into_os_string();
        search.push(format!(":{}", path()));
        let variables = vec![("PATH", search)];
        let shell = TempDir::new().expect("a directory");
        Self { variables, shell, ids: HashMap::new() }
    }

    /// The same in another directory, and with these variables.
    pub(crate) fn at(
        self,
        directory: &Path,
        variables: impl IntoIterator<Item = (&'static str, OsString)>,
    ) -> Self {
        let start = format!("cd '{}'", directory.display());
        fs::write(self.state(), start).expect("written");
        Self { variables: self.variables.into_iter().chain(variables).collect(), ..self }
    }

    /// The next command has another server, whose IDs are other ones.
    pub(crate) fn forget_ids(&mut self) {
        self.ids.clear();
    }

    /// What a shell has to read to continue after the last command.
    fn state(&self) -> PathBuf {
        self.shell.path().join("state")
    }

    /// Runs the command with a server at `address`, and compares the output.
    pub(crate) async fn take(&mut self, step: &Step, address: &str) {
        let Step { command, shown } = step;
        let id = Regex::new("us-east-1_[0-9A-Za-z]{9}").expect("a pattern");
        let command = command.replace(ADDRESS, address);
        let given = |shown: &Captures<'_>| self.ids.get(&shown[0]).cloned().unwrap_or_default();
        let command = id.replace_all(&command, given).into_owned();
        let printed = self.run(address, &command).await;
        for (shown, given) in id.find_iter(shown).zip(id.find_iter(&printed)) {
            let known = self.ids.entry(shown.as_str().to_owned());
            let known = known.or_insert(given.as_str().to_owned());
            assert_eq!(known, given.as_str(), "$ {command}\n{printed}");
        }
        assert_eq!(by_kind(&printed), by_kind(shown), "$ {command}\n{printed}");
    }

    async fn run(&self, address: &str, command: &str) -> String {
        let state = self.state();
        let state = state.display();
        let mut bash = bash(&format!(
            "if [ -e '{state}' ]; then . '{state}'; fi; export USERPOOL_ENDPOINT='{address}'\n\
             {{ {command}\n}} 2>&1\n\
             {{ export -p; echo \"cd '$PWD'\"; }} >'{state}'"
        ));
        for (name, value) in &self.variables {
            bash.env(name, value);
        }
        let output = bash.output().await.expect("bash runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// The text without what differs between runs.
fn by_kind(text: &str) -> String {
    let mut text = text.to_owned();
    for (pattern, kind) in [
        // Maven resets the colors that it did not set.
        ("\x1b\\[0m", ""),
        ("us-east-1_[0-9A-Za-z]{9}", "ID"),
        (r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z", "TIME"),
        (r"127\.0\.0\.1:\d+", "ADDRESS"),
        ("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID"),
        ("[0-9a-f]{64}", "HASH"),
        // grpcurl indents details with tabs.
        (r"[ \t]+", " "),
    ] {
        text = Regex::new(pattern).expect("a pattern").replace_all(&text, kind).into_owned();
    }
    text.trim().to_owned()
}

/// A command at the root of the repository, with the userpool of this build.
fn bash(command: &str) -> Command {
    let mut bash = Command::new("bash");
    bash.args(["-c", command]).current_dir(repository()).env("PATH", path());
    // The variables that cargo sets for tests would make a nested build start over.
    for (name, _) in std::env::vars() {
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            bash.env_remove(name);
        }
    }
    bash
}

fn path() -> String {
    let binary = Path::new(env!("CARGO_BIN_EXE_userpool")).parent().expect("a directory");
    format!("{}:{}", binary.display(), std::env::var("PATH").unwrap_or_default())
}
