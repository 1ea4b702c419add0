//! Metrics of the process, with the names that dashboards expect. Without `/proc` there
//! are fewer of them.

use std::{fmt, fs, time::Duration};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::Unit,
};
use rustix::{
    param::{clock_ticks_per_second, page_size},
    process::{Resource, getrlimit},
    time::{ClockId, clock_gettime},
};

/// Reads the values at each scrape.
#[derive(Debug)]
pub(super) struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let cpu = Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default();
        let counter = ConstCounter::new(cpu.as_secs_f64());
        let unit = Unit::Seconds;
        let help = "CPU time used by the process";
        let kind = counter.metric_type();
        counter.encode(encoder.encode_descriptor("process_cpu", help, Some(&unit), kind)?)?;

        let stat = Stat::read().unwrap_or_default();
        for (name, unit, help, value) in [
            ("process_resident_memory", Some(Unit::Bytes), "Resident memory", stat.resident),
            ("process_virtual_memory", Some(Unit::Bytes), "Virtual memory", stat.virtual_size),
            (
                "process_start_time",
                Some(Unit::Seconds),
                "Start time of the process since the Unix epoch",
                stat.start,
            ),
            ("process_threads", None, "Threads", stat.threads),
            ("process_open_fds", None, "Open file descriptors", open_descriptors()),
            ("process_max_fds", None, "Maximum number of open file descriptors", descriptors()),
        ] {
            let Some(value) = value else { continue };
            let gauge = ConstGauge::new(value);
            let kind = gauge.metric_type();
            gauge.encode(encoder.encode_descriptor(name, help, unit.as_ref(), kind)?)?;
        }
        Ok(())
    }
}

/// The contents of `/proc/self/stat`.
#[derive(Debug, Default)]
struct Stat {
    resident: Option<f64>,
    virtual_size: Option<f64>,
    start: Option<f64>,
    threads: Option<f64>,
}

impl Stat {
    fn read() -> Option<Self> {
        let text = fs::read_to_string("/proc/self/stat").ok()?;
        // The second field, the name of the program, can contain spaces and parentheses.
        let (_, fields) = text.rsplit_once(')')?;
        let fields: Vec<_> = fields.split_whitespace().collect();
        // Numbered from 1, as in proc(5).
        let field = |number: usize| -> Option<f64> { fields.get(number - 3)?.parse().ok() };
        let pages = u32::try_from(page_size()).ok().map(f64::from);
        let ticks = u32::try_from(clock_ticks_per_second()).ok().map(f64::from);
        Some(Self {
            threads: field(20),
            start: since_boot(field(22), ticks).zip(boot_time()).map(|(since, boot)| boot + since),
            virtual_size: field(23),
            resident: field(24).zip(pages).map(|(pages, size)| pages * size),
        })
    }
}

fn since_boot(ticks: Option<f64>, per_second: Option<f64>) -> Option<f64> {
    ticks.zip(per_second).map(|(ticks, per_second)| ticks / per_second)
}

/// The start time of the system in seconds since the Unix epoch.
fn boot_time() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

fn open_descriptors() -> Option<f64> {
    // One of them is open to read the directory.
    let open = fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
    u32::try_from(open).ok().map(f64::from)
}

fn descriptors() -> Option<f64> {
    let most = getrlimit(Resource::Nofile).current?;
    Some(u32::try_from(most).map_or(f64::INFINITY, f64::from))
}
