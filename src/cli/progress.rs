//! Progress of long runs on standard error: one line that renews itself on a terminal, plain lines now and then elsewhere.

use std::{
    cell::RefCell,
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

use crate::base::numbers::duration;

/// Runs shorter than this say nothing.
const QUIET: Duration = Duration::from_secs(1);
/// How often a terminal's line is renewed.
const TERMINAL_EVERY: Duration = Duration::from_millis(100);
/// How often a log gets a line.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Reports how far a run of known length has come.
pub struct ProgressLine {
    state: RefCell<State>,
    /// What is done, e.g. `reading`.
    label: String,
    /// What is counted, e.g. `images`; empty for a percentage.
    unit: &'static str,
    terminal: bool,
}

struct State {
    start: Instant,
    next: Instant,
    shown: bool,
}

impl ProgressLine {
    /// A line that begins now. With an empty `unit` it shows per cent.
    pub fn new(label: impl Into<String>, unit: &'static str) -> Self {
        let start = Instant::now();
        let state = RefCell::new(State { start, next: start + QUIET, shown: false });
        Self { state, label: label.into(), unit, terminal: std::io::stderr().is_terminal() }
    }

    /// `done` of `total` are done.
    pub fn advance(&self, done: u64, total: u64) {
        let now = Instant::now();
        let mut state = self.state.borrow_mut();
        if now < state.next {
            return;
        }
        state.next = now + if self.terminal { TERMINAL_EVERY } else { LOG_EVERY };
        state.shown = true;
        let text = line(&self.label, self.unit, done, total, now - state.start);
        // Progress is a courtesy: a closed standard error is no reason to stop.
        let mut stderr = std::io::stderr().lock();
        let _ = if self.terminal { write!(stderr, "\r\x1b[2K{text}") } else { writeln!(stderr, "{text}") };
        let _ = stderr.flush();
    }

    /// Since the line began.
    pub fn elapsed(&self) -> Duration {
        self.state.borrow().start.elapsed()
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        if self.terminal && self.state.borrow().shown {
            let mut stderr = std::io::stderr().lock();
            let _ = write!(stderr, "\r\x1b[2K");
            let _ = stderr.flush();
        }
    }
}

fn line(label: &str, unit: &str, done: u64, total: u64, elapsed: Duration) -> String {
    let share = done as f64 / total.max(1) as f64;
    let amount = if unit.is_empty() { format!("{:.0} %", share * 100.0) } else { format!("{done} of {total} {unit}") };
    let left = if done > 0 && done < total {
        let seconds = elapsed.as_secs_f64() * (1.0 / share - 1.0);
        format!(", {} left", duration(seconds.ceil()))
    } else {
        String::new()
    };
    format!("{label}: {amount}{left}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_say_how_long_it_still_takes() {
        let ten = Duration::from_secs(10);
        assert_eq!(line("images", "images", 0, 40, ten), "images: 0 of 40 images");
        assert_eq!(line("images", "images", 10, 40, ten), "images: 10 of 40 images, 30 s left");
        assert_eq!(line("a.pkl", "", 1, 3, ten), "a.pkl: 33 %, 20 s left");
        assert_eq!(line("a.pkl", "", 3, 3, ten), "a.pkl: 100 %");
        assert_eq!(line("images", "images", 1, 1000, ten), "images: 1 of 1000 images, 2 h 46 min left");
        assert_eq!(line("images", "images", 1, 0, ten), "images: 1 of 0 images");
    }
}
