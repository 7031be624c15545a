//! Convolutions as products whose rows are pixels with their channels side by side: the taps of a line of the filter lie side by side
//! too, so a row of the product is read where it is, `k` pixels at a time.

use super::super::memory::{fresh, zeroed};
use super::super::scratch::Scratch;
use super::super::spread;
use super::ConvShape;
use super::layout::{BEHIND, ChannelsLast, channels_first};
use super::parts::{Part, divide};
use super::product::{OuterProduct, depth_blocks, store_rows};
use crate::ops::cpu::Runtime;
use crate::ops::cpu::product::{divide_rows, with_rows};
use crate::ops::cpu::simd::tile::tile_product;
use crate::ops::cpu::simd::{Simd, Task};

/// Channels come in whole vectors of every instruction set.
const CHANNELS: usize = 16;
/// Parts begin at whole panels of every instruction set.
const PANEL: usize = 32;
/// Pixels whose products a gradient by the weight sums before it adds them up.
const PIXELS: usize = 256;

/// With fewer output pixels than this in a batch, and more weights than that, arranging the weights costs more than it saves.
const FEW_PIXELS: usize = 192;
const MANY_WEIGHTS: usize = 1 << 20;

/// Whether this is the way for the convolution of that shape and the gradient by its weight.
pub(super) fn suits(s: &ConvShape) -> bool {
    let few = s.batch * s.out_height() * s.out_width() < FEW_PIXELS && s.weight_len() > MANY_WEIGHTS;
    !few && suits_input_gradient(s)
}

/// Whether this is the way for the gradient by the input, which needs its weights arranged in any case.
pub(super) fn suits_input_gradient(s: &ConvShape) -> bool {
    s.kernel > 1
        && s.inputs > 0
        && s.outputs > 0
        && [s.inputs, s.outputs].iter().all(|channels| channels.is_multiple_of(CHANNELS))
}

/// Output pixels that meet the same taps: every `step`-th row and column from `first` on.
struct Phase {
    first: [usize; 2],
    step: usize,
    /// Where in a sample the first pixel reads at offset 0, and how far it is from there to what the next row and column read.
    base: usize,
    steps: [usize; 2],
    runs: Vec<Run>,
}

/// Taps side by side: where they lie from a pixel's position on, and their weights `[panel][tap, channel][output of the panel]`.
struct Run {
    offset: usize,
    depth: usize,
    weights: std::ops::Range<usize>,
}

/// The taps of a [`Run`] in the order of the pixels that they meet.
struct Taps {
    offset: usize,
    taps: Vec<usize>,
}

/// `[N, O, H', W']`.
pub(super) fn forward(rt: &Runtime, s: &ConvShape, x: &[f32], weight: &[f32]) -> Vec<f32> {
    let size = [s.height, s.width].map(|side| side + 2 * s.padding);
    let source = ChannelsLast::new(rt, x, s.inputs, [s.height, s.width], s.padding, size);
    let line =
        |ky: usize| Taps { offset: ky * source.row_len(), taps: (0..s.kernel).map(|kx| ky * s.kernel + kx).collect() };
    let lines = [(0..s.kernel).map(line).collect::<Vec<_>>()];
    let area = s.kernel * s.kernel;
    let steps = [area, area * s.inputs];
    let (weights, mut runs) = pack(rt, weight, &lines, [s.inputs, s.outputs], steps);
    let phase = Phase {
        first: [0, 0],
        step: 1,
        base: 0,
        steps: [s.stride * source.row_len(), s.stride * source.channels],
        runs: runs.remove(0),
    };
    Plan { source, phases: vec![phase], weights }.run(rt, s.batch, s.outputs, [s.out_height(), s.out_width()])
}

