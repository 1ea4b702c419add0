//! A build without the feature `otel`: no exporter and no span can exist, so that the
//! compiler removes all code that handles them.

use super::{call::Call, error::SpansError};

#[derive(Debug, Clone)]
pub(super) enum Exporter {}

#[derive(Debug)]
pub(super) enum ExportedSpan {}

impl Exporter {
    pub(super) const fn new(_endpoint: &str) -> Result<Self, SpansError> {
        Err(SpansError::NotBuilt)
    }

    pub(super) const fn call(&self, _call: Call<'_>) -> ExportedSpan {
        match *self {}
    }

    pub(super) fn append<'a>(
        &self,
        _events: usize,
        _traces: impl Iterator<Item = &'a str>,
    ) -> ExportedSpan {
        match *self {}
    }

    pub(super) const fn flush(&self) {
        match *self {}
    }
}

impl ExportedSpan {
    pub(super) const fn end_call(self, _code: i32) {
        match self {}
    }
}
