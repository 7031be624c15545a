//! Every colour, distance and font size of the window, for both themes. Nothing else in `ui` names a colour.

use egui::{
    Color32, Context, CornerRadius, FontFamily, FontId, Margin, Shadow, Stroke, Style, TextStyle, Theme, Vec2, Visuals,
    style::{HandleShape, WidgetVisuals, Widgets},
    vec2,
};

/// The unit of all distances, in points.
pub const UNIT: f32 = 4.0;
/// Between controls of one row.
pub const GAP: f32 = 1.5 * UNIT;
/// Between groups of rows.
pub const SECTION_GAP: f32 = 3.0 * UNIT;
/// Margin of the side panels.
pub const PANEL_MARGIN: f32 = 2.5 * UNIT;
/// Height of one row of controls.
pub const ROW_HEIGHT: f32 = 22.0;
/// Width of a row's label.
pub const LABEL_WIDTH: f32 = 68.0;
/// Width of a row's reset mark.
pub const RESET_WIDTH: f32 = 20.0;
/// Width that a scroll bar takes over what it scrolls.
pub const SCROLL_BAR_WIDTH: f32 = 10.0;
/// Width that a number keeps while it changes.
pub const NUMBER_WIDTH: f32 = 58.0;
/// A canvas that is narrower has no room for the buttons of the zoom; menus and keys have them too.
pub const TOOLS_WIDTH: f32 = 290.0;
/// Default width of a side panel.
pub const PANEL_WIDTH: f32 = 320.0;
/// Narrowest panel on the left.
pub const LEFT_MIN_WIDTH: f32 = 220.0;
/// Narrowest panel on the right: its table has no column to spare.
pub const RIGHT_MIN_WIDTH: f32 = 268.0;
/// Widest side panel.
pub const PANEL_MAX_WIDTH: f32 = 560.0;
/// Width of a menu.
pub const MENU_WIDTH: f32 = 230.0;
/// Width of the column of check marks in a menu.
pub const CHECK_WIDTH: f32 = 12.0;
/// Height of the list of the command palette.
pub const PALETTE_HEIGHT: f32 = 320.0;
/// Width of a dialog.
pub const DIALOG_WIDTH: f32 = 520.0;
/// Margin of a dialog.
pub const DIALOG_MARGIN: i8 = 14;
/// Side of a square of the checkerboard behind transparent images.
pub const CHECKER_SIZE: f32 = 10.0;
/// Rounded corners of controls.
pub const RADIUS: u8 = 5;
/// Rounded corners of windows, menus and toasts.
pub const WINDOW_RADIUS: u8 = 8;

/// Size of ordinary text.
pub const BODY_SIZE: f32 = 13.0;
/// Size of notes and hints.
pub const SMALL_SIZE: f32 = 11.0;
/// Size of headings.
pub const HEADING_SIZE: f32 = 16.0;
/// Size of the one line of the empty canvas.
pub const TITLE_SIZE: f32 = 20.0;

/// The named colours of one theme.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Palette {
    /// Behind the image.
    pub canvas: Color32,
    /// Panels, menu bar and status line.
    pub panel: Color32,
    /// Windows, menus and toasts.
    pub raised: Color32,
    /// A control at rest.
    pub control: Color32,
    /// A control under the pointer.
    pub control_hovered: Color32,
    /// A control that is held.
    pub control_active: Color32,
    /// Text fields and slider rails.
    pub well: Color32,
    /// Separators and outlines.
    pub line: Color32,
    /// Ordinary text.
    pub text: Color32,
    /// Notes, units, hints.
    pub weak: Color32,
    /// Headings and text under the pointer.
    pub strong: Color32,
    /// The one accent: what is selected or changed.
    pub accent: Color32,
    /// The accent as a background, behind `strong` text.
    pub accent_fill: Color32,
    /// Failures.
    pub error: Color32,
    /// Things to know.
    pub warning: Color32,
    /// Things that worked.
    pub success: Color32,
    /// Curves of a chart, in their order.
    pub curves: [Color32; 2],
    /// Behind text that lies over the image.
    pub veil: Color32,
    /// Dims the window behind a dialog.
    pub backdrop: Color32,
    /// The two squares of the checkerboard.
    pub checker: [Color32; 2],
    /// Under windows and menus.
    pub shadow: Color32,
}

