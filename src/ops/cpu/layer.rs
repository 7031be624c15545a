//! A 3x3 convolution layer from its input to the end of its activation: StyleGAN2's modulated one (section 2.2), and StyleGAN's.

use std::ops::Range;

use super::buffer::{NhwcBuffer, padded};
use super::direct::Direct;
use super::epilogue::{Epilogue, PreparedEpilogue, demodulation};
use super::filter::{FilterRow, Taps, UpFilter};
use super::simd::{AlignedBuffer, InstructionSet};
use super::threads::{Spread, Threads};
use super::upsample::{self, Edges, UpWinograd};
use super::winograd::{self, Inputs, Winograd};
use super::workspace::{PrivateScratch, Scratch, Workspace};

/// A 3x3 convolution's weights, arranged for one image size and instruction set.
pub struct LayerKernel {
    set: InstructionSet,
    size: [usize; 2],
    in_channels: usize,
    out_channels: usize,
    taps: Option<Taps>,
    /// `[padded in, padded out]`: squares of the weights, summed over the taps.
    squares: AlignedBuffer,
    algorithm: Algorithm,
}

enum Algorithm {
    Direct(Direct),
    Winograd(Winograd),
    UpWinograd(UpWinograd),
}

// Below it, the four times larger transformed weights cost more than the multiplications that they save.
const WINOGRAD_FROM: usize = 16;
// The same for up-convolutions, by the size of their input.
const UP_WINOGRAD_FROM: usize = 32;
// From so many weights on, all threads share a block of tiles, so that each weight is read once for many tiles.
const SHARED_FROM: usize = 256 * 256;
const SHARED_TILES: usize = 256;
const SHARED_UP_TILES: usize = 144;
// Transformed activations and products of a private block: they should stay in a core's own cache of 1 MB.
const PRIVATE_VALUES: usize = 160 * 1024;

impl LayerKernel {
    /// Arranges `weight`, `[out_channels, in_channels, 3, 3]` and as stored for a plain (cross-correlating) convolution,
    /// for inputs of `size` `[height, width]`. With `up_filter`, the layer is a transposed convolution of stride 2, then
    /// that separable filter with gain 4, and its output is twice as large.
    ///
    /// # Panics
    /// If the length of `weight` is not the product of its shape, or a size is zero.
    pub fn new(
        set: InstructionSet,
        weight: &[f32],
        [out_channels, in_channels]: [usize; 2],
        size: [usize; 2],
        up_filter: Option<UpFilter>,
    ) -> Self {
        assert_eq!(weight.len(), out_channels * in_channels * 9, "weight is not [{out_channels}, {in_channels}, 3, 3]");
        assert!(!weight.is_empty() && size[0] > 0 && size[1] > 0, "a layer without weights or pixels");
        let (inputs, outputs) = (padded(in_channels), padded(out_channels));
        let mut squares = AlignedBuffer::zeroed(inputs * outputs);
        for (k, filters) in weight.chunks_exact(9 * in_channels).enumerate() {
            for (c, filter) in filters.chunks_exact(9).enumerate() {
                squares[c * outputs + k] = filter.iter().map(|tap| tap * tap).sum();
            }
        }
        let value = |k: usize, c: usize| {
            let inside = k < out_channels && c < in_channels;
            let first = (k * in_channels + c) * 9;
            if inside { std::array::from_fn(|tap| weight[first + tap]) } else { [0.0; 9] }
        };
        let smallest = size[0].min(size[1]);
        let tiled = size.iter().all(|side| side % winograd::TILE == 0);
        let algorithm = match up_filter {
            None if tiled && smallest >= WINOGRAD_FROM => {
                Algorithm::Winograd(Winograd::new(set, inputs, outputs, value))
            }
            Some(_) if tiled && smallest >= UP_WINOGRAD_FROM => {
                Algorithm::UpWinograd(UpWinograd::new(set, inputs, outputs, value))
            }
            up => Algorithm::Direct(Direct::new(set, [inputs, outputs], size, up.is_some(), value)),
        };
        Self { set, size, in_channels, out_channels, taps: up_filter.map(Taps::new), squares, algorithm }
    }

