//! Tables for people.

use comfy_table::{Table, presets};

/// A table without lines between its columns.
pub(super) fn table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

/// The lines of a table, its columns two spaces apart.
pub(super) fn lines(table: &mut Table) -> Vec<String> {
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}
