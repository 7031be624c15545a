//! Scale and place of the image on the canvas: plain numbers, no drawing.
//!
//! A scale is a number of screen pixels per image pixel. Distances are in points unless a name says pixels.

use egui::{Pos2, Rect, Vec2};

/// Smallest scale.
pub const MIN_SCALE: f32 = 1.0 / 16.0;
/// Largest scale.
pub const MAX_SCALE: f32 = 64.0;
/// Part of the canvas that stays free around an image that fits.
const MARGIN: f32 = 16.0;
/// At least this much of the image stays on the canvas, however far it is moved.
const STAYS: f32 = 48.0;
/// The steps of zooming in and out with the keyboard.
const STEPS: [f32; 19] =
    [0.0625, 0.125, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 16.0, 24.0, 32.0, 64.0];

/// How the scale comes about.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Zoom {
    /// The largest that fits.
    Fit,
    /// The largest whole multiple that fits, so that all image pixels are of one size; [`Zoom::Fit`] where the image is
    /// larger than the canvas.
    #[default]
    FitWhole,
    /// As chosen, in screen pixels per image pixel.
    Free(f32),
}

impl Zoom {
    /// One image pixel is one screen pixel.
    pub const ACTUAL: Self = Self::Free(1.0);
}

/// Scale and place of the image.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CanvasView {
    /// The scale, or the rule for it.
    pub zoom: Zoom,
    /// The image's centre from the canvas' centre.
    pub offset: Vec2,
}

/// What the canvas found when it was drawn last.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Measured {
    /// Size of the canvas.
    pub area: Vec2,
    /// The scale that was used; 0 without an image.
    pub scale: f32,
}

impl CanvasView {
    /// The scale for an image of `size` pixels on a canvas of `area`.
    pub fn scale(&self, size: [u32; 2], area: Vec2, pixels_per_point: f32) -> f32 {
        let room = (area - Vec2::splat(2.0 * MARGIN)).max(Vec2::splat(1.0)) * pixels_per_point;
        let fit = (room.x / size[0].max(1) as f32).min(room.y / size[1].max(1) as f32);
        let scale = match self.zoom {
            Zoom::Fit => fit,
            Zoom::FitWhole if fit >= 1.0 => fit.floor(),
            Zoom::FitWhole => fit,
            Zoom::Free(scale) => scale,
        };
        scale.clamp(MIN_SCALE, MAX_SCALE)
    }

    /// Where the image lies; its corner is on a whole screen pixel, so that nearest enlargement has pixels of one size.
    pub fn image_rect(&self, size: [u32; 2], canvas: Rect, pixels_per_point: f32) -> Rect {
        let scale = self.scale(size, canvas.size(), pixels_per_point);
        let extent = Vec2::new(size[0] as f32, size[1] as f32) * scale / pixels_per_point;
        let corner = canvas.center() + self.offset - 0.5 * extent;
        let whole = (corner.to_vec2() * pixels_per_point).round() / pixels_per_point;
        Rect::from_min_size(whole.to_pos2(), extent)
    }

    /// The view after the scale changed by `factor` about the point `at` of the canvas, which keeps its place.
    pub fn zoomed(&self, factor: f32, at: Pos2, size: [u32; 2], canvas: Rect, pixels_per_point: f32) -> Self {
        let old = self.scale(size, canvas.size(), pixels_per_point);
        let new = (old * factor).clamp(MIN_SCALE, MAX_SCALE);
        let from_centre = at - canvas.center();
        let offset = from_centre - (from_centre - self.offset) * (new / old);
        Self { zoom: Zoom::Free(new), offset }.kept_in(size, canvas.size(), pixels_per_point)
    }

    /// The view after the image was moved.
    pub fn panned(&self, by: Vec2, size: [u32; 2], canvas: Rect, pixels_per_point: f32) -> Self {
        let zoom = Zoom::Free(self.scale(size, canvas.size(), pixels_per_point));
        Self { zoom, offset: self.offset + by }.kept_in(size, canvas.size(), pixels_per_point)
    }

