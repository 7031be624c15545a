//! The image, as large as it can be: walking through the seeds by dragging on it, zooming and moving it.

use egui::{
    Align2, CursorIcon, Id, Key, PointerButton, Pos2, Rect, Response, Role, Sense, Stroke, StrokeKind, TextureHandle,
    TextureOptions, Ui, Vec2, WidgetInfo, pos2,
};

use super::{
    command::{Command, CommandSender},
    overlay,
    state::AppState,
    theme,
    zoom::Measured,
};
use crate::session::{GestureId, PoseEdit, pose::SeedPosition};

/// Seeds that a drag over the height of the font walks.
const SEEDS_PER_FONT_HEIGHT: f64 = 0.04;
/// Wheel travel, in points, that doubles the scale.
const WHEEL_DOUBLES: f32 = 140.0;

/// Draws the canvas with everything that lies over the image. Returns what it measured, for the commands that need it.
pub fn canvas_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender) -> Measured {
    let palette = theme::Palette::of(ui.visuals());
    let canvas = ui.available_rect_before_wrap();
    let response = ui.allocate_rect(canvas, Sense::click_and_drag());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, "Image"));
    ui.painter().rect_filled(canvas, 0.0, palette.canvas);

    let mut measured = Measured { area: canvas.size(), scale: 0.0 };
    if let Some((texture, size)) = state.picture.get() {
        let pixels_per_point = ui.ctx().pixels_per_point();
        let rect = state.canvas.image_rect(size, canvas, pixels_per_point);
        measured.scale = state.canvas.scale(size, canvas.size(), pixels_per_point);
        image_ui(ui, state, texture, rect, canvas);
        navigate(ui, &response, size, state, commands);
        walk(ui, &response, state, commands);
    }
    overlay::overlays_ui(ui, canvas, state, measured, commands);
    drop_hint_ui(ui, canvas, palette);
    measured
}

fn image_ui(ui: &Ui, state: &AppState, texture: egui::TextureId, rect: Rect, canvas: Rect) {
    let painter = ui.painter().with_clip_rect(canvas);
    let whole = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
    if state.model.as_ref().is_some_and(|model| model.config.img_channels() == 4) {
        let squares = rect.size() / (2.0 * theme::CHECKER_SIZE);
        let uv = Rect::from_min_size(Pos2::ZERO, squares);
        painter.image(checker(ui).id(), rect, uv, egui::Color32::WHITE);
    }
    painter.image(texture, rect, whole, egui::Color32::WHITE);
}

/// Two by two squares that repeat, behind images with transparency.
fn checker(ui: &Ui) -> TextureHandle {
    let dark = ui.visuals().dark_mode;
    let id = Id::unique(("checkerboard", dark));
    if let Some(texture) = ui.data(|data| data.get_temp::<TextureHandle>(id)) {
        return texture;
    }
    let [a, b] = theme::Palette::of(ui.visuals()).checker;
    let image = egui::ColorImage::new([2, 2], vec![a, b, b, a]);
    let texture = ui.ctx().load_texture("checkerboard", image, TextureOptions::NEAREST_REPEAT);
    ui.data_mut(|data| data.insert_temp(id, texture.clone()));
    texture
}

/// Wheel and pinch zoom at the pointer, the middle button and Space with the left one move the image.
fn navigate(ui: &Ui, response: &Response, size: [u32; 2], state: &AppState, commands: &CommandSender) {
    let pixels_per_point = ui.ctx().pixels_per_point();
    if moves_image(ui, response) {
        ui.ctx().set_cursor_icon(CursorIcon::Grabbing);
        if response.drag_delta() != Vec2::ZERO {
            let view = state.canvas.panned(response.drag_delta(), size, response.rect, pixels_per_point);
            commands.send(Command::View(view));
        }
        return;
    }
    let Some(at) = response.hover_pos() else { return };
    let (wheel, pinch) = ui.input(|input| (input.smooth_scroll_delta().y, input.zoom_delta()));
    let factor = (wheel / WHEEL_DOUBLES).exp2() * pinch;
    if factor != 1.0 && factor.is_finite() && factor > 0.0 {
        commands.send(Command::View(state.canvas.zoomed(factor, at, size, response.rect, pixels_per_point)));
    }
    if response.double_clicked() {
        commands.send(Command::Zoom(super::zoom::Zoom::default()));
    }
    ui.ctx().set_cursor_icon(if space(ui) { CursorIcon::Grab } else { CursorIcon::AllScroll });
}

fn moves_image(ui: &Ui, response: &Response) -> bool {
    response.dragged_by(PointerButton::Middle) || (response.dragged_by(PointerButton::Primary) && space(ui))
}

fn space(ui: &Ui) -> bool {
    ui.input(|input| input.key_down(Key::Space))
}

/// Dragging with the left button walks through the plane of seeds; the whole drag is one step of undo.
fn walk(ui: &Ui, response: &Response, state: &AppState, commands: &CommandSender) {
    let gesture = Id::unique("walk on the image");
    if response.drag_started_by(PointerButton::Primary) {
        let fresh = GestureId(gesture.with(ui.ctx().cumulative_pass_nr()).value());
        ui.data_mut(|data| data.insert_temp(gesture, fresh.0));
    }
    if !response.dragged_by(PointerButton::Primary) || space(ui) || response.drag_delta() == Vec2::ZERO {
        return;
    }
    let seeds = SEEDS_PER_FONT_HEIGHT / f64::from(ui.text_style_height(&egui::TextStyle::Body));
    let delta = response.drag_delta();
    let from = state.pose().seed;
    let to = SeedPosition { x: from.x + f64::from(delta.x) * seeds, y: from.y + f64::from(delta.y) * seeds };
    let gesture = ui.data(|data| data.get_temp(gesture)).map(GestureId);
    commands.edit_in(PoseEdit::Seed(to), gesture);
}

fn drop_hint_ui(ui: &Ui, canvas: Rect, palette: theme::Palette) {
    if ui.input(|input| input.raw.hovered_files.is_empty()) {
        return;
    }
    let rect = canvas.shrink(theme::SECTION_GAP);
    ui.painter().rect_filled(rect, f32::from(theme::WINDOW_RADIUS), palette.veil);
    let line = Stroke::new(2.0, palette.accent);
    ui.painter().rect_stroke(rect, f32::from(theme::WINDOW_RADIUS), line, StrokeKind::Inside);
    let font = egui::FontId::proportional(theme::TITLE_SIZE);
    ui.painter().text(rect.center(), Align2::CENTER_CENTER, "Drop to open", font, palette.strong);
}
