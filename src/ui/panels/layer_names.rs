//! What layers are called in the window.

use crate::{
    latent::StyleGroup,
    model::layer::{LayerInfo, LayerKind},
    ui::state::AppState,
};

/// The name without its block, e.g. `conv1` of `b16.conv1`: the block is told by the resolution beside it.
pub fn short_name(layer: &LayerInfo) -> &str {
    layer.name.rsplit('.').next().unwrap_or(&layer.name)
}

/// The layer with its resolution, e.g. `16x16 conv1`.
pub fn full_name(layer: &LayerInfo) -> String {
    format!("{0}x{0} {1}", layer.resolution, short_name(layer))
}

/// The layer that a `ws` index is known by: its convolution, or the RGB layer at the end that has a `w` of its own.
pub fn main_layer(state: &AppState, ws: usize) -> Option<(usize, &LayerInfo)> {
    state.layers_of_ws(ws).find(|(_, layer)| layer.kind == LayerKind::Conv).or_else(|| state.layers_of_ws(ws).next())
}

/// What a `ws` index is called, e.g. `layer 5 (16x16 conv1)`.
pub fn ws_name(state: &AppState, ws: usize) -> String {
    match main_layer(state, ws) {
        Some((_, layer)) => format!("layer {ws} ({})", full_name(layer)),
        None => format!("layer {ws}"),
    }
}

/// All layers that a `ws` index drives, for tooltips.
pub fn driven_names(state: &AppState, ws: usize) -> String {
    let names: Vec<String> = state.layers_of_ws(ws).map(|(_, layer)| full_name(layer)).collect();
    names.join(" and ")
}

/// What the paper found the layer of a `ws` index to decide (StyleGAN, section 3.1).
pub fn scale_word(state: &AppState, ws: usize) -> &'static str {
    match StyleGroup::of(ws, state.num_ws()) {
        StyleGroup::Coarse => "coarse: pose, overall shape",
        StyleGroup::Middle => "middle: features, parts",
        StyleGroup::Fine => "fine: colours, texture",
    }
}
