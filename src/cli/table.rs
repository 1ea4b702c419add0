//! Tables for people.

use comfy_table::{CellAlignment, Table, presets};

use super::{cell::Cell, terminal};

/// The columns between two cells.
const GAP: usize = 2;
/// The minimum width of a column that is shortened.
const MIN_WIDTH: usize = 12;
/// The same if the times were shortened first, and that was not enough.
const SMALLEST_WIDTH: usize = 8;
/// The width of a time without its seconds.
const SHORT_TIME: usize = "2017-12-11T00:00Z".len();

/// An empty table without borders.
pub(super) fn new_table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

/// Renders the lines of a table, with two spaces between its columns.
pub(super) fn render(table: &mut Table) -> Vec<String> {
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

/// Renders the lines of a table with a heading. On a terminal, cells are shortened until the
/// table fits. The name of a column begins with "#" if it is aligned right, for numbers, and
/// with "~" if it can be shortened.
pub(super) fn render_rows(columns: &[&str], rows: &[Vec<Cell>]) -> Vec<String> {
    let widths = fit(columns, rows, terminal::columns());
    let mut table = new_table();
    table.set_header(columns.iter().map(|column| name(column)));
    for (index, column) in columns.iter().enumerate() {
        if let Some(cells) = table.column_mut(index).filter(|_| column.starts_with('#')) {
            cells.set_cell_alignment(CellAlignment::Right);
        }
    }
    for row in rows {
        table.add_row(row.iter().zip(&widths).map(|(cell, width)| cell.fit(*width)));
    }
    render(&mut table)
}

/// The widths of the columns of a table, in a terminal if there is one.
fn fit(columns: &[&str], rows: &[Vec<Cell>], terminal: Option<usize>) -> Vec<usize> {
    let widths = columns.iter().enumerate().map(|(index, column)| {
        let cells = rows.iter().filter_map(|row| row.get(index));
        cells.map(|cell| cell.text().chars().count()).chain([name(column).len()]).max()
    });
    let mut widths: Vec<_> = widths.map(Option::unwrap_or_default).collect();
    let Some(terminal) = terminal else { return widths };
    let is_flexible = |index: usize| columns.get(index).is_some_and(|name| name.starts_with('~'));
    let excess = |widths: &[usize]| {
        let total: usize = widths.iter().map(|width| width + GAP).sum();
        total.saturating_sub(terminal + GAP)
    };
    let shorten = |mut widths: Vec<usize>, least: usize| {
        for _ in 0..excess(&widths) {
            // Takes from the widest one.
            let flexible = widths.iter_mut().enumerate();
            let flexible = flexible.filter(|(index, width)| is_flexible(*index) && **width > least);
            if let Some((_, widest)) = flexible.max_by_key(|(_, width)| **width) {
                *widest -= 1;
            }
        }
        widths
    };
    let shortened = shorten(widths.clone(), MIN_WIDTH);
    if excess(&shortened) == 0 {
        return shortened;
    }
    shorten_times(rows, &mut widths);
    shorten(widths, SMALLEST_WIDTH)
}

fn shorten_times(rows: &[Vec<Cell>], widths: &mut [usize]) {
    for (index, width) in widths.iter_mut().enumerate() {
        let has_times = |row: &Vec<Cell>| matches!(row.get(index), Some(Cell::Time(_)));
        if rows.iter().any(has_times) {
            *width = SHORT_TIME;
        }
    }
}

fn name(column: &str) -> &str {
    column.trim_start_matches(['#', '~'])
}
