//! From seeds to `w`, `ws` and styles: interpolation, mixing, truncation, statistics.

pub mod seed;
pub mod statistics;
pub mod style_group;
pub mod ws;

pub use statistics::LatentStatistics;
pub use style_group::StyleGroup;
pub use ws::{WsRecipe, compose_ws};