const DARK: Palette = Palette {
    canvas: Color32::from_rgb(17, 18, 20),
    panel: Color32::from_rgb(27, 28, 31),
    raised: Color32::from_rgb(35, 37, 41),
    control: Color32::from_rgb(47, 49, 54),
    control_hovered: Color32::from_rgb(58, 61, 67),
    control_active: Color32::from_rgb(69, 73, 80),
    well: Color32::from_rgb(19, 20, 22),
    line: Color32::from_rgb(50, 52, 58),
    text: Color32::from_rgb(203, 206, 212),
    weak: Color32::from_rgb(140, 145, 154),
    strong: Color32::from_rgb(241, 243, 246),
    accent: Color32::from_rgb(104, 171, 255),
    accent_fill: Color32::from_rgb(38, 79, 130),
    error: Color32::from_rgb(242, 112, 108),
    warning: Color32::from_rgb(229, 181, 92),
    success: Color32::from_rgb(118, 197, 139),
    curves: [Color32::from_rgb(104, 171, 255), Color32::from_rgb(240, 166, 98)],
    veil: Color32::from_rgba_premultiplied(13, 14, 15, 220),
    backdrop: Color32::from_rgba_premultiplied(0, 0, 0, 120),
    checker: [Color32::from_rgb(52, 54, 58), Color32::from_rgb(70, 72, 77)],
    shadow: Color32::from_rgba_premultiplied(0, 0, 0, 110),
};

const LIGHT: Palette = Palette {
    canvas: Color32::from_rgb(214, 216, 220),
    panel: Color32::from_rgb(245, 246, 247),
    raised: Color32::from_rgb(255, 255, 255),
    control: Color32::from_rgb(228, 230, 234),
    control_hovered: Color32::from_rgb(217, 220, 225),
    control_active: Color32::from_rgb(201, 205, 212),
    well: Color32::from_rgb(255, 255, 255),
    line: Color32::from_rgb(208, 211, 217),
    text: Color32::from_rgb(49, 53, 60),
    weak: Color32::from_rgb(103, 109, 119),
    strong: Color32::from_rgb(16, 18, 22),
    accent: Color32::from_rgb(27, 101, 205),
    accent_fill: Color32::from_rgb(190, 215, 247),
    error: Color32::from_rgb(184, 40, 40),
    warning: Color32::from_rgb(140, 92, 0),
    success: Color32::from_rgb(32, 119, 62),
    curves: [Color32::from_rgb(27, 101, 205), Color32::from_rgb(180, 88, 12)],
    veil: Color32::from_rgba_premultiplied(225, 226, 228, 230),
    backdrop: Color32::from_rgba_premultiplied(0, 0, 0, 60),
    checker: [Color32::from_rgb(196, 198, 202), Color32::from_rgb(222, 224, 228)],
    shadow: Color32::from_rgba_premultiplied(0, 0, 0, 40),
};

impl Palette {
    /// The colours of the theme that is shown.
    pub fn of(visuals: &Visuals) -> Self {
        if visuals.dark_mode { DARK } else { LIGHT }
    }
}

/// Figures that keep their width while they change.
pub fn figures() -> FontId {
    FontId::new(BODY_SIZE - 1.0, FontFamily::Monospace)
}

/// Small figures, for the status line and overlays.
pub fn small_figures() -> FontId {
    FontId::new(SMALL_SIZE, FontFamily::Monospace)
}

/// Sets both themes; which of them is shown is the context's theme preference.
pub fn install(ctx: &Context) {
    ctx.style_mut_of(Theme::Dark, |style| apply(style, &DARK, Visuals::dark()));
    ctx.style_mut_of(Theme::Light, |style| apply(style, &LIGHT, Visuals::light()));
}