    /// `[height, width]` of the output.
    pub fn output_size(&self) -> [usize; 2] {
        let factor = if self.taps.is_some() { 2 } else { 1 };
        self.size.map(|side| factor * side)
    }

    /// Output channels.
    pub fn out_channels(&self) -> usize {
        self.out_channels
    }

    /// The layer's output for one sample; `style` scales the input channels (1 of each for a plain convolution).
    ///
    /// # Panics
    /// If `input`, `style` or a part of `epilogue` does not fit the layer.
    pub fn run(
        &self,
        input: &NhwcBuffer,
        style: &[f32],
        epilogue: &Epilogue<'_>,
        workspace: &mut Workspace,
        threads: &Threads,
    ) -> NhwcBuffer {
        let [height, width] = self.output_size();
        assert_eq!(input.shape(), [self.in_channels, self.size[0], self.size[1]], "input of another shape");
        assert_eq!(style.len(), self.in_channels, "one style value an input channel");
        assert_eq!(epilogue.bias.len(), self.out_channels, "one bias an output channel");
        assert!(epilogue.noise.is_none_or(|(map, _)| map.len() == height * width), "noise of another size");

        let pool = threads.current();
        let Workspace {
            shared, private, style: modulation, demodulation: coefficients, epilogue: memory, edges, ..
        } = workspace;
        private.prepare(pool.current_num_threads());
        modulation.set_len(padded(self.in_channels));
        modulation.fill(0.0);
        modulation[..style.len()].copy_from_slice(style);
        let coefficients = epilogue.demodulate.then(|| {
            coefficients.set_len(padded(self.out_channels));
            demodulation(self.set, &self.squares, modulation, coefficients);
            &**coefficients
        });
        let epilogue = PreparedEpilogue::new(epilogue, self.out_channels, coefficients, memory);

        let mut output = NhwcBuffer::uninitialized(height, width, self.out_channels);
        let row_len = output.row_len();
        let rows = output.rows_mut();
        pool.install(|| match (&self.algorithm, self.taps) {
            (Algorithm::Winograd(winograd), _) => {
                let inputs = Inputs { x: input, style: modulation, epilogue };
                self.run_winograd(winograd, &inputs, shared, private, rows);
            }
            (Algorithm::UpWinograd(up), Some(taps)) => {
                let run = UpRun {
                    up,
                    x: input,
                    style: modulation,
                    edges: up.edges(input, modulation, edges),
                    filter: Filter { set: self.set, taps, epilogue, row_len, height },
                };
                self.run_up(&run, shared, private, rows);
            }
            (Algorithm::Direct(direct), taps) => {
                direct.run(input, modulation, &mut shared.activations, &mut shared.products);
                if let Some(taps) = taps {
                    let row_pixels = width + 3;
                    direct.scatter(&shared.products, row_pixels, &mut shared.rows);
                    let filter = Filter { set: self.set, taps, epilogue, row_len, height };
                    filter.rows(Spread::Pool, &shared.rows, row_pixels * padded(self.out_channels), 0, rows);
                } else {
                    direct.finish(&shared.products, &epilogue, rows);
                }
            }
            (Algorithm::UpWinograd(_), None) => unreachable!("an up-convolution is made with its filter"),
        });
        output
    }

    fn shares_blocks(&self) -> bool {
        self.squares.len() >= SHARED_FROM
    }

