//! The sources of the display shaders, each with the shared part in front.

/// Parts that all display shaders share.
const COMMON: &str = include_str!("../../shaders/common.wgsl");

/// `present.wgsl` as it is compiled.
pub fn present() -> String {
    format!("{COMMON}\n{}", include_str!("../../shaders/present.wgsl"))
}

/// `pair.wgsl` as it is compiled.
pub fn pair() -> String {
    format!("{COMMON}\n{}", include_str!("../../shaders/pair.wgsl"))
}
