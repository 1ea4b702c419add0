//! The limit of durability: the same bytes are appended to a file in batches, with a
//! sync of the data after each batch.

use std::{
    env,
    fs::{self, File},
    io::{Seek as _, Write as _},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use crate::{figures::Run, settings::Settings};

/// The argument that makes this executable the appender.
pub(crate) const ARGUMENT: &str = "append";
/// The space allocated before the first batch. For a file that grows, its length is
/// synced too, which takes several times as long; logs allocate ahead, so this does.
const ROOM: usize = 64 * 1024 * 1024;

/// A file with allocated space.
pub(crate) fn here(directory: &Path) -> PathBuf {
    let path = directory.join("appended");
    if !path.exists() {
        let mut file = File::create(&path).expect("a file");
        file.write_all(&vec![0; ROOM]).and_then(|()| file.sync_all()).expect("room");
    }
    path
}

/// Appends for one turn, in a separate process, in batches of this many records.
pub(crate) fn turn(settings: &Settings, file: &Path, record: &Path, batch: usize) -> Run {
    let executable = env::current_exe().expect("this executable");
    let mut command = Command::new(executable);
    command.arg(ARGUMENT).arg(file).arg(record);
    command.arg(batch.to_string()).arg(settings.time.as_millis().to_string());
    let output = command.output().expect("the appender");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&text).expect("a run")
}

/// The appender itself. Prints its result.
pub(crate) fn append() {
    let arguments: Vec<String> = env::args().skip(2).collect();
    let [file, record, batch, milliseconds] = arguments.as_slice() else {
        panic!("expected a file, a record, a number and a time");
    };
    let batch: usize = batch.parse().expect("a number");
    let time = Duration::from_millis(milliseconds.parse().expect("a time"));
    let bytes = fs::read(record).expect("a record").repeat(batch);
    let mut file = File::options().write(true).open(file).expect("a file");
    let (started, mut took, mut room) = (Instant::now(), Vec::new(), ROOM);
    while started.elapsed() < time {
        let began = Instant::now();
        if room < bytes.len() {
            file.rewind().expect("the beginning");
            room = ROOM;
        }
        file.write_all(&bytes).expect("written");
        file.sync_data().expect("synced");
        room -= bytes.len();
        took.push(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    let per_second = (took.len() * batch) as f64 / started.elapsed().as_secs_f64();
    println!("{}", serde_json::json!(Run::of(per_second, took)));
}
