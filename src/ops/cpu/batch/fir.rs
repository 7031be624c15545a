//! Upsample, filter, downsample: the resampling primitive of StyleGAN2 (arXiv 1912.04958, appendix B), for filters
//! that are separable.

use super::memory::fresh;
use super::scratch::Scratch;
use super::spread;
use crate::ops::cpu::Runtime;
use crate::ops::cpu::simd::{Simd, Task};

/// What [`upfirdn2d`] does along both axes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fir<'a> {
    /// 1 to 32 taps.
    pub taps: &'a [f32],
    /// Every pixel becomes one pixel and `up - 1` zeros.
    pub up: usize,
    /// Every `down`-th pixel stays.
    pub down: usize,
    /// Zeros to add at the left, right, top and bottom of the zero-inserted image; negative values crop.
    pub pad: [isize; 4],
    /// Correlate instead of the true convolution, which flips the filter.
    pub flip: bool,
    /// Factor on the result.
    pub gain: f32,
}

impl Fir<'_> {
    /// Height and width of the result for images of `size`, `(side * up + padding - taps) / down + 1`.
    ///
    /// # Panics
    /// If the padded image is smaller than the filter.
    pub fn out_size(&self, size: [usize; 2]) -> [usize; 2] {
        let [left, right, top, bottom] = self.pad;
        [(size[0], top + bottom), (size[1], left + right)].map(|(side, pad)| {
            assert!(self.up > 0 && self.down > 0, "up and down are positive");
            let padded = (side * self.up).saturating_add_signed(pad);
            assert!(!self.taps.is_empty() && padded >= self.taps.len(), "{size:?} is too small for {self:?}");
            (padded - self.taps.len()) / self.down + 1
        })
    }
}

/// Resamples `planes` images of `size` `[H, W]`: insert zeros, pad, convolve with the taps along both axes, decimate.
///
/// # Panics
/// If `x` has another length, or the padded image is smaller than the filter.
pub fn upfirdn2d(rt: &Runtime, planes: usize, size: [usize; 2], x: &[f32], fir: &Fir<'_>) -> Vec<f32> {
    assert_eq!(x.len(), planes * size[0] * size[1], "x is not {planes} planes of {size:?}");
    let out_size = fir.out_size(size);
    let rows = Line::new(fir, out_size[1], fir.pad[0], 1.0);
    let columns = Line::new(fir, out_size[0], fir.pad[2], fir.gain);
    let (plane, out_plane) = (size[0] * size[1], out_size[0] * out_size[1]);
    let mut out = fresh(planes * out_plane);
    let together = (1 << 14) / out_plane.max(plane).max(1) + 1;
    let work = out.len().max(x.len()) * 2 * fir.taps.len();
    spread::chunks(rt, work, &mut out, together * out_plane, |index, out| {
        let x = &x[index * together * plane..];
        rt.instruction_set().run(Planes { x, size, out_size, rows: &rows, columns: &columns, out });
    });
    out
}

/// How the values of one axis come about: result `phase + up * m` is the sum over the phase's taps of
/// `tap * source[start + down * m]`.
struct Line {
    up: usize,
    down: usize,
    len: usize,
    /// Lowest and highest source index of any result; may lie outside of the image.
    span: [isize; 2],
    /// Tap and start, for each phase.
    phases: Vec<Vec<(f32, isize)>>,
}

impl Line {
    fn new(fir: &Fir<'_>, len: usize, before: isize, gain: f32) -> Self {
        let (up, down) = (fir.up as isize, fir.down as isize);
        let count = fir.taps.len();
        let mut span = [isize::MAX, isize::MIN];
        let mut phases = Vec::with_capacity(fir.up);
        for phase in 0..fir.up.min(len) as isize {
            let last = (len as isize - 1 - phase) / up;
            let mut taps = Vec::with_capacity(count.div_ceil(fir.up));
            for t in 0..count {
                let at = phase * down + t as isize - before;
                if at.rem_euclid(up) == 0 {
                    let start = at.div_euclid(up);
                    taps.push((gain * fir.taps[if fir.flip { t } else { count - 1 - t }], start));
                    span = [span[0].min(start), span[1].max(start + down * last)];
                }
            }
            phases.push(taps);
        }
        if span[0] > span[1] {
            span = [0, 0];
        }
        Self { up: fir.up, down: fir.down, len, span, phases }
    }