    /// The next step of the keyboard's zoom: larger with `inwards`, else smaller.
    pub fn stepped(&self, inwards: bool, measured: Measured) -> Self {
        let scale = measured.scale.clamp(MIN_SCALE, MAX_SCALE);
        let next = if inwards {
            STEPS.iter().copied().find(|step| *step > scale * 1.001).unwrap_or(MAX_SCALE)
        } else {
            STEPS.iter().rev().copied().find(|step| *step < scale * 0.999).unwrap_or(MIN_SCALE)
        };
        Self { zoom: Zoom::Free(next), offset: self.offset * (next / scale) }
    }

    fn kept_in(mut self, size: [u32; 2], area: Vec2, pixels_per_point: f32) -> Self {
        let scale = self.scale(size, area, pixels_per_point);
        let extent = Vec2::new(size[0] as f32, size[1] as f32) * scale / pixels_per_point;
        let limit = (0.5 * (area + extent) - Vec2::splat(STAYS)).max(Vec2::ZERO);
        self.offset = self.offset.clamp(-limit, limit);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui::{pos2, vec2};

    const CANVAS: Rect = Rect { min: pos2(300.0, 40.0), max: pos2(1000.0, 740.0) };

    #[test]
    fn a_small_image_is_enlarged_by_a_whole_factor() {
        let view = CanvasView::default();
        assert_eq!(view.scale([64, 64], CANVAS.size(), 1.0), 10.0); // (700 - 32) / 64 = 10.4
        assert_eq!(view.scale([64, 64], CANVAS.size(), 2.0), 20.0);
        let fit = CanvasView { zoom: Zoom::Fit, ..view };
        assert_eq!(fit.scale([64, 64], CANVAS.size(), 1.0), 668.0 / 64.0);
    }

    #[test]
    fn a_large_image_is_shrunk_until_it_fits() {
        let view = CanvasView::default();
        assert_eq!(view.scale([1024, 1024], CANVAS.size(), 1.0), 668.0 / 1024.0);
        let rect = view.image_rect([1024, 512], CANVAS, 1.0);
        assert!(CANVAS.contains_rect(rect), "{rect:?}");
        assert!((rect.aspect_ratio() - 2.0).abs() < 1e-3);
    }

    #[test]
    fn the_corner_lies_on_a_whole_screen_pixel() {
        for pixels_per_point in [1.0, 1.25, 2.0] {
            let view = CanvasView { zoom: Zoom::ACTUAL, offset: vec2(3.3, -7.7) };
            let corner = view.image_rect([63, 65], CANVAS, pixels_per_point).min.to_vec2() * pixels_per_point;
            assert!((corner - corner.round()).length() < 1e-2, "{corner:?}");
        }
    }

    #[test]
    fn zooming_keeps_the_point_under_the_pointer() {
        let view = CanvasView::default();
        let at = pos2(500.0, 300.0);
        let place = |view: &CanvasView| {
            let scale = view.scale([64, 64], CANVAS.size(), 1.0);
            (at - CANVAS.center() - view.offset) / scale
        };
        let zoomed = view.zoomed(1.5, at, [64, 64], CANVAS, 1.0);
        assert!((place(&view) - place(&zoomed)).length() < 1e-4);
        assert_eq!(zoomed.zoom, Zoom::Free(15.0));
    }

    #[test]
    fn the_image_cannot_be_lost() {
        let mut view = CanvasView::default();
        for _ in 0..50 {
            view = view.panned(vec2(400.0, -900.0), [64, 64], CANVAS, 1.0);
        }
        assert!(CANVAS.intersects(view.image_rect([64, 64], CANVAS, 1.0)));
        for factor in [1e-6, 1e6] {
            let scale = view.zoomed(factor, CANVAS.min, [64, 64], CANVAS, 1.0).scale([64, 64], CANVAS.size(), 1.0);
            assert!((MIN_SCALE..=MAX_SCALE).contains(&scale));
        }
    }

    #[test]
    fn steps_go_up_and_down_between_the_ends() {
        let measured = |scale| Measured { area: CANVAS.size(), scale };
        let view = CanvasView::default();
        assert_eq!(view.stepped(true, measured(10.4)).zoom, Zoom::Free(12.0));
        assert_eq!(view.stepped(false, measured(10.4)).zoom, Zoom::Free(10.0));
        assert_eq!(view.stepped(true, measured(64.0)).zoom, Zoom::Free(MAX_SCALE));
        assert_eq!(view.stepped(false, measured(MIN_SCALE)).zoom, Zoom::Free(MIN_SCALE));
    }
}
