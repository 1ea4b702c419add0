//! Cells of a table, which are shortened to fit a terminal.

use prost_types::Timestamp;

use super::text::{format_day_and_time, format_short_time, format_time};

/// The text between the items of a list.
const SEPARATOR: &str = ", ";
/// The minimum width of an item that is cut, and followed by the number of the others.
const MIN_ITEM: usize = 4;
/// The mark of a text that is cut.
const ELLIPSIS: char = '…';

/// A cell of a table.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Text(String),
    /// Texts of which those that do not fit are counted.
    List(Vec<String>),
    /// A time, which can do without its seconds, and without its year if it must.
    Time(Option<Timestamp>),
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl Cell {
    /// The whole text.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::List(items) => items.join(SEPARATOR),
            Self::Time(time) => format_time(*time),
        }
    }

    /// The text in at most this number of columns. A time stays longer if it must.
    pub(super) fn fit(&self, columns: usize) -> String {
        let text = self.text();
        if text.chars().count() <= columns {
            return text;
        }
        match self {
            Self::Time(time) => {
                let short = format_short_time(*time);
                if short.len() <= columns { short } else { format_day_and_time(*time) }
            }
            Self::Text(_) => cut(&text, columns),
            Self::List(items) => {
                let shortened = |count: usize| {
                    let shown = items.get(..count).unwrap_or_default().join(SEPARATOR);
                    format!("{shown} (+{} more)", items.len().saturating_sub(count))
                };
                (1..items.len())
                    .rev()
                    .map(shortened)
                    .find(|text| text.chars().count() <= columns)
                    .unwrap_or_else(|| match items.len() {
                        0 | 1 => cut(&text, columns),
                        count => cut_counted(items, count, columns),
                    })
            }
        }
    }
}

/// The beginning of the first item, and how many more there are.
fn cut_counted(items: &[String], count: usize, columns: usize) -> String {
    let rest = format!(" (+{} more)", count.saturating_sub(1));
    let first = items.first().map(String::as_str).unwrap_or_default();
    match columns.saturating_sub(rest.len()) {
        columns @ MIN_ITEM.. => format!("{}{rest}", cut(first, columns)),
        _ => cut(first, columns),
    }
}

fn cut(text: &str, columns: usize) -> String {
    let mut shown: String = text.chars().take(columns.saturating_sub(1)).collect();
    shown.push(ELLIPSIS);
    shown
}