    /// How many source values any result reads, from the first to the last.
    fn sources(&self) -> usize {
        (self.span[1] - self.span[0]) as usize + 1
    }

    /// Results of a phase.
    fn results(&self, phase: usize) -> usize {
        (self.len - phase).div_ceil(self.up)
    }
}

struct Planes<'a> {
    x: &'a [f32],
    size: [usize; 2],
    out_size: [usize; 2],
    rows: &'a Line,
    columns: &'a Line,
    out: &'a mut [f32],
}

impl Task for Planes<'_> {
    type Output = ();

    // Each pass is one loop over all rows of a plane at once, across the zeros between them: rows alone are too short for that.
    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        let Self { x, size: [height, width], out_size, rows, columns, out } = self;
        // A phase without taps may have more results than there are sources.
        let stride = rows.sources().max(rows.down * rows.results(0)).next_multiple_of(rows.down);
        let mut padded = Scratch::new(columns.sources() * stride);
        padded.fill(0.0);
        let most = columns.results(0) * stride;
        let mut filtered = Scratch::new(most + stride);
        let mut parts = Scratch::new(if rows.down > 1 { most + stride } else { 0 });
        let mut sums = Scratch::new(rows.up * (most / rows.down));
        for (x, out) in x.chunks_exact(height * width).zip(out.chunks_exact_mut(out_size[0] * out_size[1])) {
            inside(simd, x, [height, width], [columns.span[0], rows.span[0]], stride, &mut padded);
            for (phase, taps) in columns.phases.iter().enumerate() {
                let count = columns.results(phase);
                filter_columns(columns, taps, &padded, stride, &mut filtered[..count * stride]);
                filter_rows(rows, &filtered, count * stride, &mut parts, &mut sums);
                let lines = out.chunks_exact_mut(out_size[1]).skip(phase).step_by(columns.up);
                let (row, len) = (stride / rows.down, count * stride / rows.down);
                for (index, out) in lines.enumerate() {
                    interleave(simd, rows, &sums[index * row..], len, out);
                }
            }
        }
    }
}

/// Copies the image into its place among zeros that begin at source row and column `first`; negative ones lie outside.
#[inline(always)]
fn inside<S: Simd>(
    simd: S,
    x: &[f32],
    [height, width]: [usize; 2],
    first: [isize; 2],
    stride: usize,
    padded: &mut [f32],
) {
    let lines = padded.len() / stride;
    let [top, left] = first.map(|first| first.min(0).unsigned_abs());
    let [above, before] = first.map(|first| first.max(0).unsigned_abs());
    if above >= height || before >= width || top >= lines || left >= stride {
        return;
    }
    let (count, len) = ((height - above).min(lines - top), (width - before).min(stride - left));
    for (x, line) in x.chunks_exact(width).skip(above).zip(padded.chunks_exact_mut(stride).skip(top)).take(count) {
        copy(simd, &x[before..][..len], &mut line[left..][..len]);
    }
}

/// `copy_from_slice` of short slices without a call.
#[inline(always)]
fn copy<S: Simd>(simd: S, from: &[f32], to: &mut [f32]) {
    let len = from.len();
    if len < S::LANES {
        to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        return;
    }
    let mut at = 0;
    while at + S::LANES <= len {
        simd.store(simd.load(from, at), to, at);
        at += S::LANES;
    }
    // The last vector may overlap the one before.
    simd.store(simd.load(from, len - S::LANES), to, len - S::LANES);
}

/// The results of one phase of the vertical pass, one under another.
#[inline(always)]
fn filter_columns(columns: &Line, taps: &[(f32, isize)], padded: &[f32], stride: usize, out: &mut [f32]) {
    let source = |start: isize| (start - columns.span[0]) as usize;
    if columns.down == 1 {
        let len = out.len();
        weigh(taps.iter().map(|&(tap, start)| (tap, &padded[source(start) * stride..][..len])), out);
        return;
    }
    for (m, out) in out.chunks_exact_mut(stride).enumerate() {
        let row = |start: isize| &padded[(source(start) + columns.down * m) * stride..][..stride];
        weigh(taps.iter().map(|&(tap, start)| (tap, row(start))), out);
    }
}

