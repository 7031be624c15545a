//! Device choice, sharing one device with the window, and the way of a tensor to a texture.

pub mod device;
