//! The newest image as a texture that egui can draw.

use eframe::egui_wgpu::RenderState;
use egui::TextureId;

use crate::engine::message::PresentedImage;

/// The render thread writes to a handful of textures in turn; as many stay registered.
const MOST: usize = 8;

/// The newest image. Nothing is copied: egui samples the texture that the render thread wrote.
#[derive(Debug, Default)]
pub struct Picture {
    /// The image is kept with its texture: the render thread writes to a texture again once nobody keeps it.
    shown: Option<(TextureId, PresentedImage)>,
    /// Width and height that the image is shown as, in pixels of the full image.
    size: [u32; 2],
    /// Pixels on the side of the image that is shown for the full one.
    preview: Option<u32>,
    /// With whether they are previews, which are sampled in another way; oldest first.
    registered: Vec<(wgpu::Texture, bool, TextureId)>,
}

impl Picture {
    /// The texture, and the size of the full image in pixels: that of the texture, or more for a preview.
    pub fn get(&self) -> Option<(TextureId, [u32; 2])> {
        self.shown.as_ref().map(|(id, _)| (*id, self.size))
    }

    /// Pixels on the side of the texture, if it only stands in for the full image.
    pub fn preview(&self) -> Option<u32> {
        self.preview
    }

    /// Shows an image from now on until the full one, `full` pixels wide and high, is there.
    pub fn show_preview(&mut self, image: &PresentedImage, full: u32, render_state: &RenderState) {
        self.preview = Some(image.size[0]);
        self.size = [full; 2];
        self.set(image, render_state);
    }

    /// Shows another image from now on.
    pub fn show(&mut self, image: &PresentedImage, render_state: &RenderState) {
        self.preview = None;
        self.size = image.size;
        self.set(image, render_state);
    }

    fn set(&mut self, image: &PresentedImage, render_state: &RenderState) {
        let smooth = self.preview.is_some();
        let known =
            self.registered.iter().find(|(texture, as_preview, _)| *texture == image.texture && *as_preview == smooth);
        let id = match known {
            Some((.., id)) => *id,
            None => self.register(&image.texture, render_state),
        };
        self.shown = Some((id, image.clone()));
    }

    /// Shows nothing any more.
    pub fn clear(&mut self, render_state: &RenderState) {
        self.shown = None;
        self.preview = None;
        let mut renderer = render_state.renderer.write();
        for (.., id) in self.registered.drain(..) {
            renderer.free_texture(&id);
        }
    }

    fn register(&mut self, texture: &wgpu::Texture, render_state: &RenderState) -> TextureId {
        let view = texture.create_view(&wgpu::TextureViewDescriptor { label: Some("image"), ..Default::default() });
        let sampler = wgpu::SamplerDescriptor {
            label: Some("image"),
            // Enlarged pixels keep their edges, shrunk ones are averaged. A preview is enlarged as the network would do it.
            mag_filter: if self.preview.is_some() { wgpu::FilterMode::Linear } else { wgpu::FilterMode::Nearest },
            min_filter: wgpu::FilterMode::Linear,
            ..Default::default()
        };
        let mut renderer = render_state.renderer.write();
        let id = renderer.register_native_texture_with_sampler_options(&render_state.device, &view, sampler);
        self.registered.push((texture.clone(), self.preview.is_some(), id));
        if self.registered.len() > MOST {
            let (.., oldest) = self.registered.remove(0);
            renderer.free_texture(&oldest);
        }
        id
    }
}
