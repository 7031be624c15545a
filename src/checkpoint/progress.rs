//! How far the reading or writing of a file is.

/// Who wants to know how far it is, and may stop it.
pub trait Progress {
    /// `done` of `total` bytes are read or written.
    fn advance(&self, done: u64, total: u64);
    /// Whether to stop.
    fn cancelled(&self) -> bool;
    /// Asked once, when a file is written and about to take its name: false gives it up, true is final.
    fn commit(&self) -> bool {
        !self.cancelled()
    }
}

/// No reports, never cancelled.
impl Progress for () {
    fn advance(&self, _: u64, _: u64) {}

    fn cancelled(&self) -> bool {
        false
    }
}
