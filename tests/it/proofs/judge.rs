//! A program in Go that verifies what it is shown with packages that nobody here wrote.

use std::{
    io::Write as _,
    process::{Command, Stdio},
    thread,
};

use serde_json::Value;

use crate::tools;

/// The verdict of the judge on each question: "ok", or what is wrong. `None` if it is missing.
pub(crate) fn verdicts(questions: &[Value], promise: &str) -> Option<Vec<String>> {
    let judge = tools::proof_judge(promise)?;
    let mut judge = Command::new(judge)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the judge runs");
    let mut stdin = judge.stdin.take().expect("a pipe");
    let lines: Vec<_> = questions.iter().map(Value::to_string).collect();
    let lines = lines.join("\n");
    #[expect(clippy::disallowed_methods, reason = "the judge answers while it is asked")]
    let asking = thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = judge.wait_with_output().expect("it ends");
    asking.join().expect("no panic").expect("it reads");
    let answers = String::from_utf8(output.stdout).expect("text");
    let answers: Vec<_> = answers.lines().map(str::to_owned).collect();
    assert_eq!(answers.len(), questions.len());
    Some(answers)
}

/// Asserts that the judge accepts everything.
pub(crate) fn assert_accepted(questions: &[Value], promise: &str) {
    let Some(verdicts) = verdicts(questions, promise) else { return };
    for (question, verdict) in questions.iter().zip(verdicts) {
        assert_eq!(verdict, "ok", "{question}");
    }
}

/// Asserts that the judge accepts nothing.
pub(crate) fn assert_refused(questions: &[Value], promise: &str) {
    let Some(verdicts) = verdicts(questions, promise) else { return };
    for (question, verdict) in questions.iter().zip(verdicts) {
        assert_ne!(verdict, "ok", "{question}");
    }
}