    fn run_winograd(
        &self,
        winograd: &Winograd,
        inputs: &Inputs<'_>,
        shared: &mut Scratch,
        private: &PrivateScratch,
        rows: &mut [f32],
    ) {
        let across = self.size[1] / winograd::TILE;
        let tile_row_len = winograd::TILE * (self.size[1] + 2) * padded(self.out_channels);
        if self.shares_blocks() {
            let block = (SHARED_TILES / across).max(1);
            for (index, rows) in rows.chunks_mut(block * tile_row_len).enumerate() {
                let (first, count) = (index * block, rows.len() / tile_row_len);
                winograd.run_block(Spread::Pool, inputs, first * across..(first + count) * across, shared, rows, first);
            }
            return;
        }
        let tiles = private_tiles(winograd.values_per_tile(), self.set);
        let block = (tiles / across).max(1);
        Spread::Pool.chunks(rows, block * tile_row_len, |index, rows| {
            let mut scratch = private.mine();
            let first_row = index * block;
            let end = (first_row + rows.len() / tile_row_len) * across;
            for first in (first_row * across..end).step_by(tiles) {
                let tiles = first..(first + tiles).min(end);
                winograd.run_block(Spread::Here, inputs, tiles, &mut scratch, rows, first_row);
            }
        });
    }

    fn run_up(&self, run: &UpRun<'_>, shared: &mut Scratch, private: &PrivateScratch, rows: &mut [f32]) {
        let (tile_rows, across) = (self.size[0] / upsample::TILE, self.size[1] / upsample::TILE);
        if self.shares_blocks() {
            let block = (SHARED_UP_TILES / across).max(1);
            let mut rest = rows;
            for first in (0..tile_rows).step_by(block) {
                let end = (first + block).min(tile_rows);
                let (now, later) = rest.split_at_mut(run.values_of(first, end));
                run.step(Spread::Pool, first, end, usize::MAX, shared, now);
                rest = later;
            }
            run.last_rows(Spread::Pool, shared, rest);
            return;
        }
        let tiles = private_tiles(run.up.values_per_tile(), self.set);
        // Each piece starts with a tile row that only warms up the filter, so pieces are few: four a thread, or 4 tile rows.
        let block = tile_rows.div_ceil(4 * rayon::current_num_threads()).max(4);
        let piece = |first: usize, mut rest: &mut [f32]| {
            let mut scratch = private.mine();
            let end = (first + block).min(tile_rows);
            if first > 0 {
                run.step(Spread::Here, first - 1, first, tiles, &mut scratch, &mut []);
            }
            for tile_row in first..end {
                let (now, later) = rest.split_at_mut(run.values_of(tile_row, tile_row + 1));
                run.step(Spread::Here, tile_row, tile_row + 1, tiles, &mut scratch, now);
                rest = later;
            }
            if end == tile_rows {
                run.last_rows(Spread::Here, &mut scratch, rest);
            }
        };
        run.pieces(0..tile_rows.div_ceil(block), block, rows, &piece);
    }
}

/// Tiles of a private block: as many as the cache holds, in whole register tiles.
fn private_tiles(values_per_tile: usize, set: InstructionSet) -> usize {
    let rows = set.tile_rows();
    ((PRIVATE_VALUES / values_per_tile) / rows * rows).clamp(2 * rows, 96)
}

/// The filter pass of an up-convolution.
struct Filter<'a> {
    set: InstructionSet,
    taps: Taps,
    epilogue: PreparedEpilogue<'a>,
    /// Values of an output row.
    row_len: usize,
    /// Output rows.
    height: usize,
}

impl Filter<'_> {
    /// Output rows `first_row..` from rows of the transposed convolution of `from_len` values each, of which the first
    /// lies one above the first output row.
    fn rows(&self, spread: Spread, from: &[f32], from_len: usize, first_row: usize, rows: &mut [f32]) {
        spread.chunks(rows, self.row_len, |index, out| {
            self.set.run(FilterRow {
                rows: std::array::from_fn(|i| &from[(index + i) * from_len..][..from_len]),
                taps: self.taps,
                epilogue: &self.epilogue,
                y: first_row + index,
                height: self.height,
                channels: self.epilogue.scale.len(),
                out,
            });
        });
    }
}

