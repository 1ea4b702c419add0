//! Plots as SVG. Every mark is a link whose label says its numbers, so that they are also read where
//! nothing is seen, and its color is that of the style sheet.

use maud::{Markup, html};

/// The width and the height of a plot, in its own units.
const WIDTH: i64 = 1180;
const HEIGHT: i64 = 150;
/// Where the bars are: from here to the right edge, between these lines.
const LEFT: i64 = 36;
const TOP: i64 = 12;
const BOTTOM: i64 = 124;
/// The gap between two bars.
const GAP: i64 = 4;
/// The height of a lane, and of what is in it.
const LANE: i64 = 26;
const MARK: i64 = 14;
/// Where lanes begin, behind their names.
const LANE_LEFT: i64 = 190;

/// The classes of events, which have a color each, with their words.
pub(super) const CLASSES: [(&str, &str); 5] = [
    ("created", "created or restored"),
    ("updated", "changed"),
    ("deleted", "deleted"),
    ("domain-created", "domain created"),
    ("domain-deleted", "domain deleted"),
];

/// A bar: its time, where it leads, and how many events there are of each class.
#[derive(Debug)]
pub(super) struct Bar {
    pub(super) label: String,
    pub(super) address: String,
    pub(super) counts: [i64; CLASSES.len()],
}

impl Bar {
    pub(super) fn total(&self) -> i64 {
        self.counts.iter().sum()
    }
}

/// A lane: its name, and what is in it.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) name: String,
    pub(super) marks: Vec<Mark>,
}

/// A stretch of time in a lane, in thousandths of its length.
#[derive(Debug)]
pub(super) struct Mark {
    pub(super) start: i64,
    /// The end; that of a point in time is its start.
    pub(super) end: i64,
    pub(super) class: &'static str,
    pub(super) label: String,
    pub(super) address: String,
}

/// The class of a type of events.
pub(super) fn class_index(class: &str) -> Option<usize> {
    CLASSES.iter().position(|(name, _)| *name == class)
}

/// Bars of the events by class, the oldest at the left.
pub(super) fn bars(title: &str, bars: &[Bar]) -> Markup {
    let highest = bars.iter().map(Bar::total).max().unwrap_or_default().max(1);
    let step = step(highest);
    let top = highest.div_euclid(step) * step + if highest % step == 0 { 0 } else { step };
    let number = i64::try_from(bars.len()).unwrap_or(1).max(1);
    let width = (WIDTH - LEFT) / number;
    let y = |count: i64| BOTTOM - count * (BOTTOM - TOP) / top;
    let ticks = (0..=top / step).map(|tick| tick * step);
    // At most a dozen of labels fit.
    let each = usize::try_from(number / 12 + 1).unwrap_or(1);
    html! {
        figure."panel pad no-print" {
            svg.chart viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="group" aria-label=(title) {
                @for tick in ticks {
                    path.axis d=(format!("M{LEFT} {}H{WIDTH}", y(tick))) {}
                    text x=(LEFT - 8) y=(y(tick) + 4) text-anchor="end" { (tick) }
                }
                @for (index, bar) in bars.iter().enumerate() {
                    @let x = LEFT + i64::try_from(index).unwrap_or_default() * width + GAP / 2;
                    @if bar.total() > 0 {
                        @let said = format!("{}: {}", bar.label, said(bar));
                        a href=(bar.address) aria-label=(said) {
                            (stack(bar, x, width - GAP, y))
                        }
                    }
                    @if index % each == 0 {
                        text x=(x + (width - GAP) / 2) y=(HEIGHT - 8) text-anchor="middle" {
                            (bar.label)
                        }
                    }
                }
            }
            figcaption.keys { @for (class, words) in used(bars) {
                span.key.(class) { (words) }
            } }
            (numbers(title, bars))
        }
    }
}

fn stack(bar: &Bar, x: i64, width: i64, y: impl Fn(i64) -> i64) -> Markup {
    let mut below = 0;
    let parts = CLASSES.iter().zip(bar.counts).filter(|(_, count)| *count > 0);
    let parts = parts.map(|((class, _), count)| {
        let bottom = y(below);
        below += count;
        // One event of many is still seen.
        let top = y(below).min(bottom - 2);
        html! {
            rect.{ "f-" (class) } x=(x) y=(top) width=(width) height=(bottom - top) rx="1.5" {}
        }
    });
    let parts: Vec<_> = parts.collect();
    html! { @for part in parts { (part) } }
}