fn apply(style: &mut Style, palette: &Palette, base: Visuals) {
    style.text_styles = [
        (TextStyle::Body, FontId::new(BODY_SIZE, FontFamily::Proportional)),
        (TextStyle::Button, FontId::new(BODY_SIZE, FontFamily::Proportional)),
        (TextStyle::Small, FontId::new(SMALL_SIZE, FontFamily::Proportional)),
        (TextStyle::Heading, FontId::new(HEADING_SIZE, FontFamily::Proportional)),
        (TextStyle::Monospace, figures()),
    ]
    .into();
    style.drag_value_text_style = TextStyle::Monospace;
    style.animation_time = 0.1;
    // Otherwise Ctrl+C would copy a selected label in place of the pose; texts worth copying opt in.
    style.interaction.selectable_labels = false;

    let spacing = &mut style.spacing;
    spacing.item_spacing = vec2(GAP, UNIT);
    spacing.button_padding = vec2(2.0 * UNIT, 0.75 * UNIT);
    spacing.interact_size = vec2(36.0, ROW_HEIGHT);
    spacing.icon_width = 15.0;
    spacing.icon_width_inner = 9.0;
    spacing.icon_spacing = UNIT;
    spacing.indent = 3.0 * UNIT;
    spacing.window_margin = Margin::same(14);
    spacing.menu_margin = Margin::same(6);
    spacing.slider_rail_height = 5.0;
    spacing.tooltip_width = 340.0;
    spacing.combo_width = 80.0;

    style.visuals = visuals(palette, base);
}

fn visuals(palette: &Palette, base: Visuals) -> Visuals {
    let shadow = |blur| Shadow { offset: [0, 4], blur, spread: 0, color: palette.shadow };
    let mut visuals = Visuals {
        widgets: widgets(palette),
        weak_text_color: Some(palette.weak),
        hyperlink_color: palette.accent,
        faint_bg_color: palette.raised,
        extreme_bg_color: palette.well,
        code_bg_color: palette.control,
        warn_fg_color: palette.warning,
        error_fg_color: palette.error,
        window_corner_radius: CornerRadius::same(WINDOW_RADIUS),
        window_shadow: shadow(24),
        window_fill: palette.raised,
        window_stroke: Stroke::new(1.0, palette.line),
        menu_corner_radius: CornerRadius::same(WINDOW_RADIUS),
        panel_fill: palette.panel,
        popup_shadow: shadow(14),
        indent_has_left_vline: false,
        slider_trailing_fill: true,
        handle_shape: HandleShape::Circle,
        disabled_alpha: 0.45,
        ..base
    };
    visuals.selection.bg_fill = palette.accent_fill;
    visuals.selection.stroke = Stroke::new(1.0, palette.strong);
    visuals.text_cursor.stroke = Stroke::new(1.5, palette.accent);
    visuals
}

fn widgets(palette: &Palette) -> Widgets {
    let widget = |fill: Color32, line: Stroke, text: Color32| WidgetVisuals {
        bg_fill: fill,
        weak_bg_fill: fill,
        bg_stroke: line,
        corner_radius: CornerRadius::same(RADIUS),
        fg_stroke: Stroke::new(1.0, text),
        expansion: 0.0,
    };
    Widgets {
        noninteractive: widget(palette.panel, Stroke::new(1.0, palette.line), palette.text),
        inactive: widget(palette.control, Stroke::NONE, palette.text),
        hovered: widget(palette.control_hovered, Stroke::NONE, palette.strong),
        active: widget(palette.control_active, Stroke::new(1.0, palette.accent), palette.strong),
        open: widget(palette.control_hovered, Stroke::NONE, palette.strong),
    }
}

/// Size of a button that holds a single mark, e.g. reset.
pub fn mark_size() -> Vec2 {
    Vec2::splat(RESET_WIDTH)
}
