//! What the last frames cost.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::engine::{message::Timings, threads::processors};

/// Frames that are remembered.
const LENGTH: usize = 240;
/// Frames that are older do not count for the rate.
const RATE_WINDOW: Duration = Duration::from_secs(1);

/// Times of the last frames, and how many may be asked for.
#[derive(Debug)]
pub struct Performance {
    /// Highest number of images that are asked for in a second, 5..=1000.
    pub fps_limit: u32,
    /// Processors that may compute an image, 1 to as many as there are.
    pub threads: u32,
    /// Whether the window waits for the screen's refresh.
    pub vsync: bool,
    /// Whether a GPU that can stores feature maps in 16 bits.
    pub half: bool,
    /// Oldest first.
    history: VecDeque<(Instant, Timings)>,
    /// Bytes that were mapped back from the GPU for frames; stays 0.
    pub bytes_read_back: u64,
}

impl Default for Performance {
    fn default() -> Self {
        Self {
            fps_limit: 60,
            threads: Self::max_threads(),
            vsync: true,
            half: false,
            history: VecDeque::new(),
            bytes_read_back: 0,
        }
    }
}

impl Performance {
    /// Lowest and highest limit.
    pub const FPS_LIMITS: std::ops::RangeInclusive<u32> = 5..=1000;

    /// Processors of this machine, as far as this process may use them.
    pub fn max_threads() -> u32 {
        u32::try_from(processors()).unwrap_or(u32::MAX)
    }

    /// Remembers a frame that has just arrived.
    pub fn push(&mut self, now: Instant, timings: Timings) {
        if self.history.len() == LENGTH {
            self.history.pop_front();
        }
        self.history.push_back((now, timings));
    }

    /// Times by stage of the newest frame.
    pub fn last(&self) -> Option<Timings> {
        self.history.back().map(|(_, timings)| *timings)
    }

    /// Times by stage of the remembered frames, oldest first.
    pub fn timings(&self) -> impl ExactSizeIterator<Item = &Timings> {
        self.history.iter().map(|(_, timings)| timings)
    }

    /// Images a second over the last second; 0 while nothing changes.
    pub fn fps(&self, now: Instant) -> f32 {
        let recent = self.history.iter().rev().take_while(|(at, _)| now.duration_since(*at) < RATE_WINDOW);
        let (mut count, mut oldest) = (0u32, now);
        for (at, _) in recent {
            count += 1;
            oldest = *at;
        }
        let span = self.history.back().map_or(0.0, |(newest, _)| newest.duration_since(oldest).as_secs_f32());
        if count < 2 || span <= 0.0 { 0.0 } else { (count - 1) as f32 / span }
    }
}
