//! The newest image as a texture that egui can draw.

use eframe::egui_wgpu::RenderState;
use egui::TextureId;

use crate::engine::message::PresentedImage;

/// The render thread writes to a handful of textures in turn; as many stay registered.
const MOST: usize = 4;

/// The newest image. Nothing is copied: egui samples the texture that the render thread wrote.
#[derive(Debug, Default)]
pub struct Picture {
    /// The image is kept with its texture: the render thread writes to a texture again once nobody keeps it.
    shown: Option<(TextureId, PresentedImage)>,
    /// Oldest first.
    registered: Vec<(wgpu::Texture, TextureId)>,
}

impl Picture {
    /// The texture and its size in pixels.
    pub fn get(&self) -> Option<(TextureId, [u32; 2])> {
        self.shown.as_ref().map(|(id, image)| (*id, image.size))
    }

    /// Shows another image from now on.
    pub fn show(&mut self, image: &PresentedImage, render_state: &RenderState) {
        let known = self.registered.iter().find(|(texture, _)| *texture == image.texture);
        let id = match known {
            Some((_, id)) => *id,
            None => self.register(&image.texture, render_state),
        };
        self.shown = Some((id, image.clone()));
    }

    /// Shows nothing any more.
    pub fn clear(&mut self, render_state: &RenderState) {
        self.shown = None;
        let mut renderer = render_state.renderer.write();
        for (_, id) in self.registered.drain(..) {
            renderer.free_texture(&id);
        }
    }

    fn register(&mut self, texture: &wgpu::Texture, render_state: &RenderState) -> TextureId {
        let view = texture.create_view(&wgpu::TextureViewDescriptor { label: Some("image"), ..Default::default() });
        let sampler = wgpu::SamplerDescriptor {
            label: Some("image"),
            // Enlarged pixels keep their edges, shrunk ones are averaged.
            mag_filter: wgpu::FilterMode::Nearest,
            min_filter: wgpu::FilterMode::Linear,
            ..Default::default()
        };
        let mut renderer = render_state.renderer.write();
        let id = renderer.register_native_texture_with_sampler_options(&render_state.device, &view, sampler);
        self.registered.push((texture.clone(), id));
        if self.registered.len() > MOST {
            let (_, oldest) = self.registered.remove(0);
            renderer.free_texture(&oldest);
        }
        id
    }
}