/// The same as a table, for those who see no bars.
fn numbers(title: &str, bars: &[Bar]) -> Markup {
    html! {
        table.vh {
            caption { (title) }
            tr { th scope="col" { "Time" } th scope="col" { "Events" } }
            @for bar in bars.iter().filter(|bar| bar.total() > 0) {
                tr { th scope="row" { (bar.label) } td { (said(bar)) } }
            }
        }
    }
}

fn said(bar: &Bar) -> String {
    let parts = CLASSES.iter().zip(bar.counts).filter(|(_, count)| *count > 0);
    parts.map(|((_, words), count)| format!("{count} {words}")).collect::<Vec<_>>().join(", ")
}

fn used(bars: &[Bar]) -> impl Iterator<Item = (&'static str, &'static str)> {
    let is_used =
        |index: usize| bars.iter().any(|bar| bar.counts.get(index).is_some_and(|n| *n > 0));
    CLASSES
        .into_iter()
        .enumerate()
        .filter(move |(index, _)| is_used(*index))
        .map(|(_, class)| class)
}

/// The distance of the lines of an axis up to this number: 1, 2 or 5 and zeros, at most five lines.
fn step(highest: i64) -> i64 {
    let mut power = 1;
    loop {
        for step in [power, 2 * power, 5 * power] {
            if highest <= 5 * step {
                return step;
            }
        }
        power *= 10;
    }
}

/// Lanes over a stretch of time, whose ends have these labels.
pub(super) fn lanes(title: &str, ends: (&str, &str), lanes: &[Lane]) -> Markup {
    let number = i64::try_from(lanes.len()).unwrap_or(1);
    let height = number * LANE + 20;
    let x = |thousandths: i64| LANE_LEFT + thousandths * (WIDTH - LANE_LEFT - 12) / 1000;
    html! {
        figure."panel pad no-print" {
            svg."chart lanes" viewBox=(format!("0 0 {WIDTH} {height}")) role="group" aria-label=(title) {
                @for (index, lane) in lanes.iter().enumerate() {
                    @let top = i64::try_from(index).unwrap_or_default() * LANE;
                    path.axis d=(format!("M{LANE_LEFT} {}H{WIDTH}", top + LANE / 2)) {}
                    text x=(LANE_LEFT - 12) y=(top + LANE / 2 + 4) text-anchor="end" { (lane.name) }
                    @for mark in &lane.marks {
                        @let (start, end) = (x(mark.start), x(mark.end));
                        a href=(mark.address) aria-label=(mark.label) {
                            rect.{ "f-" (mark.class) } x=(start) y=(top + (LANE - MARK) / 2)
                                width=((end - start).max(7)) height=(MARK) rx="3" {}
                        }
                    }
                }
                text x=(LANE_LEFT) y=(height - 4) { (ends.0) }
                text x=(WIDTH) y=(height - 4) text-anchor="end" { (ends.1) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Bar, CLASSES, bars, step};
    use crate::console::kind::KINDS;

    #[test]
    fn an_axis_has_at_most_five_lines() {
        for (highest, expected) in [(1, 1), (5, 1), (6, 2), (23, 5), (51, 20), (1_000_000, 200_000)]
        {
            assert_eq!(step(highest), expected, "{highest}");
            assert!(highest <= 5 * step(highest));
        }
    }

    #[test]
    fn every_type_of_events_has_a_color() {
        for kind in KINDS {
            assert!(CLASSES.iter().any(|(class, _)| *class == kind.class), "{}", kind.name);
        }
    }

    #[test]
    fn a_bar_is_a_link_with_its_numbers() {
        let bar = |label: &str, counts| Bar {
            label: label.to_owned(),
            address: "/log?since=<x>".to_owned(),
            counts,
        };
        let plot = bars("Events", &[bar("1 Nov", [2, 0, 1, 0, 0]), bar("2 Nov", [0; 5])]);
        let plot = plot.into_string();
        assert!(plot.contains("aria-label=\"1 Nov: 2 created or restored, 1 deleted\""), "{plot}");
        assert_eq!(plot.matches("<a ").count(), 1, "{plot}");
        assert!(plot.contains("/log?since=&lt;x&gt;"), "{plot}");
    }
}
