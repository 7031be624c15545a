//! 3x3 convolutions without a transform, as an implicit matrix product: for the smallest images, where weights
//! outweigh activations, and for sizes that tiles do not divide.

use super::buffer::NhwcBuffer;
use super::epilogue::{ChannelEpilogue, PreparedEpilogue};
use super::product::{Packed, divide_rows, with_rows};
use super::simd::tile::tile_product;
use super::simd::{AlignedBuffer, InstructionSet, Simd, Task, load_strided, store_strided};
use super::threads::Spread;

/// Output pixels that take the same taps.
struct Phase {
    /// Pixel of the padded input under each output pixel; a multiple of `rows`, the last ones repeated.
    positions: Vec<usize>,
    /// Row of the product for each position; the repeated ones share a row that nobody reads.
    outputs: Vec<usize>,
    /// Rows of a register tile.
    rows: usize,
    /// Offset in pixels of the padded input, and which of the nine taps.
    taps: Vec<(isize, usize)>,
}

/// Weights and pixel lists for one image size.
pub(super) struct Direct {
    set: InstructionSet,
    /// A matrix a tap.
    weights: Packed<9>,
    phases: Vec<Phase>,
    /// Rows and columns of the product.
    grid: [usize; 2],
    in_channels: usize,
    out_channels: usize,
}

impl Direct {
    /// `weight(out, in)`, the taps, is zero for padding channels; both channel counts are padded ones. With `up`, a transposed
    /// convolution of stride 2, whose product is `2 * size + 1` pixels a side.
    pub fn new(
        set: InstructionSet,
        [in_channels, out_channels]: [usize; 2],
        [height, width]: [usize; 2],
        up: bool,
        weight: impl Fn(usize, usize) -> [f32; 9] + Sync,
    ) -> Self {
        let weights = Packed::new(set, in_channels, out_channels, |c, k| weight(k, c));
        let row = (width + 2) as isize;
        let mut phases = Vec::new();
        let grid = if up { [2 * height + 1, 2 * width + 1] } else { [height, width] };
        let axis = |odd: bool| -> &[(isize, usize)] { if odd { &[(0, 1)] } else { &[(0, 0), (-1, 2)] } };
        if up {
            for (odd_y, odd_x) in [(false, false), (false, true), (true, false), (true, true)] {
                let taps = axis(odd_y)
                    .iter()
                    .flat_map(|&(dy, ky)| axis(odd_x).iter().map(move |&(dx, kx)| (dy * row + dx, 3 * ky + kx)));
                let pixels = (usize::from(odd_y)..grid[0])
                    .step_by(2)
                    .flat_map(|y| (usize::from(odd_x)..grid[1]).step_by(2).map(move |x| (y, x)))
                    .map(|(y, x)| ((y / 2 + 1) * (width + 2) + x / 2 + 1, y * grid[1] + x));
                phases.push(Phase::new(set, pixels.unzip(), taps.collect(), grid[0] * grid[1]));
            }
        } else {
            let taps = (0..9).map(|tap| ((tap as isize / 3 - 1) * row + tap as isize % 3 - 1, tap));
            let pixels = (0..height * width).map(|i| ((i / width + 1) * (width + 2) + i % width + 1, i));
            phases.push(Phase::new(set, pixels.unzip(), taps.collect(), height * width));
        }
        Self { set, weights, phases, grid, in_channels, out_channels }
    }

    /// The convolution of `x * style` into `products`, `[block of columns][pixel][column of the block]`.
    pub fn run(&self, x: &NhwcBuffer, style: &[f32], modulated: &mut AlignedBuffer, products: &mut AlignedBuffer) {
        modulated.set_len(x.data.len());
        let row_len = x.row_len();
        Spread::Pool.chunks(modulated, row_len, |y, out| {
            self.set.run(Modulate { x: &x.data[y * row_len..][..row_len], style, out });
        });
        let block = self.set.channel_block();
        products.set_len(self.out_channels.div_ceil(block) * self.block_len());
        let modulated = &**modulated;
        Spread::Pool.chunks(products, self.block_len(), |index, out| {
            for phase in &self.phases {
                phase.product(self, modulated, index * block, out);
            }
        });
    }

    /// Values of a block of columns: its pixels, and one that nobody reads.
    fn block_len(&self) -> usize {
        (self.grid[0] * self.grid[1] + 1) * self.set.channel_block()
    }

    /// The products as output rows with their border pixels, after the epilogue.
    pub fn finish(&self, products: &[f32], epilogue: &PreparedEpilogue<'_>, rows: &mut [f32]) {
        let row_len = (self.grid[1] + 2) * self.out_channels;
        Spread::Pool.chunks(rows, row_len, |y, out| {
            self.set.run(Finish { direct: self, products, epilogue, y, out });
        });
    }

