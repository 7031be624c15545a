//! The layers of a synthesis network, as the explorer lists and edits them.

/// What a layer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerKind {
    /// A convolution (or the learned constant of StyleGAN's first layer), with noise and activation.
    Conv,
    /// The 1x1 convolution to RGB of a StyleGAN2 block.
    ToRgb,
}

/// One layer that is driven by a style vector. The position in [`crate::model::Generator::layers`] is the
/// layer's index everywhere else (styles, edits, caches).
#[derive(Debug, Clone, PartialEq)]
pub struct LayerInfo {
    /// The field's name, e.g. `b8.conv0`, `b64.torgb`, `layer3`.
    pub name: String,
    /// Convolution or RGB.
    pub kind: LayerKind,
    /// Side of the layer's output in pixels.
    pub resolution: usize,
    /// Which of the `num_ws` vectors drives the layer.
    pub ws_index: usize,
    /// Length of the layer's style vector (S space). StyleGAN: `2 * channels`, scales first, then biases.
    pub style_dim: usize,
    /// Channels of the layer's output.
    pub out_channels: usize,
    /// The position among the layers with noise, if this one has it. StyleGAN's community port shares one map by block.
    pub noise_index: Option<usize>,
    /// The model's own noise strength (root mean square over the channels in StyleGAN); 0 without noise.
    pub noise_strength: f32,
}
