//! Which kernel computes which layer on which device: what was measured there, else what a rule of thumb says.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, OnceLock},
};

use burn::tensor::{DType, Device};

use super::tile::TileSize;
use crate::{base::mailbox::lock, ops::SynthesisLayer};

/// What the time of a layer depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LayerShape {
    /// Samples.
    pub batch: usize,
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// Height and width of the input.
    pub size: [usize; 2],
    /// Taps of the kernel an axis.
    pub kernel: usize,
    /// Whether the size doubles.
    pub up: bool,
    /// Whether feature maps and weights are stored in f16.
    pub half: bool,
}

impl LayerShape {
    /// The shape of a layer.
    pub fn of(layer: &SynthesisLayer) -> Self {
        let ([batch, inputs, height, width], [outputs, _, kernel, _]) = (layer.x.dims(), layer.weight.dims());
        Self {
            batch,
            inputs,
            outputs,
            size: [height, width],
            kernel,
            up: layer.up.is_some(),
            half: layer.x.dtype() == DType::F16,
        }
    }

    /// What computes such a layer where nothing was measured.
    pub fn by_rule(&self) -> Choice {
        Choice::Tile(TileSize::for_output([self.batch, self.outputs], self.size, self.up))
    }
}

impl fmt::Display for LayerShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { batch, inputs, outputs, size: [height, width], kernel, up, half } = self;
        let up = if *up { " up" } else { "" };
        let half = if *half { " in f16" } else { "" };
        write!(f, "{batch}x{inputs}x{height}x{width} to {outputs} by {kernel}x{kernel}{up}{half}")
    }
}

/// What computes a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Choice {
    /// Tensor operations.
    Tensors,
    /// A kernel that is cut into tiles of this size.
    #[serde(untagged)]
    Tile(TileSize),
}

impl Choice {
    /// All that there is to choose from.
    pub const ALL: [Self; 4] =
        [Self::Tile(TileSize::Small), Self::Tile(TileSize::Medium), Self::Tile(TileSize::Large), Self::Tensors];
}

type Measured = Vec<(Device, HashMap<LayerShape, Choice>)>;

/// A process has one device or two, so that they are searched one by one.
static MEASURED: OnceLock<Mutex<Measured>> = OnceLock::new();

fn measured() -> &'static Mutex<Measured> {
    MEASURED.get_or_init(Mutex::default)
}

/// What computes layers of this shape on a device.
pub fn choice(device: &Device, shape: &LayerShape) -> Choice {
    known(device, shape).unwrap_or_else(|| shape.by_rule())
}

/// What was found the fastest, if anything was measured.
pub fn known(device: &Device, shape: &LayerShape) -> Option<Choice> {
    lock(measured()).iter().find(|(known, _)| known == device)?.1.get(shape).copied()
}

/// Has layers of this shape computed so from now on, on this device.
pub fn choose(device: &Device, shape: LayerShape, choice: Choice) {
    let mut measured = lock(measured());
    let position = measured.iter().position(|(known, _)| known == device).unwrap_or_else(|| {
        measured.push((device.clone(), HashMap::new()));
        measured.len() - 1
    });
    if let Some((_, choices)) = measured.get_mut(position) {
        choices.insert(shape, choice);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: LayerShape =
        LayerShape { batch: 1, inputs: 512, outputs: 512, size: [64, 64], kernel: 3, up: false, half: false };

    #[test]
    fn choices_are_words() {
        for (choice, word) in Choice::ALL.into_iter().zip(["small", "medium", "large", "tensors"]) {
            let text = serde_json::to_string(&choice).unwrap();
            assert_eq!(text, format!("\"{word}\""));
            assert_eq!(serde_json::from_str::<Choice>(&text).unwrap(), choice);
        }
        assert!(serde_json::from_str::<Choice>("\"huge\"").is_err());
    }

    #[test]
    fn shapes_have_names_of_their_own() {
        assert_eq!(SHAPE.to_string(), "1x512x64x64 to 512 by 3x3");
        assert_ne!(LayerShape { up: true, ..SHAPE }.to_string(), SHAPE.to_string());
        assert_ne!(LayerShape { half: true, ..SHAPE }.to_string(), SHAPE.to_string());
    }

    #[test]
    fn small_images_are_cut_into_small_tiles() {
        let by_rule = |side| LayerShape { size: [side, side], ..SHAPE }.by_rule();
        assert_eq!(by_rule(4), Choice::Tile(TileSize::Small));
        assert_eq!(by_rule(512), Choice::Tile(TileSize::Large));
    }

    #[test]
    fn what_was_measured_goes_before_the_rule() {
        // Nobody runs kernels on this device.
        let device = Device::flex();
        assert_eq!(choice(&device, &SHAPE), SHAPE.by_rule());
        choose(&device, SHAPE, Choice::Tensors);
        assert_eq!(choice(&device, &SHAPE), Choice::Tensors);
        let other = LayerShape { up: true, ..SHAPE };
        assert_eq!(known(&device, &other), None);
    }
}