/// One run of an up-convolution by tiles.
struct UpRun<'a> {
    up: &'a UpWinograd,
    x: &'a NhwcBuffer,
    style: &'a [f32],
    edges: Edges<'a>,
    filter: Filter<'a>,
}

/// Rows of the transposed convolution that the next tile row's outputs need again.
const CARRIED: usize = 3;

impl UpRun<'_> {
    /// Values of the output rows that tile rows `first..end` complete: `8 first - 2 .. 8 end - 2`, none of them negative.
    fn values_of(&self, first: usize, end: usize) -> usize {
        let row = |tile_row: usize| (2 * upsample::TILE * tile_row).saturating_sub(2);
        (row(end) - row(first)) * self.filter.row_len
    }

    /// Values of a row of the transposed convolution.
    fn row_under(&self) -> usize {
        upsample::row_pixels(self.x.width) * self.filter.epilogue.scale.len()
    }

    /// Calls `piece(first tile row, output rows)` for each of `pieces` of `block` tile rows, of which `rows` are the output.
    /// The last one also gets the rows that come after the tiles.
    fn pieces(
        &self,
        pieces: Range<usize>,
        block: usize,
        rows: &mut [f32],
        piece: &(impl Fn(usize, &mut [f32]) + Sync),
    ) {
        if pieces.len() == 1 {
            piece(pieces.start * block, rows);
            return;
        }
        let middle = pieces.start + pieces.len() / 2;
        let (above, below) = rows.split_at_mut(self.values_of(pieces.start * block, middle * block));
        rayon::join(
            || self.pieces(pieces.start..middle, block, above, piece),
            || self.pieces(middle..pieces.end, block, below, piece),
        );
    }

    /// Tile rows `first..end` in products of at most `tiles` tiles, then the output rows that they complete (or none, when
    /// `out` is empty). Rows carried over from the tile row before lie in `scratch.rows`.
    fn step(&self, spread: Spread, first: usize, end: usize, tiles: usize, scratch: &mut Scratch, out: &mut [f32]) {
        let Scratch { activations, products, rows } = scratch;
        let from_len = self.row_under();
        let carried = CARRIED * from_len;
        let height = 2 * upsample::TILE * (end - first);
        // Grown rather than set: a shorter last step must not lose the rows that the longer one before it carried.
        if rows.len() < carried + height * from_len {
            rows.set_len(carried + height * from_len);
        }
        if first == 0 {
            rows[..carried].fill(0.0);
        }
        let across = self.x.width / upsample::TILE;
        let mut tile = first * across;
        while tile < end * across {
            let range = tile..tile.saturating_add(tiles).min(end * across);
            tile = range.end;
            let rows = &mut rows[carried..][..height * from_len];
            self.up.run_block(spread, self.x, self.style, &self.edges, range, activations, products, rows, first);
        }
        // The first tile row's outputs begin two rows above the image.
        let skipped = if first == 0 { 2 } else { 0 };
        let first_row = 2 * upsample::TILE * first + skipped - 2;
        self.filter.rows(spread, &rows[skipped * from_len..], from_len, first_row, out);
        rows.copy_within(height * from_len..(height + CARRIED) * from_len, 0);
    }

    /// The two output rows behind all tiles: under them lie the carried rows, the last row, and zeros.
    fn last_rows(&self, spread: Spread, scratch: &mut Scratch, out: &mut [f32]) {
        let from_len = self.row_under();
        let under = &mut scratch.rows[..(CARRIED + 2) * from_len];
        under[CARRIED * from_len..][..from_len].copy_from_slice(self.edges.row);
        under[(CARRIED + 1) * from_len..].fill(0.0);
        self.filter.rows(spread, under, from_len, 2 * self.x.height - 2, out);
    }
}