/// `[N, I, H, W]`.
pub(super) fn input_gradient(rt: &Runtime, s: &ConvShape, grad_y: &[f32], weight: &[f32]) -> Vec<f32> {
    let from = [s.out_height(), s.out_width()];
    // Taps reach back this far, and pixels as far as the last one that a row or column of x meets.
    let reach = (s.kernel - 1) / s.stride;
    let size = [0, 1].map(|d| {
        let last = ([s.height, s.width][d] - 1 + s.padding) / s.stride;
        reach + from[d].max(last + 1)
    });
    let source = ChannelsLast::new(rt, grad_y, s.outputs, from, reach, size);
    let (row, channels) = (source.row_len(), source.channels);
    // Row Y of x meets row y under tap ky where Y + padding = stride * y + ky.
    let phases: Vec<[usize; 2]> = (0..s.stride * s.stride).map(|index| [index / s.stride, index % s.stride]).collect();
    let taps = |first: usize| ((first + s.padding) % s.stride..s.kernel).step_by(s.stride);
    let lines: Vec<Vec<Taps>> = (phases.iter())
        .map(|first| {
            let across: Vec<usize> = taps(first[1]).rev().collect();
            let Some(&furthest) = across.first() else { return Vec::new() };
            let line = |ky: usize| Taps {
                offset: (reach - ky / s.stride) * row + (reach - furthest / s.stride) * channels,
                taps: across.iter().map(|kx| ky * s.kernel + kx).collect(),
            };
            taps(first[0]).map(line).collect()
        })
        .collect();
    let area = s.kernel * s.kernel;
    let (weights, runs) = pack(rt, weight, &lines, [s.outputs, s.inputs], [area * s.inputs, area]);
    let phases = (phases.into_iter().zip(runs))
        .map(|(first, runs)| {
            let [y, x] = first.map(|at| (at + s.padding) / s.stride);
            Phase { first, step: s.stride, base: y * row + x * channels, steps: [row, channels], runs }
        })
        .collect();
    Plan { source, phases, weights }.run(rt, s.batch, s.inputs, [s.height, s.width])
}

/// The weights of all runs. `channels` and `steps` are the number of input and output channels of the product, and the values of
/// `weight` from one to the next.
fn pack(
    rt: &Runtime,
    weight: &[f32],
    phases: &[Vec<Taps>],
    channels: [usize; 2],
    steps: [usize; 2],
) -> (Scratch, Vec<Vec<Run>>) {
    let panel = rt.instruction_set().channel_block();
    let [inputs, outputs] = channels;
    let mut packed = Scratch::new(weight.len());
    let mut rest = &mut *packed;
    // Each task packs one panel of every run, so that it reads a filter once.
    type Panel<'a> = (usize, Vec<(&'a Taps, &'a mut [f32])>);
    let mut tasks: Vec<Panel> = (0..outputs).step_by(panel).map(|output| (output, Vec::new())).collect();
    let (mut runs, mut first) = (Vec::new(), 0);
    for lines in phases {
        let mut phase = Vec::new();
        for line in lines {
            let depth = line.taps.len() * inputs;
            let (now, later) = rest.split_at_mut(depth * outputs);
            rest = later;
            phase.push(Run { offset: line.offset, depth, weights: first..first + now.len() });
            first += now.len();
            for ((_, pieces), piece) in tasks.iter_mut().zip(now.chunks_mut(depth * panel)) {
                pieces.push((line, piece));
            }
        }
        runs.push(phase);
    }
    spread::tasks(rt, 4 * weight.len(), tasks, |(output, mut pieces)| {
        let lanes = panel.min(outputs - output);
        for input in 0..inputs {
            for lane in 0..lanes {
                let filter = &weight[input * steps[0] + (output + lane) * steps[1]..];
                for (line, piece) in &mut pieces {
                    for (index, &tap) in line.taps.iter().enumerate() {
                        piece[(index * inputs + input) * lanes + lane] = filter[tap];
                    }
                }
            }
        }
    });
    (packed, runs)
}

/// A convolution from a prepared source.
struct Plan {
    source: ChannelsLast,
    phases: Vec<Phase>,
    weights: Scratch,
}

