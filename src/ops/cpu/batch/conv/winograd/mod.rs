//! 3x3 convolutions of stride 1 by Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray 2015, arXiv 1509.09308), forward and by
//! both gradients: a quarter of the multiplications.
//!
//! Tiles are transformed with vectors over channels, so that a frequency of all tiles is a matrix `[tiles, channels]`, ready for
//! a product. Forward, `Y = A^T [(G w G^T) * (B^T x B)] A`. The gradient by x is the same with the filter turned around; that by w
//! is the transposed map, `G^T [(A y A^T) * (B^T x B)] G`.

mod tiles;
mod weights;

use super::super::memory::fresh;
use super::super::scratch::Scratch;
use super::super::spread;
use super::ConvShape;
use super::product::{BlockProduct, OuterProduct, depth_blocks};
use crate::ops::cpu::Runtime;
use tiles::{Images, Read, Write};

/// Products a tile, one for each frequency.
const PLANES: usize = 36;
/// Pixels on a tile's side.
const TILE: usize = 4;
/// Tiles of a batch from which on transforming the weights pays.
const WORTHWHILE: usize = 64;
/// Channels come in whole vectors of every instruction set.
const CHANNELS: usize = 16;
/// From so many weights on, all threads share each frequency's weights; with fewer, each works through tiles of its own.
const SHARED_FROM: usize = 128 * 128;
/// Transformed values, before and after the product, of a thread's own tiles: they should stay in a cache of 1 MB.
const PRIVATE_VALUES: usize = 160 * 1024;
/// The same for shared tiles: a fraction of a last-level cache.
const SHARED_VALUES: usize = 2 * 1024 * 1024;
/// Planes a multiple of 4 KB apart would all compete for the same few cache sets.
const SKEW: usize = 16;

/// Whether this is the way for that shape.
pub(super) fn suits(s: &ConvShape) -> bool {
    [s.kernel, s.stride, s.padding] == [3, 1, 1]
        && [s.height, s.width].iter().all(|side| side.is_multiple_of(TILE))
        && [s.inputs, s.outputs].iter().all(|channels| channels.is_multiple_of(CHANNELS))
        && s.batch * (s.height / TILE) * (s.width / TILE) >= WORTHWHILE
        // Runs of pixels are whole vectors.
        && s.width.is_multiple_of(8)
        && s.inputs > 0
        && s.outputs > 0
}

/// The convolution itself.
pub(super) fn forward(rt: &Runtime, s: &ConvShape, x: &[f32], weight: &[f32]) -> Vec<f32> {
    convolve(rt, &Images::new(s, s.inputs, x), s.outputs, &weights::forward(rt, s, weight))
}

/// The gradient by `x`.
pub(super) fn input_gradient(rt: &Runtime, s: &ConvShape, grad_y: &[f32], weight: &[f32]) -> Vec<f32> {
    convolve(rt, &Images::new(s, s.outputs, grad_y), s.inputs, &weights::turned(rt, s, weight))
}

/// Values of one frequency of some tiles.
fn plane_len(tiles: usize, channels: usize) -> usize {
    tiles * channels + SKEW
}

/// `[N, outputs, H, W]` from images and transformed weights.
fn convolve(rt: &Runtime, x: &Images<'_>, outputs: usize, weights: &Scratch) -> Vec<f32> {
    let mut out = fresh(x.batch * outputs * x.height * x.width);
    let shared = x.channels * outputs >= SHARED_FROM;
    let values = if shared { SHARED_VALUES } else { PRIVATE_VALUES };
    let (rows, across) = (x.tile_rows(), x.width / TILE);
    let most = (values / (PLANES * (x.channels + outputs) * across)).max(1);
    let block = rows.div_ceil(rows.div_ceil(most));
    // The four lines of each tile row and channel of the result.
    let mut pieces: Vec<Vec<&mut [f32]>> =
        (0..rows.div_ceil(block)).map(|_| Vec::with_capacity(block * outputs)).collect();
    let per_image = x.height / TILE;
    let mut planes: Vec<_> =
        out.chunks_exact_mut(x.height * x.width).map(|plane| plane.chunks_exact_mut(TILE * x.width)).collect();
    for row in 0..rows {
        let image = row / per_image;
        let lines = planes[image * outputs..(image + 1) * outputs].iter_mut().filter_map(Iterator::next);
        pieces[row / block].extend(lines);
    }
    let work = 2 * PLANES * rows * across * x.channels * outputs;
    let blocks: Vec<_> = pieces.into_iter().enumerate().collect();
    if shared {
        for (index, pieces) in blocks {
            shared_block(rt, x, index * block, outputs, weights, pieces);
        }
    } else {
        spread::tasks(rt, work, blocks, |(index, pieces)| {
            private_block(rt, x, index * block, outputs, weights, pieces)
        });
    }
    out
}

/// Convolves the tile rows from `first` on, as many as there are pieces for, on the calling thread.
fn private_block(
    rt: &Runtime,
    x: &Images<'_>,
    first: usize,
    outputs: usize,
    weights: &Scratch,
    mut pieces: Vec<&mut [f32]>,
) {
    let across = x.width / TILE;
    let tiles = pieces.len() / outputs * across;
    let (x_plane, y_plane) = (plane_len(tiles, x.channels), plane_len(tiles, outputs));
    let mut activations = Scratch::new(PLANES * x_plane);
    let mut products = Scratch::new(PLANES * y_plane);
    for row in 0..tiles / across {
        x.read(rt, Read::Patches, first + row, &mut activations[row * across * x.channels..], x_plane);
    }
    for plane in 0..PLANES {
        let activations = &activations[plane * x_plane..][..tiles * x.channels];
        multiply(
            rt,
            activations,
            x.channels,
            weights,
            plane,
            &mut products[plane * y_plane..][..tiles * outputs],
            outputs,
        );
    }
    for (row, pieces) in pieces.chunks_exact_mut(outputs).enumerate() {
        let write = Write { products: &products[row * across * outputs..], plane_len: y_plane, channels: outputs };
        write.run(rt, x.width, pieces);
    }
}

