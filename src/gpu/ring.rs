//! Textures that are used again once nobody shows them any more.

use std::sync::Arc;

/// A texture with an image in it, ready to be shown.
///
/// Keep it, or a clone, for as long as the texture is shown: it is written again only when all clones are gone.
#[derive(Debug, Clone)]
pub struct PresentedImage {
    /// `Rgba8Unorm`.
    pub texture: wgpu::Texture,
    /// Width and height in pixels.
    pub size: [u32; 2],
    /// Its clones are counted by the ring.
    lease: Arc<()>,
}

impl PresentedImage {
    /// Wraps a texture that no ring owns, e.g. one made for a test.
    pub fn new(texture: wgpu::Texture) -> Self {
        let size = [texture.width(), texture.height()];
        Self { texture, size, lease: Arc::new(()) }
    }

    fn is_free(&self) -> bool {
        Arc::strong_count(&self.lease) == 1
    }
}

/// Textures of one size: as many as are held outside, and one to write to.
#[derive(Debug, Default)]
pub struct TextureRing {
    images: Vec<PresentedImage>,
}

impl TextureRing {
    /// A texture of `size` that nobody shows; a new one where all are in use.
    pub fn next(&mut self, device: &wgpu::Device, size: [u32; 2]) -> PresentedImage {
        // Those of another size go as soon as the window has let go of them.
        self.images.retain(|image| image.size == size);
        if let Some(free) = self.images.iter().position(PresentedImage::is_free) {
            // To the end of the ring: the one that rested longest comes next.
            let image = self.images.remove(free);
            self.images.push(image.clone());
            return image;
        }
        let [width, height] = size;
        let texture = device.create_texture(&wgpu::TextureDescriptor {
            label: Some("present: image"),
            size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: wgpu::TextureFormat::Rgba8Unorm,
            usage: wgpu::TextureUsages::STORAGE_BINDING
                | wgpu::TextureUsages::TEXTURE_BINDING
                | wgpu::TextureUsages::COPY_SRC
                | wgpu::TextureUsages::COPY_DST,
            view_formats: &[],
        });
        let image = PresentedImage::new(texture);
        self.images.push(image.clone());
        image
    }

    /// How many textures the ring holds.
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// Whether the ring holds no texture yet.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }
}