    /// The products as rows for the filter: zeros around the grid, `row_pixels` pixels a row.
    pub fn scatter(&self, products: &[f32], row_pixels: usize, rows: &mut AlignedBuffer) {
        let row_len = row_pixels * self.out_channels;
        rows.set_len((self.grid[0] + 2) * row_len);
        let block = self.set.channel_block();
        Spread::Pool.chunks(rows, row_len, |y, out| {
            out.fill(0.0);
            if y == 0 || y > self.grid[0] {
                return;
            }
            for (x, pixel) in out.chunks_exact_mut(self.out_channels).skip(1).take(self.grid[1]).enumerate() {
                for (index, values) in pixel.chunks_mut(block).enumerate() {
                    let from = index * self.block_len() + ((y - 1) * self.grid[1] + x) * block;
                    values.copy_from_slice(&products[from..][..values.len()]);
                }
            }
        });
    }
}

impl Phase {
    fn new(
        set: InstructionSet,
        (mut positions, mut outputs): (Vec<usize>, Vec<usize>),
        taps: Vec<(isize, usize)>,
        unread: usize,
    ) -> Self {
        let (tiles, rows) = divide_rows(positions.len(), set.tile_rows());
        let last = positions.last().copied().unwrap_or_default();
        positions.resize(tiles * rows, last);
        outputs.resize(tiles * rows, unread);
        Self { positions, outputs, rows, taps }
    }

    /// This phase's pixels, for the block of output channels that begins at `column`.
    fn product(&self, direct: &Direct, x: &[f32], column: usize, out: &mut [f32]) {
        let depth = direct.in_channels;
        for (positions, outputs) in self.positions.chunks_exact(self.rows).zip(self.outputs.chunks_exact(self.rows)) {
            for (index, &(offset, tap)) in self.taps.iter().enumerate() {
                let weights = direct.weights.block(tap, column);
                let first = index == 0;
                direct.set.run(TapProduct { x, positions, outputs, offset, depth, weights, first, out });
            }
        }
    }
}

/// One row of `x * style`.
struct Modulate<'a> {
    x: &'a [f32],
    style: &'a [f32],
    out: &'a mut [f32],
}

impl Task for Modulate<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        let channels = self.style.len();
        for (x, out) in self.x.chunks_exact(channels).zip(self.out.chunks_exact_mut(channels)) {
            for c in (0..channels).step_by(S::LANES) {
                simd.store(simd.mul(simd.load(x, c), simd.load(self.style, c)), out, c);
            }
        }
    }
}

/// Adds one tap's part for the pixels of one register tile, in one block of output channels.
///
/// Tiles go to memory between the taps: a loop over taps around the one over channels makes the compiler spill them at
/// every channel instead.
struct TapProduct<'a> {
    x: &'a [f32],
    positions: &'a [usize],
    outputs: &'a [usize],
    offset: isize,
    depth: usize,
    weights: &'a [f32],
    first: bool,
    out: &'a mut [f32],
}

impl Task for TapProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(mut self, simd: S) {
        with_rows!(self.positions.len(), S::TILE_ROWS, N => {
            if self.weights.len() == self.depth * S::LANES {
                self.add::<S, N, 1>(simd);
            } else {
                self.add::<S, N, 2>(simd);
            }
        });
    }
}

impl TapProduct<'_> {
    #[inline(always)]
    fn add<S: Simd, const N: usize, const V: usize>(&mut self, simd: S) {
        let block = 2 * S::LANES;
        let mut rows = [0; N];
        for i in 0..N {
            rows[i] = self.positions[i].wrapping_add_signed(self.offset) * self.depth;
        }
        let tile: [[S::Vector; V]; N] = tile_product(simd, self.x, rows, self.weights, self.depth);
        for i in 0..N {
            let mut sums = tile[i];
            if !self.first {
                let before: [S::Vector; V] = load_strided(simd, self.out, self.outputs[i] * block, S::LANES);
                for j in 0..V {
                    sums[j] = simd.add(sums[j], before[j]);
                }
            }
            store_strided(simd, sums, self.out, self.outputs[i] * block, S::LANES);
        }
    }
}

struct Finish<'a> {
    direct: &'a Direct,
    products: &'a [f32],
    epilogue: &'a PreparedEpilogue<'a>,
    y: usize,
    out: &'a mut [f32],
}

impl Task for Finish<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        let (channels, width) = (self.direct.out_channels, self.direct.grid[1]);
        let block = 2 * S::LANES;
        let end = self.out.len() - channels;
        self.out[..channels].fill(0.0);
        self.out[end..].fill(0.0);
        for k in (0..channels).step_by(S::LANES) {
            let epilogue = ChannelEpilogue::new(simd, self.epilogue, k);
            let products = &self.products[k / block * self.direct.block_len() + k % block..];
            for x in 0..width {
                let pixel = self.y * width + x;
                let noise = self.epilogue.noise.map_or(0.0, |map| map[pixel]);
                let value = epilogue.apply(simd, simd.load(products, pixel * block), simd.splat(noise));
                simd.store(value, self.out, (x + 1) * channels + k);
            }
        }
    }
}
