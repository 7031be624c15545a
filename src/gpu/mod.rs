//! Device choice, sharing one device with the window, and the way of a tensor to a texture.

pub mod device;
pub mod health;
mod kernel;
pub mod pair;
pub mod present;
pub mod quantize;
pub mod readback;
pub mod ring;
pub mod separate;
pub mod shader;
