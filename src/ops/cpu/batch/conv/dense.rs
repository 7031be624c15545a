//! Gradients of fully connected layers: plain matrix products.

use std::ops::Range;

use super::super::memory::fresh;
use super::super::scratch::Scratch;
use super::super::spread;
use super::ConvShape;
use super::product::{BlockProduct, depth_blocks};
use crate::ops::cpu::{InstructionSet, Runtime};

/// Columns of a task.
const COLUMNS: usize = 64;

/// `[N, I]`: `grad_y` `[N, O]` times `weight` `[O, I]`.
pub(super) fn input_gradient(rt: &Runtime, s: &ConvShape, grad_y: &[f32], weight: &[f32]) -> Vec<f32> {
    let set = rt.instruction_set();
    let mut out = fresh(s.x_len());
    let mut tasks: Vec<(usize, Vec<&mut [f32]>)> =
        (0..s.inputs).step_by(COLUMNS).map(|first| (first, Vec::with_capacity(s.batch))).collect();
    for row in out.chunks_exact_mut(s.inputs) {
        for (task, piece) in tasks.iter_mut().zip(row.chunks_mut(COLUMNS)) {
            task.1.push(piece);
        }
    }
    spread::tasks(rt, s.operations(), tasks, |(first, pieces)| {
        let range = first..(first + COLUMNS).min(s.inputs);
        let columns = range.len().next_multiple_of(set.channel_block() / 2);
        let mut products = Scratch::new(s.batch * columns);
        let mut panels = Scratch::new(super::product::DEPTH.min(s.outputs) * columns);
        for block in depth_blocks(s.outputs) {
            let packed = &mut panels[..block.len() * columns];
            pack(set, &weight[block.start * s.inputs..], s.inputs, range.clone(), block.len(), packed);
            set.run(BlockProduct {
                a: &grad_y[block.start..],
                a_stride: s.outputs,
                rows: s.batch,
                depth: block.len(),
                panels: packed,
                panel_depth: block.len(),
                panel_first: 0,
                columns,
                out: &mut products,
                out_stride: columns,
                add: block.start > 0,
            });
        }
        for (piece, products) in pieces.into_iter().zip(products.chunks_exact(columns)) {
            piece.copy_from_slice(&products[..piece.len()]);
        }
    });
    out
}

/// `[O, I]`: the transposed `grad_y` `[N, O]` times `x` `[N, I]`.
pub(super) fn weight_gradient(rt: &Runtime, s: &ConvShape, x: &[f32], grad_y: &[f32]) -> Vec<f32> {
    // As many outputs as make a task of some 100 microseconds at most.
    const ROWS: usize = 24;
    let set = rt.instruction_set();
    let columns = s.inputs.next_multiple_of(set.channel_block() / 2);
    let mut out = fresh(s.weight_len());
    if out.is_empty() {
        return out;
    }
    let mut panels = Scratch::new(s.batch * columns);
    for block in depth_blocks(s.batch) {
        let packed = &mut panels[block.start * columns..block.end * columns];
        pack(set, &x[block.start * s.inputs..], s.inputs, 0..s.inputs, block.len(), packed);
    }
    let mut transposed = Scratch::new(s.outputs * s.batch);
    for (n, row) in grad_y.chunks_exact(s.outputs).enumerate() {
        for (o, &value) in row.iter().enumerate() {
            transposed[o * s.batch + n] = value;
        }
    }
    let (panels, transposed) = (&*panels, &*transposed);
    spread::chunks(rt, s.operations(), &mut out, ROWS * s.inputs, |index, out| {
        let rows = out.len() / s.inputs;
        let mut products = Scratch::new(rows * columns);
        for block in depth_blocks(s.batch) {
            set.run(BlockProduct {
                a: &transposed[index * ROWS * s.batch + block.start..],
                a_stride: s.batch,
                rows,
                depth: block.len(),
                panels: &panels[block.start * columns..block.end * columns],
                panel_depth: block.len(),
                panel_first: 0,
                columns,
                out: &mut products,
                out_stride: columns,
                add: block.start > 0,
            });
        }
        for (out, products) in out.chunks_exact_mut(s.inputs).zip(products.chunks_exact(columns)) {
            out.copy_from_slice(&products[..s.inputs]);
        }
    });
    out
}

/// The columns `range` of `depth` rows that are `stride` apart, as panels.
fn pack(set: InstructionSet, rows: &[f32], stride: usize, range: Range<usize>, depth: usize, panels: &mut [f32]) {
    let width = set.channel_block();
    let mut column = range.start;
    for panel in panels.chunks_mut(depth * width) {
        let take = (panel.len() / depth).min(range.end - column);
        for (d, out) in panel.chunks_exact_mut(panel.len() / depth).enumerate() {
            out[..take].copy_from_slice(&rows[d * stride + column..][..take]);
            out[take..].fill(0.0);
        }
        column += take;
    }
}
