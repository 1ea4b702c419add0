//! The machine on which the figures were measured.

use std::{fmt, fs, path::Path, process::Command, thread};

use serde::Serialize;

/// What a reader needs to know to compare the figures.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    cpu: String,
    cores: usize,
    kernel: String,
    /// The device and the file system of the data directories.
    disk: String,
    /// The duration of one sync of a few KB there.
    pub(crate) fdatasync_p50_ms: f64,
    /// How many threads wanted to run in the last minute before the bench began.
    load_before: f64,
}

impl Machine {
    pub(crate) fn look(directory: &Path, fdatasync_p50_ms: f64, load_before: f64) -> Self {
        let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cpu = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let directory = directory.to_string_lossy();
        Self {
            cpu: cpu.map(|(_, name)| name.to_owned()).unwrap_or_default(),
            cores: thread::available_parallelism().map_or(1, usize::from),
            kernel: format!("Linux {}", release.trim()),
            disk: said(Command::new("findmnt").args(["-no", "SOURCE,FSTYPE", "-T", &directory])),
            fdatasync_p50_ms,
            load_before,
        }
    }
}

/// The load of the last minute.
pub(crate) fn load() -> f64 {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split_whitespace().next().and_then(|load| load.parse().ok()).unwrap_or_default()
}

fn said(command: &mut Command) -> String {
    let output = command.output().map(|output| output.stdout).unwrap_or_default();
    let words = String::from_utf8_lossy(&output);
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cpu, cores, kernel, disk, fdatasync_p50_ms, load_before } = self;
        write!(
            f,
            "{cpu}, {cores} cores shared by server and load; {kernel}; disk {disk}, fdatasync p50 \
             {fdatasync_p50_ms:.2} ms; load before the run {load_before:.2}"
        )
    }
}
