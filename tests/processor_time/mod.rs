//! Limits of time that hold on a busy machine too: only what the thread itself computes counts.

use std::time::Duration;

/// The time that the calling thread has computed since it was made.
pub struct ProcessorTime(Duration);

impl ProcessorTime {
    /// Begins now.
    pub fn start() -> Self {
        Self(now())
    }

    /// What this thread, and no other, has computed since.
    pub fn elapsed(&self) -> Duration {
        now().saturating_sub(self.0)
    }
}

#[cfg(target_os = "linux")]
fn now() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes to the place that it is given, and to no other.
    #[allow(unsafe_code, reason = "the standard library has no such clock")]
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Elsewhere the time that passes has to do.
#[cfg(not(target_os = "linux"))]
fn now() -> Duration {
    static BEGUN: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    BEGUN.get_or_init(std::time::Instant::now).elapsed()
}
