//! When to show the image of a lower block while the rest of a frame is computed.
//!
//! Networks that make an image at every resolution can show one early. Which one is a matter of time alone: the finest
//! that is there within [`FIRST`], judged by what the blocks took the last times; then, as long as the rest takes longer
//! than [`NEXT`], a finer one. The full image is computed as if there were no previews.

use std::time::{Duration, Instant};

/// How long after the request something shall be seen: 60 ms less what the texture and the window need.
pub const FIRST: Duration = Duration::from_millis(40);
/// How long after a preview something finer shall be seen.
pub const NEXT: Duration = Duration::from_millis(150);
/// Pixels on a preview's side at least: smaller ones show nothing.
pub const SMALLEST: usize = 16;

/// What each block of a network took, as far as it is known.
#[derive(Debug, Clone, Default)]
pub struct BlockTimes(Vec<Option<Duration>>);

impl BlockTimes {
    /// Takes note of a run of block `index`. A slow run, as the first one is and those of a busy machine are, counts little.
    pub fn note(&mut self, index: usize, took: Duration) {
        if self.0.len() <= index {
            self.0.resize(index + 1, None);
        }
        if let Some(known) = self.0.get_mut(index) {
            *known = Some(known.map_or(took, |before| took.min((3 * before + took) / 4)));
        }
    }

    /// What block `index` will take: what it took before, or else twice the block below.
    pub fn expect(&self, index: usize) -> Duration {
        let known = |index: usize| self.0.get(index).copied().flatten();
        let below = || (0..index).rev().find_map(|below| Some(known(below)? * (1 << (index - below).min(20))));
        known(index).or_else(below).unwrap_or_default()
    }

    /// Before block `index` of `count`.
    pub fn progress(&self, index: usize, count: usize) -> Progress {
        Progress { next: self.expect(index), rest: (index..count).map(|index| self.expect(index)).sum() }
    }
}

/// Where a frame stands between two blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What the next block will take.
    pub next: Duration,
    /// What all that is left will take.
    pub rest: Duration,
}

/// Decides for one frame.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    due: Instant,
    shown: bool,
}

impl Schedule {
    /// For a request that came in at `asked`.
    pub fn new(asked: Instant) -> Self {
        Self { due: asked + FIRST, shown: false }
    }

    /// Whether a preview was shown.
    pub fn shown(&self) -> bool {
        self.shown
    }

    /// Whether the image of the block that has just run shall be shown: neither the next one's nor the full image will be
    /// there in time.
    pub fn wants(&self, now: Instant, progress: Progress) -> bool {
        let late = |more: Duration| now + more > self.due;
        late(progress.next) && late(progress.rest)
    }

    /// A preview was shown.
    pub fn show(&mut self, now: Instant) {
        (self.due, self.shown) = (now + NEXT, true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_slow_first_run_is_forgotten_and_unknown_blocks_are_guessed() {
        let mut times = BlockTimes::default();
        assert_eq!(times.expect(3), Duration::ZERO);
        times.note(1, ms(400));
        assert_eq!(times.expect(3), ms(1600), "each block is taken for twice the one below");
        times.note(1, ms(10));
        assert_eq!(times.expect(1), ms(10));
        times.note(1, ms(50));
        assert_eq!(times.expect(1), ms(20), "a busy moment counts little");
        times.note(2, ms(5));
        assert_eq!(times.progress(1, 3), Progress { next: ms(20), rest: ms(25) });
    }

    /// The blocks after which something is shown, of a frame whose blocks take what was expected.
    fn shown(blocks: &[u64]) -> Vec<usize> {
        let start = Instant::now();
        let mut schedule = Schedule::new(start);
        let mut shown = Vec::new();
        for index in 0..blocks.len() - 1 {
            let now = start + ms(blocks[..=index].iter().sum());
            let progress = Progress { next: ms(blocks[index + 1]), rest: ms(blocks[index + 1..].iter().sum()) };
            if schedule.wants(now, progress) {
                schedule.show(now);
                shown.push(index);
            }
        }
        shown
    }

    #[test]
    fn the_finest_image_in_time_is_shown_and_finer_ones_follow() {
        assert!(shown(&[1, 3, 5, 16]).is_empty(), "the full image is there in time");
        assert_eq!(shown(&[1, 3, 5, 16, 22, 22, 25]), [3], "256 pixels");
        assert_eq!(shown(&[1, 3, 5, 16, 52, 83, 73, 93, 122]), [3, 5, 6, 7], "1024 pixels");
        assert_eq!(shown(&[120, 142]), [0], "late, but before what is later still");
    }
}
