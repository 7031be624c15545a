//! Messages of this program and its libraries on standard error, as `STYLESCOPE_LOG` asks for.

use std::{io::Write, sync::OnceLock, time::Instant};

use log::{Level, LevelFilter, Log, Metadata, Record};

struct Stderr;

/// About when the process began.
static BEGUN: OnceLock<Instant> = OnceLock::new();

impl Log for Stderr {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Libraries are chatty: theirs appear one level later than ours.
        let ours = metadata.target().starts_with(env!("CARGO_CRATE_NAME"));
        let quieter = |level: Level| Level::iter().find(|other| *other > level).unwrap_or(level);
        let needed = if ours { metadata.level() } else { quieter(metadata.level()) };
        needed <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let (level, text) = (record.level().as_str().to_lowercase(), record.args());
            // Who looks closer than at warnings wants to know when.
            let line = match record.level() {
                Level::Error | Level::Warn => format!("{level}: {text}"),
                _ => format!("{level} {:.3} s: {text}", BEGUN.get_or_init(Instant::now).elapsed().as_secs_f64()),
            };
            // A closed standard error is no reason to stop.
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }

    fn flush(&self) {}
}

/// Starts logging. A second call, or a logger that is there already, changes nothing.
pub fn init() {
    BEGUN.get_or_init(Instant::now);
    let level = std::env::var("STYLESCOPE_LOG").ok().and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::Warn);
    if log::set_logger(&Stderr).is_ok() {
        log::set_max_level(level);
    }
}
