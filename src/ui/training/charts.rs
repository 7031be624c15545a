//! The live charts.

use egui::{Id, Label, Rect, RichText, Ui, UiBuilder, pos2, vec2};
use egui_plot::{HoverPosition, Line, Plot, PlotPoints, VLine};

use super::{
    TrainingView,
    curves::{Chart, Curve},
};
use crate::{
    base::numbers::short,
    ui::theme::{self, Palette},
};

/// Narrowest and lowest chart that can be read, in points.
const NARROWEST: f32 = 170.0;
const LOWEST: f32 = 84.0;

/// Draws the charts of a training, and notes where they are for the picture of them.
pub fn charts_ui(ui: &mut Ui, view: &TrainingView) {
    let area = ui.available_rect_before_wrap();
    ui.data_mut(|data| data.insert_temp(area_id(), area));
    let gap = theme::SECTION_GAP;
    let columns = (((area.width() + gap) / (NARROWEST + gap)) as usize).clamp(1, 4).min(view.charts.len().max(1));
    let rows = view.charts.len().div_ceil(columns).max(1);
    let height = ((area.height() - gap * (rows - 1) as f32) / rows as f32).max(LOWEST);
    let width = (area.width() - gap * (columns - 1) as f32) / columns as f32;
    let cell = |i: usize| {
        let (column, row) = ((i % columns) as f32, (i / columns) as f32);
        let origin = pos2(column * (width + gap), row * (height + 0.5 * gap));
        Rect::from_min_size(origin, vec2(width, height))
    };
    egui::ScrollArea::vertical().id_salt("charts").auto_shrink(false).show(ui, |ui| {
        let origin = ui.max_rect().min.to_vec2();
        for (i, chart) in view.charts.iter().enumerate() {
            let rect = cell(i).translate(origin);
            ui.scope_builder(UiBuilder::new().max_rect(rect).id_salt(chart.title), |ui| chart_ui(ui, view, chart));
        }
        // Children that were placed by hand do not count by themselves.
        ui.allocate_space(vec2(area.width(), cell(view.charts.len().saturating_sub(1)).bottom()));
    });
}

/// Where the charts were drawn last, in points.
pub fn area(ctx: &egui::Context) -> Option<Rect> {
    ctx.data(|data| data.get_temp(area_id()))
}

fn area_id() -> Id {
    Id::unique("area of the charts")
}

fn chart_ui(ui: &mut Ui, view: &TrainingView, chart: &Chart) {
    let palette = Palette::of(ui.visuals());
    ui.spacing_mut().item_spacing.y = 2.0;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = theme::GAP;
        let title = Label::new(RichText::new(chart.title).small().strong()).selectable(false);
        ui.add(title).on_hover_text(chart.tooltip);
        for (i, curve) in chart.curves.iter().enumerate() {
            let text = RichText::new(newest(curve)).font(theme::small_figures()).color(palette.curves[i % 2]);
            ui.add(Label::new(text).selectable(false).truncate()).on_hover_text(chart.tooltip);
        }
    });
    if chart.curves.iter().all(|curve| curve.points.is_empty()) {
        let rect = ui.available_rect_before_wrap();
        ui.painter().rect_filled(rect, f32::from(theme::RADIUS), palette.well);
        let font = egui::FontId::proportional(theme::SMALL_SIZE);
        ui.painter().text(rect.center(), egui::Align2::CENTER_CENTER, "not measured yet", font, palette.weak);
        ui.allocate_rect(rect, egui::Sense::hover());
        return;
    }
    plot_ui(ui, view, chart, palette);
}

fn newest(curve: &Curve) -> String {
    let value = curve.last.map_or_else(|| "\u{2013}".to_owned(), short);
    if curve.name.is_empty() { value } else { format!("{} {value}", curve.name) }
}

fn plot_ui(ui: &mut Ui, view: &TrainingView, chart: &Chart, palette: Palette) {
    let group = Id::unique("charts of the training");
    let end = view.total as f64 / 1000.0;
    let label = |hover: &HoverPosition<'_>| match hover {
        HoverPosition::NearDataPoint { plot_name, position, .. } => {
            let name = if plot_name.is_empty() { chart.title } else { plot_name };
            Some(format!("{} kimg\n{name} {}", short(position.x), short(position.y)))
        }
        HoverPosition::Elsewhere { .. } => None,
    };
    // Wheel and drag would be in the way of scrolling; the whole training is in sight anyway.
    let plot = Plot::new(("chart", chart.title))
        .height(ui.available_height())
        .width(ui.available_width())
        .allow_zoom(false)
        .allow_drag(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .allow_double_click_reset(false)
        .allow_axis_zoom_drag(false)
        .show_axes([false, true])
        .y_axis_min_width(34.0)
        .y_axis_formatter(|mark, _| short(mark.value))
        .set_margin_fraction(vec2(0.01, 0.08))
        .include_x(0.0)
        .link_cursor(group, [true, false])
        .cursor_color(palette.line)
        .grid_color(palette.line)
        .label_formatter(label);
    let plot = chart.scale.iter().fold(plot, |plot, value| plot.include_y(*value));
    let now = view.progress.nimg as f64 / 1000.0;
    plot.show(ui, |plot| {
        for (i, curve) in chart.curves.iter().enumerate() {
            let points: PlotPoints<'_> = curve.points.iter().copied().collect();
            plot.line(Line::new(curve.name, points).color(palette.curves[i % 2]).width(1.5));
        }
        if now < end {
            plot.vline(VLine::new("", now).color(palette.line).width(1.0).allow_hover(false));
        }
    });
}