impl Plan {
    /// `[batch, channels, size]`.
    fn run(&self, rt: &Runtime, batch: usize, channels: usize, size: [usize; 2]) -> Vec<f32> {
        let len = batch * channels * size[0] * size[1];
        // A phase without taps stays zero.
        let complete = self.phases.iter().all(|phase| !phase.runs.is_empty());
        let mut out = if complete { fresh(len) } else { zeroed(len) };
        let step = self.phases[0].step;
        let work = 2 * len / self.phases.len() * (self.weights.len() / channels);
        let parts = divide(&mut out, batch, channels, size, step, PANEL);
        spread::tasks(rt, work, parts, |part| self.part(rt, part, channels, size[1]));
        out
    }

    fn part(&self, rt: &Runtime, mut part: Part<'_>, channels: usize, width: usize) {
        let columns = part.channels.len();
        let image = part.lines.len() * width;
        let mut products = Scratch::new((part.samples.len() * image + BEHIND) * columns);
        if self.phases.iter().any(|phase| phase.runs.is_empty()) {
            products.fill(0.0);
        }
        for phase in &self.phases {
            let (positions, outputs) = self.pixels(phase, &part, width);
            for (index, run) in phase.runs.iter().enumerate() {
                let weights = &self.weights[run.weights.clone()];
                for block in depth_blocks(run.depth) {
                    rt.instruction_set().run(PixelProduct {
                        source: &self.source.values,
                        positions: &positions,
                        offset: run.offset + block.start,
                        depth: block.len(),
                        weights: &weights[part.channels.start * run.depth..],
                        weights_depth: run.depth,
                        weights_first: block.start,
                        left: channels - part.channels.start,
                        columns,
                        outputs: &outputs,
                        out: &mut products,
                        add: index + block.start > 0,
                    });
                }
            }
        }
        for (sample, pieces) in part.pieces.chunks_exact_mut(columns).enumerate() {
            channels_first(rt, &products[sample * image * columns..], image, pieces);
        }
    }

    /// Where each pixel of a phase begins in the source, and which pixel of the part it is.
    fn pixels(&self, phase: &Phase, part: &Part<'_>, width: usize) -> (Vec<usize>, Vec<usize>) {
        let (mut positions, mut outputs) = (Vec::new(), Vec::new());
        for sample in part.samples.clone() {
            // A part begins at a multiple of the step.
            for line in (part.lines.start + phase.first[0]..part.lines.end).step_by(phase.step) {
                let from = sample * self.source.sample_len() + phase.base + line / phase.step * phase.steps[0];
                let to = ((sample - part.samples.start) * part.lines.len() + line - part.lines.start) * width;
                for column in (phase.first[1]..width).step_by(phase.step) {
                    positions.push(from + column / phase.step * phase.steps[1]);
                    outputs.push(to + column);
                }
            }
        }
        (positions, outputs)
    }
}

/// Pixels times panels, for a part of one run.
struct PixelProduct<'a> {
    source: &'a [f32],
    positions: &'a [usize],
    offset: usize,
    depth: usize,
    /// Panels of `weights_depth` rows, of which those from `weights_first` on are taken.
    weights: &'a [f32],
    weights_depth: usize,
    weights_first: usize,
    /// Columns that `weights` has.
    left: usize,
    /// Columns that are wanted.
    columns: usize,
    outputs: &'a [usize],
    /// `[pixel, columns]`.
    out: &'a mut [f32],
    add: bool,
}

impl Task for PixelProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(mut self, simd: S) {
        let (_, height) = divide_rows(self.positions.len(), S::TILE_ROWS);
        let mut column = 0;
        while column < self.columns {
            // The last panel of all weights may be one vector wide; that of a part is as wide as the others.
            let vectors = if column + 2 * S::LANES <= self.left { 2 } else { 1 };
            let mut pixel = 0;
            while pixel < self.positions.len() {
                let count = height.min(self.positions.len() - pixel);
                with_rows!(count, S::TILE_ROWS, N => {
                    if vectors == 2 { self.tile::<S, N, 2>(simd, pixel, column) } else { self.tile::<S, N, 1>(simd, pixel, column) }
                });
                pixel += count;
            }
            column += vectors * S::LANES;
        }
    }
}

