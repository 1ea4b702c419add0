//! Publishes the figures: the plots and the table of a complete run go into the docs,
//! those of any other run beside the raw results.

use std::{fs, path::Path};

use crate::{
    create, describe, growth, machine::Machine, plot::Plot, report::Report, settings::Settings,
};

/// A page has the result of the last complete run between these marks.
const BEGIN: &str = "<!-- Written by benches/run, from here -->\n";
const END: &str = "<!-- to here -->\n";

/// The beginnings of the rows that the README shows; `tests/it/docs` holds the README to them.
const IN_README: [&str; 3] = [
    "DescribeUserPool, 64 in flight, against plain bare tonic |",
    "CreateUserPool durable, 64 in flight | ≥ 1.4 × etcd's Put |",
    "start with a current read model, 1,000,000 events |",
];

const PLOTS: [Plot; 4] = [
    Plot {
        name: describe::PLOT,
        title: "DescribeUserPool",
        x: "calls in flight",
        y: "calls per second",
    },
    Plot {
        name: create::PLOT,
        title: "CreateUserPool, durable",
        x: "calls in flight",
        y: "calls or puts per second",
    },
    Plot {
        name: growth::DESCRIBE_PLOT,
        title: "DescribeUserPool of any user pool, 64 in flight",
        x: "events in the log",
        y: "milliseconds",
    },
    Plot {
        name: growth::CREATE_PLOT,
        title: "CreateUserPool, durable, 64 in flight",
        x: "events in the log",
        y: "milliseconds",
    },
];

pub(crate) fn publish(report: &Report, settings: &Settings, machine: &Machine, results: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let whole = settings.is_whole();
    let plots = if whole { root.join("docs/concepts/performance") } else { results.to_owned() };
    fs::create_dir_all(&plots).expect("a directory for the plots");
    for plot in PLOTS {
        if let Some(svg) = plot.draw(&report.curves) {
            fs::write(plots.join(plot.name).with_extension("svg"), svg).expect("a plot");
        }
    }
    let found = format!(
        "{machine}; medians of {} rounds of {} s.\n\n{}",
        settings.rounds,
        settings.time.as_secs_f64(),
        report.table()
    );
    println!("{found}");
    fs::write(results.join("table.md"), &found).expect("the table");
    if whole {
        let shown = |plot: &Plot| format!("\n![{}](performance/{}.svg)\n", plot.title, plot.name);
        let drawn: String = PLOTS.iter().map(shown).collect();
        refresh(&root.join("docs/concepts/performance.md"), &format!("{found}{drawn}"));
        refresh(&root.join("README.md"), &excerpt(&found));
    }
    println!("plots in {}, the rest in {}", plots.display(), results.display());
}

/// The same with only these rows of the table.
fn excerpt(found: &str) -> String {
    let is_shown = |line: &&str| {
        let row = line.strip_prefix("| ").filter(|row| !row.starts_with("what | "));
        row.is_none_or(|row| IN_README.iter().any(|start| row.starts_with(start)))
    };
    found.lines().filter(is_shown).flat_map(|line| [line, "\n"]).collect()
}

/// Replaces the text between the marks, if the page has them.
fn refresh(page: &Path, found: &str) {
    let text = fs::read_to_string(page).expect("a page");
    let marked =
        text.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    if let Some((before, after)) = marked {
        let text = format!("{before}{BEGIN}\n{found}\n{END}{after}");
        fs::write(page, text).expect("the page written");
    }
}
