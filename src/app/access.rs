//! The access log's one writer, made when it is first wanted.

use std::sync::{Arc, OnceLock};

use crate::access::{Format, Log};
use crate::admin::Gauge;

/// Standard output, if any request ever had a line. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Access(Arc<OnceLock<Log>>);

impl Access {
    /// Lines of this format; none where there are to be none.
    pub(super) fn log(&self, format: Option<Format>) -> Option<Log> {
        let format = format?;
        let log = self.0.get_or_init(|| Log::to_stdout(format));
        Some(log.with(format))
    }

    /// How many lines were dropped.
    pub(super) fn dropped(&self) -> Gauge {
        let log = Arc::clone(&self.0);
        Gauge::new(move || log.get().map_or(0, |log| log.dropped().dropped_lines()))
    }
}
