//! Convolution as an implicit matrix product: rows of the weight times columns of gathered pixels. The columns of all
//! samples form one dimension, so that small images make good products too.

use std::borrow::Cow;
use std::ops::Range;

use super::super::memory::{fresh, zeroed};
use super::super::scratch::Scratch;
use super::super::spread;
use super::parts::{Part, divide};
use super::product::{BlockProduct, depth_blocks};
use crate::ops::cpu::Runtime;
use crate::ops::cpu::simd::{Simd, Task};

/// Parts begin at whole register tiles of channels.
const CHANNELS: usize = 12;

/// Output pixels that meet the same taps: every `step`-th row and column from `first` on.
pub(super) struct Phase<'a> {
    pub first: [usize; 2],
    /// Offset in a sample of the source of what the first output pixel reads at offset 0.
    pub base: usize,
    /// Where in the source a column's values lie.
    pub offsets: Vec<usize>,
    /// `[rows, depth]`.
    pub weights: Cow<'a, [f32]>,
}

/// A convolution from a prepared source.
pub(super) struct Plan<'a> {
    pub source: &'a [f32],
    pub sample_len: usize,
    pub row_len: usize,
    pub phases: Vec<Phase<'a>>,
    pub step: usize,
    pub batch: usize,
    /// Output channels.
    pub rows: usize,
    /// Of the output.
    pub size: [usize; 2],
}

impl Plan<'_> {
    /// `[batch, rows, size]`.
    pub fn run(&self, rt: &Runtime) -> Vec<f32> {
        let [height, width] = self.size;
        let len = self.batch * self.rows * height * width;
        // A phase without taps stays zero.
        let complete = self.phases.iter().all(|phase| !phase.offsets.is_empty());
        let mut out = if complete { fresh(len) } else { zeroed(len) };
        if out.is_empty() {
            return out;
        }
        let depth: usize = self.phases.iter().map(|phase| phase.offsets.len()).sum();
        let work = 2 * out.len() / self.phases.len() * depth;
        let parts = divide(&mut out, self.batch, self.rows, self.size, self.step, CHANNELS);
        spread::tasks(rt, work, parts, |part| self.part(rt, part));
        out
    }

    fn part(&self, rt: &Runtime, mut part: Part<'_>) {
        for phase in &self.phases {
            if !phase.offsets.is_empty() {
                self.phase(rt, phase, &mut part);
            }
        }
    }

    fn phase(&self, rt: &Runtime, phase: &Phase<'_>, part: &mut Part<'_>) {
        let set = rt.instruction_set();
        let width = set.channel_block();
        let positions = self.positions(phase, part);
        if positions.is_empty() {
            return;
        }
        let columns = positions.len().next_multiple_of(width / 2);
        let rows = part.channels.len();
        let depth = phase.offsets.len();
        let mut products = Scratch::new(rows * columns);
        let mut panels = Scratch::new(super::product::DEPTH.min(depth) * columns);
        for block in depth_blocks(depth) {
            let offsets = &phase.offsets[block.clone()];
            let packed = &mut panels[..offsets.len() * columns];
            for (panel, positions) in packed.chunks_mut(offsets.len() * width).zip(positions.chunks(width)) {
                set.run(Gather { source: self.source, offsets, positions, panel });
            }
            set.run(BlockProduct {
                a: &phase.weights[part.channels.start * depth + block.start..],
                a_stride: depth,
                rows,
                depth: offsets.len(),
                panels: packed,
                panel_depth: offsets.len(),
                panel_first: 0,
                columns,
                out: &mut products,
                out_stride: columns,
                add: block.start > 0,
            });
        }
        self.scatter(phase, part, &products, columns);
    }

    /// Output rows and columns of a phase within a part.
    fn grid(&self, phase: &Phase<'_>, part: &Part<'_>) -> [Range<usize>; 2] {
        // A part begins at a multiple of the step.
        let first = part.lines.start + phase.first[0];
        [first..part.lines.end.max(first), phase.first[1]..self.size[1].max(phase.first[1])]
    }

    /// Where in the source each column begins.
    fn positions(&self, phase: &Phase<'_>, part: &Part<'_>) -> Vec<usize> {
        let [lines, columns] = self.grid(phase, part);
        let mut positions = Vec::with_capacity(part.samples.len() * lines.len() * columns.len());
        for sample in part.samples.clone() {
            for line in lines.clone().step_by(self.step) {
                let first = sample * self.sample_len + phase.base + (line / self.step) * self.row_len;
                positions.extend(first..first + columns.len().div_ceil(self.step));
            }
        }
        positions
    }

    fn scatter(&self, phase: &Phase<'_>, part: &mut Part<'_>, products: &[f32], columns: usize) {
        let [lines, across] = self.grid(phase, part);
        let count = across.len().div_ceil(self.step);
        let channels = part.channels.len();
        let per_sample = lines.len().div_ceil(self.step) * count;
        for (index, piece) in part.pieces.iter_mut().enumerate() {
            let (sample, channel) = (index / channels, index % channels);
            let values = &products[channel * columns + sample * per_sample..][..per_sample];
            if self.step == 1 {
                piece.copy_from_slice(values);
                continue;
            }
            for (line, values) in lines.clone().step_by(self.step).zip(values.chunks_exact(count)) {
                let row = &mut piece[(line - part.lines.start) * self.size[1] + across.start..];
                row.iter_mut().step_by(self.step).zip(values).for_each(|(out, &value)| *out = value);
            }
        }
    }
}

/// A panel `[depth][two vectors]`, or one vector: what lies `offsets` after each of `positions`.
pub(super) struct Gather<'a> {
    pub source: &'a [f32],
    pub offsets: &'a [usize],
    pub positions: &'a [usize],
    pub panel: &'a mut [f32],
}

impl Task for Gather<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        let width = self.panel.len() / self.offsets.len();
        let mut positions = [0; 64];
        for (i, position) in positions[..width].iter_mut().enumerate() {
            // Columns past the last one are computed and ignored.
            *position = self.positions[i.min(self.positions.len() - 1)];
        }
        let positions = &positions[..width];
        let side_by_side =
            |run: usize| positions.chunks(run).all(|run| run.windows(2).all(|pair| pair[1] == pair[0] + 1));
        if side_by_side(S::LANES) {
            self.vectors(simd, positions);
        } else if side_by_side(4) {
            self.quarters(positions);
        } else {
            self.singles(positions);
        }
    }
}

impl Gather<'_> {
    #[inline(always)]
    fn vectors<S: Simd>(self, simd: S, positions: &[usize]) {
        for (out, &offset) in self.panel.chunks_exact_mut(positions.len()).zip(self.offsets) {
            let mut at = 0;
            while at < positions.len() {
                simd.store(simd.load(self.source, positions[at] + offset), out, at);
                at += S::LANES;
            }
        }
    }

    #[inline(always)]
    fn quarters(self, positions: &[usize]) {
        for (out, &offset) in self.panel.chunks_exact_mut(positions.len()).zip(self.offsets) {
            for (out, position) in out.chunks_exact_mut(4).zip(positions.chunks_exact(4)) {
                out.copy_from_slice(&self.source[position[0] + offset..][..4]);
            }
        }
    }

    #[inline(always)]
    fn singles(self, positions: &[usize]) {
        for (out, &offset) in self.panel.chunks_exact_mut(positions.len()).zip(self.offsets) {
            for (out, &position) in out.iter_mut().zip(positions) {
                *out = self.source[position + offset];
            }
        }
    }
}
