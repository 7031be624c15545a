//! How far the reading of a file is.

/// Who wants to know how far the reading is, and may stop it.
pub trait Progress {
    /// `done` of `total` bytes are read.
    fn advance(&self, done: u64, total: u64);
    /// Whether to stop.
    fn cancelled(&self) -> bool;
}

/// No reports, never cancelled.
impl Progress for () {
    fn advance(&self, _: u64, _: u64) {}

    fn cancelled(&self) -> bool {
        false
    }
}