impl PixelProduct<'_> {
    #[inline(always)]
    fn tile<S: Simd, const N: usize, const V: usize>(&mut self, simd: S, pixel: usize, column: usize) {
        let (mut rows, mut outputs) = ([0; N], [0; N]);
        for i in 0..N {
            rows[i] = self.positions[pixel + i] + self.offset;
            outputs[i] = self.outputs[pixel + i] * self.columns + column;
        }
        let weights = &self.weights[column * self.weights_depth + self.weights_first * V * S::LANES..];
        let tile: [[S::Vector; V]; N] = tile_product(simd, self.source, rows, weights, self.depth);
        store_rows(simd, tile, self.out, outputs, self.add);
    }
}

/// `[O, I, k, k]`.
pub(super) fn weight_gradient(rt: &Runtime, s: &ConvShape, x: &[f32], grad_y: &[f32]) -> Vec<f32> {
    let padded = [s.height, s.width].map(|side| side + 2 * s.padding);
    let size = [s.out_height(), s.out_width()];
    let source = ChannelsLast::new(rt, x, s.inputs, [s.height, s.width], s.padding, padded);
    let gradient = ChannelsLast::new(rt, grad_y, s.outputs, size, 0, size);
    let rows = s.kernel * s.inputs;
    let columns = PANEL.min(s.outputs);
    let panels = s.outputs.div_ceil(columns);
    // `[panel of outputs][line of taps][tap, input][output of the panel]`.
    let mut products = Scratch::new(panels * s.kernel * rows * columns);
    // As many lines, or images, as make a sum of some pixels.
    let samples = (PIXELS / (size[0] * size[1])).clamp(1, s.batch);
    let lines = if samples > 1 { size[0] } else { (PIXELS / size[1]).clamp(1, size[0]) };
    spread::chunks(rt, s.operations(), &mut products, rows * columns, |index, out| {
        let (panel, ky) = (index / s.kernel * columns, index % s.kernel);
        let columns = columns.min(s.outputs - panel);
        for sample in (0..s.batch).step_by(samples) {
            for line in (0..size[0]).step_by(lines) {
                let counts = [samples.min(s.batch - sample), lines.min(size[0] - line), size[1]];
                rt.instruction_set().run(OuterProduct {
                    operands: [&source.values, &gradient.values],
                    first: [
                        sample * source.sample_len() + (line * s.stride + ky) * source.row_len(),
                        sample * gradient.sample_len() + line * gradient.row_len() + panel,
                    ],
                    counts,
                    steps: [
                        [source.sample_len(), gradient.sample_len()],
                        [s.stride * source.row_len(), gradient.row_len()],
                        [s.stride * source.channels, gradient.channels],
                    ],
                    rows,
                    columns,
                    out: &mut out[..rows * columns],
                    add: sample + line > 0,
                });
            }
        }
    });
    let mut out = fresh(s.weight_len());
    let (products, area) = (&*products, s.kernel * s.kernel);
    spread::chunks(rt, 4 * s.weight_len(), &mut out, columns * s.inputs * area, |panel, out| {
        let from = &products[panel * s.kernel * rows * columns..];
        let width = out.len() / (s.inputs * area);
        for input in 0..s.inputs {
            for (lane, filters) in out.chunks_exact_mut(s.inputs * area).enumerate() {
                for (tap, out) in filters[input * area..][..area].iter_mut().enumerate() {
                    let (ky, kx) = (tap / s.kernel, tap % s.kernel);
                    *out = from[ky * rows * columns + (kx * s.inputs + input) * width + lane];
                }
            }
        }
    });
    out
}
