//! Tables for people.

use comfy_table::{Table, presets};

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
