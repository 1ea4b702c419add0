//! The results: a table for people, and all figures for programs.

use std::{fmt::Write as _, fs, path::Path};

use serde_json::{Value, json};

use crate::{
    figures::{Spread, shown},
    machine::Machine,
    rounds::Rounds,
    settings::Settings,
};

/// The results of the bench.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
    raw: Vec<Value>,
    /// The plots.
    pub(crate) curves: Vec<Curve>,
}

/// A result that has a target.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) target: &'static str,
    pub(crate) measured: String,
    /// The measured value, if the target is a ratio.
    pub(crate) ratio: Option<Spread>,
    pub(crate) reached: Option<bool>,
}

/// One line of a plot.
#[derive(Debug)]
pub(crate) struct Curve {
    pub(crate) plot: &'static str,
    pub(crate) side: String,
    pub(crate) points: Vec<(f64, Spread)>,
}

impl Report {
    pub(crate) fn row(&mut self, row: Row) {
        let reached = reached(row.reached);
        println!("    {}: {} (target {}; {reached})\n", row.what, row.measured, row.target);
        self.rows.push(row);
    }

    /// The throughput in events per second.
    pub(crate) fn events(&mut self, what: String, rate: Spread) {
        self.row(Row {
            what,
            target: "≥ 100,000 events/s",
            measured: format!("{} ({}–{})/s", shown(rate.median), shown(rate.min), shown(rate.max)),
            ratio: None,
            reached: Some(rate.median >= 100_000.0),
        });
    }

    /// Adds a comparison.
    pub(crate) fn keep(&mut self, what: &str, rounds: &Rounds) {
        self.raw.push(rounds.to_json(what));
    }

    /// Adds any other measurement.
    pub(crate) fn keep_value(&mut self, what: &str, value: &Value) {
        self.raw.push(json!({"comparison": what, "value": value}));
    }

    /// The table, in Markdown.
    pub(crate) fn table(&self) -> String {
        let mut table =
            "| what | target | measured | median ratio (min–max) | reached |\n".to_owned();
        table.push_str("|---|---|---|---|---|\n");
        for row in &self.rows {
            let ratio = row.ratio.map(|ratio| ratio.to_string()).unwrap_or_default();
            let Row { what, target, measured, ratio: _, reached: met } = row;
            let met = reached(*met);
            // Writing to a string cannot fail.
            let _ = writeln!(table, "| {what} | {target} | {measured} | {ratio} | {met} |");
        }
        table
    }

    /// Everything, in JSON.
    pub(crate) fn write(&self, path: &Path, settings: &Settings, machine: &Machine) {
        let targets: Vec<Value> = self.rows.iter().map(Row::to_json).collect();
        let results = json!({
            "machine": machine,
            "seconds": settings.time.as_secs_f64(),
            "rounds": settings.rounds,
            "quick": settings.quick,
            "targets": targets,
            "measured": self.raw,
        });
        let results = serde_json::to_string_pretty(&results).expect("JSON");
        fs::write(path, results).expect("the results written");
    }
}

impl Row {
    fn to_json(&self) -> Value {
        let Self { what, target, measured, ratio, reached } = self;
        json!({"what": what, "target": target, "measured": measured, "ratio": ratio, "reached": reached})
    }
}

fn reached(reached: Option<bool>) -> &'static str {
    match reached {
        Some(true) => "yes",
        Some(false) => "**no**",
        None => "–",
    }
}
