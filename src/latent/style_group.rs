//! Which layers of a network are coarse, middle and fine.

use std::ops::Range;

/// A group of layers by what their styles decide (StyleGAN, arXiv 1812.04948, section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StyleGroup {
    /// 4x4 and 8x8: pose, overall shape.
    Coarse,
    /// 16x16 and 32x32: features, parts.
    Middle,
    /// 64x64 and up: colours and fine structure.
    Fine,
}

impl StyleGroup {
    /// From coarse to fine.
    pub const ALL: [Self; 3] = [Self::Coarse, Self::Middle, Self::Fine];

    /// The `ws` indices of a network with `num_ws` of them. The paper's groups are those of a network of 1024 pixels and are kept
    /// down to 128; a smaller one, which has nothing fine by that measure, is cut into thirds, as one of 128 pixels is.
    pub fn ws_range(self, num_ws: usize) -> Range<usize> {
        let [middle, fine] = if num_ws < 12 { [num_ws.div_ceil(3), (2 * num_ws).div_ceil(3)] } else { [4, 8] };
        match self {
            Self::Coarse => 0..middle,
            Self::Middle => middle..fine,
            Self::Fine => fine..num_ws,
        }
    }

    /// The group that a `ws` index is in.
    pub fn of(ws: usize, num_ws: usize) -> Self {
        Self::ALL.into_iter().find(|group| group.ws_range(num_ws).contains(&ws)).unwrap_or(Self::Fine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_cover_each_layer_once() {
        for num_ws in 1..=18 {
            let all: Vec<usize> = StyleGroup::ALL.into_iter().flat_map(|group| group.ws_range(num_ws)).collect();
            assert_eq!(all, (0..num_ws).collect::<Vec<_>>());
            assert!(all.iter().all(|ws| StyleGroup::of(*ws, num_ws).ws_range(num_ws).contains(ws)));
        }
        // 1024, 128, 64 and 8 pixels.
        let starts = |num_ws| [StyleGroup::Middle, StyleGroup::Fine].map(|group| group.ws_range(num_ws).start);
        assert_eq!([18, 12, 10, 4].map(starts), [[4, 8], [4, 8], [4, 7], [2, 3]]);
    }
}
