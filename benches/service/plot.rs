//! Plots, as small SVG files. The values of the x axis are placed at equal distances,
//! which makes it logarithmic.

use std::fmt::Write as _;

use crate::{figures::shown, report::Curve};

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 92.0;
const RIGHT: f64 = 130.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 52.0;
/// The number of horizontal lines.
const STEPS: u32 = 5;
/// Colors that people with color blindness can distinguish (Okabe and Ito).
const COLOURS: [&str; 5] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00"];

/// The texts around the curves.
pub(crate) struct Plot {
    /// The file name without its extension; curves refer to it.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) x: &'static str,
    pub(crate) y: &'static str,
}

impl Plot {
    /// The picture, or `None` without a curve.
    pub(crate) fn draw(&self, curves: &[Curve]) -> Option<String> {
        let curves: Vec<&Curve> = curves.iter().filter(|curve| curve.plot == self.name).collect();
        let places: Vec<f64> = curves.first()?.points.iter().map(|(x, _)| *x).collect();
        let all = curves.iter().flat_map(|curve| &curve.points);
        let top = round_up(all.map(|(_, spread)| spread.max).fold(0.0, f64::max));
        let mut svg = String::new();
        // Writing to a string cannot fail.
        let _ = self.frame(&mut svg, &places, top);
        for (index, (curve, colour)) in curves.iter().zip(COLOURS.iter().cycle()).enumerate() {
            let _ = line(&mut svg, curve, colour, places.len(), top);
            let (x, y) = (WIDTH - RIGHT + 12.0, (index as f64).mul_add(20.0, TOP + 8.0));
            let _ = writeln!(
                svg,
                r#"<text x="{x}" y="{y}" fill="{colour}" font-weight="bold">{}</text>"#,
                curve.side
            );
        }
        svg.push_str("</svg>\n");
        Some(svg)
    }

    fn frame(&self, svg: &mut String, places: &[f64], top: f64) -> std::fmt::Result {
        let Self { name: _, title, x: below, y: beside } = self;
        writeln!(
            svg,
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13" fill="#333333">
<title>{title}</title>
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="{LEFT}" y="22" font-size="15" font-weight="bold">{title}</text>
<text x="{}" y="{}" text-anchor="middle">{below}</text>
<text transform="translate(16 {}) rotate(-90)" text-anchor="middle">{beside}</text>"##,
            f64::midpoint(LEFT, WIDTH - RIGHT),
            HEIGHT - 12.0,
            f64::midpoint(TOP, HEIGHT - BOTTOM),
        )?;
        for step in 0..=STEPS {
            let value = top * f64::from(step) / f64::from(STEPS);
            let y = height(value, top);
            writeln!(
                svg,
                r##"<path d="M{LEFT} {y:.1}H{:.1}" stroke="#dddddd"/><text x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"##,
                WIDTH - RIGHT,
                LEFT - 8.0,
                y + 4.0,
                tick(value),
            )?;
        }
        for (index, place) in places.iter().enumerate() {
            writeln!(
                svg,
                r#"<text x="{:.1}" y="{:.1}" text-anchor="middle">{}</text>"#,
                across(index, places.len()),
                HEIGHT - BOTTOM + 20.0,
                tick(*place),
            )?;
        }
        Ok(())
    }
}

/// The medians joined by a line, with a bar from the smallest to the largest at each.
fn line(
    svg: &mut String,
    curve: &Curve,
    colour: &str,
    places: usize,
    top: f64,
) -> std::fmt::Result {
    let mut path = String::new();
    for (index, (_, spread)) in curve.points.iter().enumerate() {
        let x = across(index, places);
        let y = height(spread.median, top);
        write!(path, "{}{x:.1} {y:.1}", if index == 0 { 'M' } else { 'L' })?;
        writeln!(
            svg,
            r#"<circle cx="{x:.1}" cy="{y:.1}" r="3.5" fill="{colour}"/><path d="M{x:.1} {:.1}V{:.1}" stroke="{colour}"/>"#,
            height(spread.min, top),
            height(spread.max, top),
        )?;
    }
    writeln!(svg, r#"<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"/>"#)
}

fn across(index: usize, places: usize) -> f64 {
    let width = WIDTH - LEFT - RIGHT - 48.0;
    let gaps = places.saturating_sub(1).max(1);
    (width * index as f64 / gaps as f64) + LEFT + 24.0
}

fn height(value: f64, top: f64) -> f64 {
    let height = HEIGHT - TOP - BOTTOM;
    (1.0 - value / top).mul_add(height, TOP)
}

/// A number at an axis, without decimals if it is whole.
fn tick(value: f64) -> String {
    if value < 100.0 { format!("{value}") } else { shown(value) }
}

/// The next greater round number.
fn round_up(number: f64) -> f64 {
    let unit = 10.0_f64.powf(number.max(1e-9).log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|step| step * unit);
    steps.into_iter().find(|step| *step >= number).unwrap_or(number)
}
