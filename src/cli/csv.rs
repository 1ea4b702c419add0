//! Events as comma-separated values (RFC 4180), for spreadsheets.
//!
//! A spreadsheet takes a cell that begins with one of [`FORMULA_STARTS`] for a formula, which
//! can send data elsewhere or run a program, and tags, names of callers and IDs are chosen by
//! clients. So such a text gets an apostrophe in front, which spreadsheets read as "this is
//! text". A program that reads the file removes it.

use std::io::{self, Write};

use ::csv::{Terminator, Writer, WriterBuilder};

use crate::{
    audit::{ExportFormat, RangeAnchor},
    proto::{self, UserPoolEvent},
};

use super::{
    event::{actor_identity, change, peer_address, type_name},
    text::escape,
};

/// The first characters of formulas. Control characters are already escaped.
const FORMULA_STARTS: [char; 4] = ['=', '+', '-', '@'];

/// The columns, in order.
const COLUMNS: [&str; 11] = [
    "time",
    "position",
    "pool",
    "revision",
    "type",
    "actor",
    "address",
    "what",
    "request_id",
    "correlation_id",
    "event_id",
];

/// Writes events as lines of comma-separated values, after a line with the names of the
/// columns.
#[derive(Debug)]
pub(super) struct EventCsv<W: Write>(Writer<W>);

impl<W: Write> EventCsv<W> {
    /// Writes the names of the columns.
    ///
    /// # Errors
    /// They cannot be written.
    pub(super) fn new(out: W) -> io::Result<Self> {
        let Self(mut writer) = Self::continued(out);
        writer.write_record(COLUMNS)?;
        writer.flush()?;
        Ok(Self(writer))
    }

    /// Goes on after the names of the columns.
    fn continued(out: W) -> Self {
        Self(new_writer(out))
    }

    /// Writes an event. [`flush`](Self::flush) passes it on.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn push(&mut self, event: &UserPoolEvent) -> io::Result<()> {
        let cells: [String; COLUMNS.len()] = [
            event.record_time.map(proto::format_time).unwrap_or_default(),
            event.position.to_string(),
            text(&event.user_pool_id),
            event.revision.to_string(),
            text(&type_name(event)),
            text(&actor_identity(event)),
            text(&peer_address(event)),
            text(&change(event).text()),
            text(event.request_id.as_deref().unwrap_or_default()),
            text(&event.correlation_id),
            text(&event.event_id),
        ];
        Ok(self.0.write_record(cells)?)
    }

    /// Writes what is buffered.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// An export as comma-separated values, which can be neither verified nor imported.
#[derive(Debug)]
pub(super) struct CsvExport;

impl ExportFormat for CsvExport {
    fn begin(&self, out: &mut dyn Write, _: Option<RangeAnchor>) -> io::Result<()> {
        EventCsv::new(out).map(drop)
    }

    fn event(&self, out: &mut Vec<u8>, event: &UserPoolEvent) -> io::Result<()> {
        let mut csv = EventCsv::continued(out);
        csv.push(event)?;
        csv.flush()
    }
}

/// Writes records as RFC 4180 has them.
pub(super) fn new_writer<W: Write>(out: W) -> Writer<W> {
    WriterBuilder::new().terminator(Terminator::CRLF).from_writer(out)
}

/// A cell with a text that no spreadsheet takes for a formula.
pub(super) fn text(text: &str) -> String {
    let text = escape(text);
    if text.starts_with(FORMULA_STARTS) { format!("'{text}") } else { text }
}
