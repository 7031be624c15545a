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

    #[inline(always)]
    fn call<S: Simd>(self, _: S) {
        let Self { x, size: [height, width], out_size, rows, columns, out } = self;
        let mut filtered = Scratch::new(height * out_size[1]);
        let mut line = Scratch::new(rows.down * parts_len(rows));
        let mut sums = Scratch::new(out_size[1]);
        for (x, out) in x.chunks_exact(height * width).zip(out.chunks_exact_mut(out_size[0] * out_size[1])) {
            for (x, out) in x.chunks_exact(width).zip(filtered.chunks_exact_mut(out_size[1])) {
                filter_row(rows, x, &mut line, &mut sums, out);
            }
            for (index, out) in out.chunks_exact_mut(out_size[1]).enumerate() {
                filter_column(columns, index, &filtered, height, out);
            }
        }
    }
}

/// Values of each part of a line whose neighbours are `down` apart.
fn parts_len(line: &Line) -> usize {
    (line.span[1] - line.span[0]) as usize / line.down + 1
}

#[inline(always)]
fn filter_row(rows: &Line, x: &[f32], line: &mut [f32], sums: &mut [f32], out: &mut [f32]) {
    let part = parts_len(rows);
    for (offset, part) in line.chunks_exact_mut(part).enumerate() {
        fill(rows, x, offset, part);
    }
    for (phase, taps) in rows.phases.iter().enumerate() {
        let count = rows.results(phase);
        let source = |start: isize| {
            let at = (start - rows.span[0]) as usize;
            &line[at % rows.down * part + at / rows.down..][..count]
        };
        if rows.up == 1 {
            weigh(taps.iter().map(|&(tap, start)| (tap, source(start))), &mut out[..count]);
        } else {
            let sums = &mut sums[..count];
            weigh(taps.iter().map(|&(tap, start)| (tap, source(start))), sums);
            out[phase..].iter_mut().step_by(rows.up).zip(sums).for_each(|(out, sum)| *out = *sum);
        }
    }
}

/// Every `down`-th value of the image row from `span[0] + offset` on, zeros outside of it.
#[inline(always)]
fn fill(rows: &Line, x: &[f32], offset: usize, part: &mut [f32]) {
    let begin = rows.span[0] + offset as isize;
    let down = rows.down as isize;
    // Index m lies inside where 0 <= begin + down * m < width.
    let first = (-begin).max(0).unsigned_abs().div_ceil(rows.down).min(part.len());
    let end =
        (x.len() as isize - begin + down - 1).div_euclid(down).clamp(first as isize, part.len() as isize) as usize;
    part[..first].fill(0.0);
    part[end..].fill(0.0);
    if first == end {
        return;
    }
    let from = &x[(begin + down * first as isize) as usize..];
    match rows.down {
        1 => part[first..end].copy_from_slice(&from[..end - first]),
        2 => part[first..end].iter_mut().zip(from.chunks(2)).for_each(|(out, pair)| *out = pair[0]),
        down => part[first..end].iter_mut().zip(from.iter().step_by(down)).for_each(|(out, &x)| *out = x),
    }
}

#[inline(always)]
fn filter_column(columns: &Line, index: usize, rows: &[f32], height: usize, out: &mut [f32]) {
    let (phase, m) = (index % columns.up, (index / columns.up * columns.down) as isize);
    let width = out.len();
    let inside = columns.phases[phase].iter().filter(|(_, start)| (0..height as isize).contains(&(start + m)));
    weigh(inside.map(|&(tap, start)| (tap, &rows[(start + m) as usize * width..][..width])), out);
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
