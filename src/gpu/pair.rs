//! Two images seen together: side by side, or by how much they differ. The shader `pair.wgsl` does on a GPU what the
//! functions here do on the host. Where the two are not of one size, as those of a network that grew, the smaller one is enlarged by
//! whole pixels.

use std::borrow::Cow;

use rayon::prelude::*;

/// How two images are seen together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PairView {
    /// One beside the other, with a gap that shows nothing.
    SideBySide,
    /// The distance of their levels in each colour, this many times; black where they agree.
    Difference {
        /// 1..=64.
        gain: u8,
    },
}

impl PairView {
    /// Columns between images of this width.
    pub fn gap(self, width: u32) -> u32 {
        match self {
            Self::SideBySide => (width / 32).max(1),
            Self::Difference { .. } => 0,
        }
    }

    /// Width and height of the texture for two images of this size.
    pub fn size(self, [width, height]: [u32; 2]) -> [u32; 2] {
        match self {
            Self::SideBySide => [2 * width + self.gap(width), height],
            Self::Difference { .. } => [width, height],
        }
    }

    /// The factor that the shader takes.
    pub(super) fn gain(self) -> f32 {
        match self {
            Self::SideBySide => 0.0,
            Self::Difference { gain } => f32::from(gain.max(1)),
        }
    }

    /// Two images as RGBA bytes, `[height, width, 4]` each, with their widths and heights, to the bytes of [`PairView::size`] for their
    /// [`common_size`].
    pub fn combine(self, a: (&[u8], [u32; 2]), b: (&[u8], [u32; 2])) -> Vec<u8> {
        let [width, height] = common_size(a.1, b.1);
        let [a, b] = [a, b].map(|(bytes, size)| enlarged(bytes, size, [width, height]));
        let (a, b) = (&*a, &*b);
        let row = 4 * width as usize;
        match self {
            Self::SideBySide => {
                let gap = vec![0; 4 * self.gap(width) as usize];
                let rows = a.chunks_exact(row.max(1)).zip(b.chunks_exact(row.max(1)));
                rows.flat_map(|(a, b)| [a, gap.as_slice(), b]).flatten().copied().collect()
            }
            Self::Difference { .. } => {
                let mut out = vec![255; a.len()];
                let pixels = a.par_chunks_exact(4).zip(b.par_chunks_exact(4));
                out.par_chunks_exact_mut(4).zip(pixels).for_each(|(out, (a, b))| self.difference(a, b, out));
                out
            }
        }
    }

    /// Of images with transparency, what is seen over black is compared. Keep in sync with `pair.wgsl`.
    fn difference(self, a: &[u8], b: &[u8], out: &mut [u8]) {
        let ([ar, ag, ab, aa], [br, bg, bb, ba]) = (rgba(a), rgba(b));
        for (out, (a, b)) in out.iter_mut().zip([(ar, br), (ag, bg), (ab, bb)]) {
            let distance = (b * ba - a * aa).abs() / 255.0;
            // A cast truncates and saturates.
            *out = (distance * self.gain() + 0.5) as u8;
        }
    }
}

/// The size at which two images are seen together.
pub fn common_size(a: [u32; 2], b: [u32; 2]) -> [u32; 2] {
    [a[0].max(b[0]), a[1].max(b[1])]
}

/// RGBA bytes of an image of size `from`, enlarged to `to` by the nearest pixel: `x * from / to`, rounded down. Keep in sync with
/// `pair.wgsl`.
pub fn enlarged(bytes: &[u8], from: [u32; 2], to: [u32; 2]) -> Cow<'_, [u8]> {
    debug_assert!(bytes.len() == 4 * from[0] as usize * from[1] as usize);
    if from == to {
        return Cow::Borrowed(bytes);
    }
    let nearest = |at: u32, axis: usize| (u64::from(at) * u64::from(from[axis]) / u64::from(to[axis].max(1))) as usize;
    let row = 4 * from[0] as usize;
    let wide = |y: u32| {
        let row = bytes.get(nearest(y, 1) * row..).unwrap_or_default();
        (0..to[0]).flat_map(move |x| row.get(4 * nearest(x, 0)..).unwrap_or_default().iter().take(4).copied())
    };
    (0..to[1]).flat_map(wide).collect()
}

fn rgba(pixel: &[u8]) -> [f32; 4] {
    let mut values = [0.0; 4];
    for (value, byte) in values.iter_mut().zip(pixel) {
        *value = f32::from(*byte);
    }
    values
}

/// Keep in sync with `PairParams` in `pair.wgsl`. Strides are in values.
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct PairParams {
    /// Width and height that both are seen at.
    pub size: [u32; 2],
    pub channels: u32,
    pub gap: u32,
    pub size_a: [u32; 2],
    pub size_b: [u32; 2],
    pub gain: f32,
    /// Channel, row and column.
    pub strides_a: [u32; 3],
    pub strides_b: [u32; 3],
    pub padding: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: [u8; 8] = [10, 20, 30, 255, 0, 0, 0, 255];
    const B: [u8; 8] = [12, 20, 0, 255, 255, 255, 255, 0];

    #[test]
    fn side_by_side_keeps_every_byte() {
        let view = PairView::SideBySide;
        assert_eq!(view.size([2, 1]), [5, 1]);
        let out = view.combine((&A, [2, 1]), (&B, [2, 1]));
        assert_eq!((&out[..8], &out[8..12], &out[12..]), (&A[..], &[0; 4][..], &B[..]));
        // Two rows of one pixel.
        let out = view.combine((&A, [1, 2]), (&B, [1, 2]));
        assert_eq!((&out[..4], &out[8..12], &out[12..16], &out[20..]), (&A[..4], &B[..4], &A[4..], &B[4..]));
    }

    #[test]
    fn the_difference_is_of_what_is_seen_times_the_gain() {
        let view = PairView::Difference { gain: 1 };
        assert_eq!(view.size([2, 1]), [2, 1]);
        // The second pixel of B is white, and cannot be seen.
        assert_eq!(view.combine((&A, [2, 1]), (&B, [2, 1])), [2, 0, 30, 255, 0, 0, 0, 255]);
        let out = PairView::Difference { gain: 16 }.combine((&A, [2, 1]), (&B, [2, 1]));
        assert_eq!(out, [32, 0, 255, 255, 0, 0, 0, 255]);
    }

    #[test]
    fn the_smaller_image_is_enlarged() {
        assert_eq!(common_size([4, 2], [2, 3]), [4, 3]);
        let &[left, right] = A.as_chunks::<4>().0 else { unreachable!() };
        let row = [left, left, right, right].concat();
        assert_eq!(*enlarged(&A, [2, 1], [4, 2]), [row.clone(), row].concat());
        // Not by a whole factor, and not at all.
        assert_eq!(*enlarged(&A, [2, 1], [3, 1]), [left, left, right].concat());
        assert!(matches!(enlarged(&A, [2, 1], [2, 1]), Cow::Borrowed(_)));
        let small = &A[..4];
        let beside = PairView::SideBySide.combine((small, [1, 1]), (&B, [2, 1]));
        assert_eq!(beside, [left.as_slice(), &left, &[0; 4], &B].concat());
        let difference = PairView::Difference { gain: 1 }.combine((&B, [2, 1]), (small, [1, 1]));
        assert_eq!(difference, [2, 0, 30, 255, 10, 20, 30, 255]);
    }
}