/// [`private_block`] on all threads.
fn shared_block(
    rt: &Runtime,
    x: &Images<'_>,
    first: usize,
    outputs: usize,
    weights: &Scratch,
    mut pieces: Vec<&mut [f32]>,
) {
    let across = x.width / TILE;
    let rows = pieces.len() / outputs;
    let transformed = Transformed::new(rt, x, Read::Patches, first..first + rows);
    let y_plane = plane_len(rows * across, outputs);
    let mut products = Scratch::new(PLANES * y_plane);
    let work = 2 * PLANES * rows * across * x.channels * outputs;
    spread::chunks(rt, work, &mut products, y_plane, |plane, products| {
        for (index, activations) in transformed.blocks(plane) {
            let len = activations.len() / x.channels * outputs;
            multiply(
                rt,
                activations,
                x.channels,
                weights,
                plane,
                &mut products[index * transformed.rows * across * outputs..][..len],
                outputs,
            );
        }
    });
    let products = &*products;
    let tasks: Vec<_> = pieces.chunks_exact_mut(outputs).enumerate().collect();
    spread::tasks(rt, 64 * rows * across * outputs, tasks, |(row, pieces)| {
        let write = Write { products: &products[row * across * outputs..], plane_len: y_plane, channels: outputs };
        write.run(rt, x.width, pieces);
    });
}

/// One frequency: `[tiles, depth]` times the weights `[depth, columns]`.
fn multiply(rt: &Runtime, a: &[f32], depth: usize, weights: &Scratch, plane: usize, out: &mut [f32], columns: usize) {
    for block in depth_blocks(depth) {
        // Panels are whole, so a block of depth is cut out of each of them.
        let panels = &weights[plane * depth * columns..][..depth * columns];
        rt.instruction_set().run(BlockProduct {
            a: &a[block.start..],
            a_stride: depth,
            rows: out.len() / columns,
            depth: block.len(),
            panels,
            panel_depth: depth,
            panel_first: block.start,
            columns,
            out,
            out_stride: columns,
            add: block.start > 0,
        });
    }
}

/// Transformed tiles of some tile rows, made by all threads: `[block][plane][tile][channel]`.
struct Transformed {
    values: Scratch,
    channels: usize,
    across: usize,
    /// Tile rows of all, and of a block.
    count: usize,
    rows: usize,
}

/// Tiles that a task transforms, and that a product takes at once.
const TOGETHER: usize = 36;

impl Transformed {
    fn new(rt: &Runtime, images: &Images<'_>, read: Read, rows: std::ops::Range<usize>) -> Self {
        let (across, channels) = (images.width / TILE, images.channels);
        let count = rows.len();
        let block = (TOGETHER / across).clamp(1, count);
        let plane = plane_len(block * across, channels);
        let mut values = Scratch::new(count.div_ceil(block) * PLANES * plane);
        spread::chunks(rt, 64 * count * across * channels, &mut values, PLANES * plane, |index, out| {
            let first = rows.start + index * block;
            for row in first..(first + block).min(rows.end) {
                images.read(rt, read, row, &mut out[(row - first) * across * channels..], plane);
            }
        });
        Self { values, channels, across, count, rows: block }
    }

    /// The tiles of one frequency, block by block.
    fn blocks(&self, plane: usize) -> impl Iterator<Item = (usize, &[f32])> {
        let len = plane_len(self.rows * self.across, self.channels);
        self.values.chunks_exact(PLANES * len).enumerate().map(move |(index, block)| {
            let rows = self.rows.min(self.count - index * self.rows);
            (index, &block[plane * len..][..rows * self.across * self.channels])
        })
    }
}

/// The gradient by the weight, `[O, I, 3, 3]`.
pub(super) fn weight_gradient(rt: &Runtime, s: &ConvShape, x: &[f32], grad_y: &[f32]) -> Vec<f32> {
    let (images, gradients) = (Images::new(s, s.inputs, x), Images::new(s, s.outputs, grad_y));
    let (rows, across) = (images.tile_rows(), s.width / TILE);
    let most = (SHARED_VALUES / (PLANES * (s.inputs + s.outputs) * across)).max(1);
    let block = rows.div_ceil(rows.div_ceil(most));
    let plane = s.inputs * s.outputs + SKEW;
    let mut products = Scratch::new(PLANES * plane);
    for first in (0..rows).step_by(block) {
        let rows = first..(first + block).min(rows);
        let work = 2 * PLANES * rows.len() * across * s.inputs * s.outputs;
        let x = Transformed::new(rt, &images, Read::Patches, rows.clone());
        let y = Transformed::new(rt, &gradients, Read::Gradients, rows);
        spread::chunks(rt, work, &mut products, plane, |plane, out| {
            for ((index, x), (_, y)) in x.blocks(plane).zip(y.blocks(plane)) {
                rt.instruction_set().run(OuterProduct {
                    operands: [x, y],
                    first: [0, 0],
                    counts: [1, 1, x.len() / s.inputs],
                    steps: [[0, 0], [0, 0], [s.inputs, s.outputs]],
                    rows: s.inputs,
                    columns: s.outputs,
                    out,
                    add: first + index > 0,
                });
            }
        });
    }
    weights::gradient(rt, s, &products, plane)
}
