//! How a convolution is cut into pieces, each the work of one cube (a workgroup) of the GPU.

/// What a cube computes: some output channels of a rectangle of pixels, from a few input channels at a time that lie in
/// shared memory. Within it a unit (a thread) holds a few channels of a few pixels below each other.
///
/// For an up-convolution "pixel" means a cell: the 2x2 outputs that begin at twice a pixel's position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tile {
    /// Output channels of a cube.
    pub channels: usize,
    /// Pixels in a row of a cube.
    pub width: usize,
    /// Rows of a cube.
    pub height: usize,
    /// Output channels of a unit.
    pub unit_channels: usize,
    /// Rows of a unit.
    pub unit_rows: usize,
    /// Input channels in shared memory at a time.
    pub depth: usize,
}

/// A size of tile by name. Which numbers stand behind it depends on the convolution, and may change with the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TileSize {
    /// Little work for a cube, so that small images still occupy many of them.
    Small,
    /// Between the others.
    Medium,
    /// Each value that was loaded is used most often.
    Large,
}

impl TileSize {
    /// All sizes.
    pub const ALL: [Self; 3] = [Self::Small, Self::Medium, Self::Large];

    /// The tile of this size. An up-convolution has four sums where the other has one, so its units hold fewer pixels.
    pub const fn tile(self, up: bool) -> Tile {
        match (self, up) {
            (Self::Small, _) => Tile { channels: 16, width: 8, height: 4, unit_channels: 2, unit_rows: 2, depth: 8 },
            (Self::Medium, false) => {
                Tile { channels: 32, width: 16, height: 8, unit_channels: 4, unit_rows: 4, depth: 4 }
            }
            (Self::Large, false) => {
                Tile { channels: 64, width: 16, height: 16, unit_channels: 8, unit_rows: 8, depth: 4 }
            }
            (Self::Medium, true) => {
                Tile { channels: 32, width: 8, height: 8, unit_channels: 4, unit_rows: 2, depth: 4 }
            }
            (Self::Large, true) => {
                Tile { channels: 32, width: 16, height: 8, unit_channels: 4, unit_rows: 4, depth: 4 }
            }
        }
    }
}

/// Cubes that keep a GPU busy: it runs some dozens of them at a time.
const ENOUGH_CUBES: usize = 64;

impl TileSize {
    /// The size for an output [N, O, H, W] where nothing was measured: the largest that still makes enough cubes. `cells`
    /// are the rows and columns that are cut, those of the output but for an up-convolution.
    pub fn for_output([batch, channels]: [usize; 2], [height, width]: [usize; 2], up: bool) -> Self {
        let enough = |size: &Self| {
            let cubes = size.tile(up).cubes([batch, channels, height, width]);
            cubes.iter().product::<usize>() >= ENOUGH_CUBES
        };
        [Self::Large, Self::Medium].into_iter().find(enough).unwrap_or(Self::Small)
    }
}

impl Tile {
    /// Units of a cube.
    pub const fn units(&self) -> usize {
        (self.channels / self.unit_channels) * self.width * (self.height / self.unit_rows)
    }

    /// Cubes along the pixels, the channels and the samples of an output.
    pub const fn cubes(&self, [batch, channels, height, width]: [usize; 4]) -> [usize; 3] {
        [width.div_ceil(self.width) * height.div_ceil(self.height), channels.div_ceil(self.channels), batch]
    }

    /// Bytes of shared memory that a convolution takes with it.
    pub const fn shared_bytes(&self, kernel: usize, up: bool) -> usize {
        let halo = if up { kernel / 2 } else { kernel / 2 * 2 };
        let patch = self.depth * (self.height + halo) * (self.width + halo);
        let weights = self.depth * kernel * kernel * (self.channels + 1);
        4 * (patch + weights + self.depth + self.channels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tile_is_one_that_the_kernel_can_run_on_any_device() {
        for (size, up) in TileSize::ALL.into_iter().flat_map(|size| [(size, false), (size, true)]) {
            let tile = size.tile(up);
            assert_eq!(tile.channels % tile.unit_channels, 0, "{tile:?}");
            assert_eq!(tile.height % tile.unit_rows, 0, "{tile:?}");
            // One unit a channel sums up the demodulation and one an input channel loads a style.
            assert!(tile.units() >= tile.channels && tile.units() >= tile.depth, "{tile:?}");
            // What WebGPU guarantees of any device.
            assert!(tile.units() <= 256 && tile.shared_bytes(3, up) <= 16 << 10, "{tile:?}");
        }
    }

    #[test]
    fn cubes_cover_the_output() {
        let tile = TileSize::Small.tile(false);
        assert_eq!(tile.cubes([2, 17, 5, 8]), [2, 2, 2]);
        assert_eq!(tile.cubes([1, 16, 4, 8]), [1, 1, 1]);
    }
}
