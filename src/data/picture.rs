//! One prepared image.

/// Bytes of an image as planes: `[channels, height, width]`, 1 (grey), 3 (RGB) or 4 (RGBA, alpha not premultiplied).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Number of planes.
    pub channels: usize,
    /// Height in pixels.
    pub height: usize,
    /// Width in pixels.
    pub width: usize,
    /// `channels * height * width` bytes, plane by plane, each row by row.
    pub pixels: Vec<u8>,
}

impl Picture {
    /// All bytes 0.
    pub fn black(channels: usize, height: usize, width: usize) -> Self {
        Self { channels, height, width, pixels: vec![0; channels * height * width] }
    }

    /// From `[height, width, channels]`.
    pub fn from_interleaved(channels: usize, height: usize, width: usize, bytes: &[u8]) -> Self {
        let mut picture = Self::black(channels, height, width);
        let plane = height * width;
        for (i, pixel) in bytes.chunks_exact(channels.max(1)).take(plane).enumerate() {
            for (c, &byte) in pixel.iter().enumerate() {
                picture.pixels[c * plane + i] = byte;
            }
        }
        picture
    }

    /// As `[height, width, channels]`.
    pub fn interleaved(&self) -> Vec<u8> {
        let plane = self.height * self.width;
        let mut bytes = vec![0; self.pixels.len()];
        for (i, pixel) in bytes.chunks_exact_mut(self.channels.max(1)).enumerate() {
            for (c, byte) in pixel.iter_mut().enumerate() {
                *byte = self.pixels[c * plane + i];
            }
        }
        bytes
    }

    /// Left and right exchanged.
    pub fn flip_x(&mut self) {
        if self.width > 0 {
            self.pixels.chunks_exact_mut(self.width).for_each(<[u8]>::reverse);
        }
    }
}
