//! The gradient by the weight: rows of gathered pixels, one for each input and tap, times columns of output gradients.

use std::ops::Range;

use super::super::memory::{fresh, zeroed};
use super::super::scratch::Scratch;
use super::super::spread;
use super::ConvShape;
use super::product::{BlockProduct, DEPTH, depth_blocks};
use super::source::Source;
use crate::ops::cpu::Runtime;

/// Columns (output channels) of a task.
const COLUMNS: usize = 128;
/// Rows (taps of inputs) of a task, about.
const ROWS: usize = 144;

/// `[O, I, k, k]`.
pub(super) fn run(rt: &Runtime, s: &ConvShape, x: &[f32], grad_y: &[f32]) -> Vec<f32> {
    if s.weight_len() == 0 || grad_y.is_empty() {
        return zeroed(s.weight_len());
    }
    let mut out = fresh(s.weight_len());
    let gradients = Gradients::pack(rt, s, grad_y);
    let source = Source::of_input(rt, s, x);
    let area = s.kernel * s.kernel;
    let inputs = (ROWS / area).clamp(1, s.inputs);
    let input_blocks = s.inputs.div_ceil(inputs);
    let output_blocks = s.outputs.div_ceil(COLUMNS);
    let mut tasks: Vec<Task<'_>> = (0..input_blocks * output_blocks)
        .map(|index| {
            let (input, output) = (index % input_blocks * inputs, index / input_blocks * COLUMNS);
            Task {
                inputs: input..(input + inputs).min(s.inputs),
                outputs: output..(output + COLUMNS).min(s.outputs),
                pieces: Vec::with_capacity(COLUMNS),
            }
        })
        .collect();
    for (output, filters) in out.chunks_exact_mut(s.inputs * area).enumerate() {
        for (block, piece) in filters.chunks_mut(inputs * area).enumerate() {
            tasks[output / COLUMNS * input_blocks + block].pieces.push(piece);
        }
    }
    spread::tasks(rt, s.operations(), tasks, |task| task.run(rt, s, &source, &gradients));
    out
}

/// The output gradients with the channels innermost: for each block of pixels `[panel][pixel][two vectors]`.
struct Gradients {
    values: Scratch,
    columns: usize,
}

impl Gradients {
    fn pack(rt: &Runtime, s: &ConvShape, grad_y: &[f32]) -> Self {
        let width = rt.instruction_set().channel_block();
        let columns = s.outputs.next_multiple_of(width / 2);
        let plane = s.out_height() * s.out_width();
        let pixels = s.batch * plane;
        let mut values = Scratch::new(pixels * columns);
        let mut rest = &mut *values;
        let mut tasks = Vec::new();
        for block in depth_blocks(pixels) {
            let (now, later) = rest.split_at_mut(block.len() * columns);
            tasks.push((block, now));
            rest = later;
        }
        spread::tasks(rt, 4 * pixels * columns, tasks, |(block, panels)| {
            for (index, panel) in panels.chunks_mut(block.len() * width).enumerate() {
                let lanes = panel.len() / block.len();
                for lane in 0..lanes {
                    let output = index * width + lane;
                    let column = panel.iter_mut().skip(lane).step_by(lanes);
                    if output >= s.outputs {
                        column.for_each(|out| *out = 0.0);
                        continue;
                    }
                    let values = block.clone().map(|q| grad_y[(q / plane * s.outputs + output) * plane + q % plane]);
                    column.zip(values).for_each(|(out, value)| *out = value);
                }
            }
        });
        Self { values, columns }
    }

    /// The panels of some pixels and of the channels from `first` (a multiple of a panel) to `end`.
    fn panels(&self, pixels: &Range<usize>, channels: Range<usize>) -> &[f32] {
        let block = &self.values[pixels.start * self.columns..pixels.end * self.columns];
        &block[channels.start * pixels.len()..channels.end * pixels.len()]
    }
}

struct Task<'a> {
    inputs: Range<usize>,
    outputs: Range<usize>,
    /// Filters of the inputs, for each output.
    pieces: Vec<&'a mut [f32]>,
}

impl Task<'_> {
    fn run(self, rt: &Runtime, s: &ConvShape, source: &Source<'_>, gradients: &Gradients) {
        let set = rt.instruction_set();
        let columns = self.outputs.len().next_multiple_of(set.channel_block() / 2);
        let offsets = source.offsets(self.inputs.clone(), s);
        let plane = s.out_height() * s.out_width();
        let mut products = Scratch::new(offsets.len() * columns);
        let mut gathered = Scratch::new(offsets.len() * DEPTH);
        for pixels in depth_blocks(s.batch * plane) {
            let runs = runs(s, source, pixels.clone());
            for (row, &offset) in gathered.chunks_exact_mut(DEPTH).zip(&offsets) {
                gather(source.values(), offset, &runs, row);
            }
            set.run(BlockProduct {
                a: &gathered,
                a_stride: DEPTH,
                rows: offsets.len(),
                depth: pixels.len(),
                panels: gradients.panels(&pixels, self.outputs.start..self.outputs.start + columns),
                panel_depth: pixels.len(),
                panel_first: 0,
                columns,
                out: &mut products,
                out_stride: columns,
                add: pixels.start > 0,
            });
        }
        for (column, piece) in self.pieces.into_iter().enumerate() {
            for (out, products) in piece.iter_mut().zip(products.chunks_exact(columns)) {
                *out = products[column];
            }
        }
    }
}

/// Pixels side by side: where the first lies in the source, and how many.
struct Run {
    position: usize,
    len: usize,
}

fn runs(s: &ConvShape, source: &Source<'_>, pixels: Range<usize>) -> Vec<Run> {
    let [height, width] = [s.out_height(), s.out_width()];
    let mut runs: Vec<Run> = Vec::new();
    let mut pixel = pixels.start;
    while pixel < pixels.end {
        let (sample, line, column) = (pixel / (height * width), pixel / width % height, pixel % width);
        let len = (width - column).min(pixels.end - pixel);
        let position = sample * source.sample_len() + source.at([line, column]);
        match runs.last_mut() {
            Some(last) if last.position + last.len == position => last.len += len,
            _ => runs.push(Run { position, len }),
        }
        pixel += len;
    }
    runs
}

fn gather(source: &[f32], offset: usize, runs: &[Run], mut row: &mut [f32]) {
    for run in runs {
        let (now, later) = row.split_at_mut(run.len);
        let from = &source[run.position + offset..][..run.len];
        // Short copies of a known length need no call.
        match run.len {
            4 => now[..4].copy_from_slice(&from[..4]),
            8 => now[..8].copy_from_slice(&from[..8]),
            16 => now[..16].copy_from_slice(&from[..16]),
            32 => now[..32].copy_from_slice(&from[..32]),
            _ => now.copy_from_slice(from),
        }
        row = later;
    }
}
