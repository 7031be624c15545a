//! Two images seen together: side by side, or by how much they differ. The shader `pair.wgsl` does on a GPU what the
//! functions here do on the host.

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

    /// Two images as RGBA bytes, `[height, width, 4]` each, to the bytes of [`PairView::size`].
    pub fn combine(self, a: &[u8], b: &[u8], [width, height]: [u32; 2]) -> Vec<u8> {
        debug_assert!(a.len() == b.len() && a.len() == 4 * width as usize * height as usize);
        let row = 4 * width as usize;
        match self {
            Self::SideBySide => {
                let gap = vec![0; 4 * self.gap(width) as usize];
                let rows = a.chunks_exact(row.max(1)).zip(b.chunks_exact(row.max(1)));
                rows.flat_map(|(a, b)| [a, &gap, b]).flatten().copied().collect()
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
    pub width: u32,
    pub height: u32,
    pub channels: u32,
    pub gap: u32,
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
        let out = view.combine(&A, &B, [2, 1]);
        assert_eq!((&out[..8], &out[8..12], &out[12..]), (&A[..], &[0; 4][..], &B[..]));
        // Two rows of one pixel.
        let out = view.combine(&A, &B, [1, 2]);
        assert_eq!((&out[..4], &out[8..12], &out[12..16], &out[20..]), (&A[..4], &B[..4], &A[4..], &B[4..]));
    }

    #[test]
    fn the_difference_is_of_what_is_seen_times_the_gain() {
        let view = PairView::Difference { gain: 1 };
        assert_eq!(view.size([2, 1]), [2, 1]);
        // The second pixel of B is white, and cannot be seen.
        assert_eq!(view.combine(&A, &B, [2, 1]), [2, 0, 30, 255, 0, 0, 0, 255]);
        let out = PairView::Difference { gain: 16 }.combine(&A, &B, [2, 1]);
        assert_eq!(out, [32, 0, 255, 255, 0, 0, 0, 255]);
    }
}