/// All phases of the horizontal pass, one after another in `sums`, over the first `len` values. What comes out between the rows is
/// of no meaning.
#[inline(always)]
fn filter_rows(rows: &Line, filtered: &[f32], len: usize, parts: &mut [f32], sums: &mut [f32]) {
    let (down, count) = (rows.down, len / rows.down);
    // Neighbours of a strided filter lie side by side in its parts.
    let part = filtered.len() / down;
    match down {
        1 => {}
        2 => {
            let (even, odd) = parts[..2 * part].split_at_mut(part);
            for ((even, odd), pair) in even.iter_mut().zip(odd).zip(filtered.chunks_exact(2)) {
                (*even, *odd) = (pair[0], pair[1]);
            }
        }
        _ => {
            for (offset, part) in parts[..down * part].chunks_exact_mut(part).enumerate() {
                part.iter_mut().zip(filtered[offset..].iter().step_by(down)).for_each(|(out, &x)| *out = x);
            }
        }
    }
    let values = if down == 1 { filtered } else { &*parts };
    for (taps, sums) in rows.phases.iter().zip(sums.chunks_exact_mut(count)) {
        let source = |start: isize| {
            let at = (start - rows.span[0]) as usize;
            &values[at % down * part + at / down..][..count]
        };
        weigh(taps.iter().map(|&(tap, start)| (tap, source(start))), sums);
    }
}

/// A row of the result from its phases, which lie `len` apart.
#[inline(always)]
fn interleave<S: Simd>(simd: S, rows: &Line, sums: &[f32], len: usize, out: &mut [f32]) {
    match rows.phases.len() {
        1 => copy(simd, &sums[..out.len()], out),
        2 => {
            let (even, odd) = (&sums[..out.len().div_ceil(2)], &sums[len..][..out.len() / 2]);
            for (pair, (even, odd)) in out.chunks_exact_mut(2).zip(even.iter().zip(odd)) {
                (pair[0], pair[1]) = (*even, *odd);
            }
            if out.len() % 2 == 1 {
                out[out.len() - 1] = even[out.len() / 2];
            }
        }
        phases => {
            for phase in 0..phases {
                let values = &sums[phase * len..];
                out[phase..].iter_mut().step_by(rows.up).zip(values).for_each(|(out, sum)| *out = *sum);
            }
        }
    }
}

/// `out` becomes the weighted sum of rows, up to four at a time.
#[inline(always)]
fn weigh<'a>(mut rows: impl Iterator<Item = (f32, &'a [f32])>, out: &mut [f32]) {
    let mut first = true;
    loop {
        match (rows.next(), rows.next(), rows.next(), rows.next()) {
            (None, ..) => break,
            (Some((t0, a)), None, ..) => {
                for (out, a) in out.iter_mut().zip(a) {
                    *out = (if first { 0.0 } else { *out }) + t0 * a;
                }
            }
            (Some((t0, a)), Some((t1, b)), None, _) => {
                for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
                    *out = (if first { 0.0 } else { *out }) + (t0 * a + t1 * b);
                }
            }
            (Some((t0, a)), Some((t1, b)), Some((t2, c)), None) => {
                for (((out, a), b), c) in out.iter_mut().zip(a).zip(b).zip(c) {
                    *out = (if first { 0.0 } else { *out }) + (t0 * a + t1 * b + t2 * c);
                }
            }
            (Some((t0, a)), Some((t1, b)), Some((t2, c)), Some((t3, d))) => {
                for ((((out, a), b), c), d) in out.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                    *out = (if first { 0.0 } else { *out }) + ((t0 * a + t1 * b) + (t2 * c + t3 * d));
                }
            }
        }
        first = false;
    }
    if first {
        out.fill(0.0);
    }
}
