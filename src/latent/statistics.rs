//! The spread of `w` and of the styles, which gives edits of one channel their unit.

/// Standard deviations over many seeds.
#[derive(Debug, Clone, PartialEq)]
pub struct LatentStatistics {
    /// Of `w`, by channel.
    pub w_std: Vec<f32>,
    /// Of the styles, by layer and by channel.
    pub style_std: Vec<Vec<f32>>,
}
