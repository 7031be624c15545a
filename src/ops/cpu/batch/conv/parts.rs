//! How a result is divided into tasks.

use std::ops::Range;

/// Columns of a task, about: its operand stays in a second-level cache.
const COLUMNS: usize = 256;
/// Tasks that a product is divided into at least, where it is large enough for that.
const TASKS: usize = 8;
/// Channels of a task at least, because each task gathers its own columns.
const CHANNELS: usize = 48;

/// A part of a result `[N, channels, H, W]`: some channels of some rows of some samples.
pub(super) struct Part<'a> {
    pub samples: Range<usize>,
    pub channels: Range<usize>,
    pub lines: Range<usize>,
    /// The rows of each sample and channel.
    pub pieces: Vec<&'a mut [f32]>,
}

/// Divides `out`, `[batch, channels, size]`, so that parts begin at a multiple of `step` rows and of `multiple` channels.
pub(super) fn divide(
    out: &mut [f32],
    batch: usize,
    channels: usize,
    [height, width]: [usize; 2],
    step: usize,
    multiple: usize,
) -> Vec<Part<'_>> {
    let columns = COLUMNS * step * step;
    let samples = (columns / (height * width)).clamp(1, batch);
    let lines = if samples > 1 {
        height
    } else {
        let most = (columns / width).max(1);
        height.div_ceil(height.div_ceil(most)).next_multiple_of(step)
    };
    let bands = height.div_ceil(lines);
    let blocks = batch.div_ceil(samples) * bands;
    let shares = TASKS.div_ceil(blocks).min(channels.div_ceil(CHANNELS));
    let share = channels.div_ceil(shares).next_multiple_of(multiple);
    let shares = channels.div_ceil(share);
    let mut parts: Vec<Part<'_>> = Vec::with_capacity(blocks * shares);
    for block in 0..blocks {
        let (sample, line) = (block / bands * samples, block % bands * lines);
        for index in 0..shares {
            parts.push(Part {
                samples: sample..(sample + samples).min(batch),
                channels: index * share..((index + 1) * share).min(channels),
                lines: line..(line + lines).min(height),
                pieces: Vec::with_capacity(samples * share),
            });
        }
    }
    for (index, plane) in out.chunks_exact_mut(height * width).enumerate() {
        let (sample, channel) = (index / channels, index % channels);
        for (band, piece) in plane.chunks_mut(lines * width).enumerate() {
            let part = (sample / samples * bands + band) * shares + channel / share;
            parts[part].pieces.push(piece);
        }
    }
    parts
}
