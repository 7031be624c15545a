//! The channels of a vector, one bar each; only the bars in sight are laid out, so that hundreds of them stay smooth.

use std::sync::Arc;

use egui::{Align, Align2, ComboBox, Id, Label, Layout, RichText, ScrollArea, Sense, TextEdit, Ui, pos2, vec2};

use super::{
    ValueBar,
    change::Change,
    row::{reset_mark_ui, right_clicked, row_height},
};
use crate::{
    session::{GestureId, pose::ChannelOffsets},
    ui::theme::{Palette, RESET_WIDTH, figures},
};

/// The ends of a bar, in standard deviations of its channel.
const SIGMAS: f32 = 10.0;
/// The ends of a bar while the standard deviation is not known, in the vector's own units.
const UNKNOWN_RANGE: f32 = 10.0;
/// Smallest standard deviation that a bar is measured in: a channel that never moves has none.
const MIN_SIGMA: f32 = 1e-6;
/// Width of the channel's number, in points.
const INDEX_WIDTH: f32 = 40.0;
/// Width of the channel's current value, in points.
const VALUE_WIDTH: f32 = 52.0;

/// One vector and what was added to it.
#[derive(Debug, Clone, Copy)]
pub struct Channels<'a> {
    /// What its bars are called: `{name} 17 offset`.
    pub name: &'a str,
    /// Length of the vector.
    pub count: usize,
    /// Its values in the picture, offsets included; `None` before the first picture.
    pub values: Option<&'a [f32]>,
    /// What was added, by channel.
    pub offsets: Option<&'a ChannelOffsets>,
    /// Standard deviation of each channel over many seeds, once it is known.
    pub std: Option<&'a [f32]>,
}

/// A channel's new offset, in the vector's own units; `None` takes it away.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChannelChange {
    /// The channel.
    pub channel: usize,
    /// Its offset.
    pub offset: Option<f32>,
    /// All changes of one drag.
    pub gesture: Option<GestureId>,
}

/// The order of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// By number.
    #[default]
    Channel,
    /// The furthest from where the model put them come first.
    Moved,
    /// Those that vary most over many seeds come first.
    Variance,
}

impl Sort {
    const ALL: [Self; 3] = [Self::Channel, Self::Moved, Self::Variance];

    fn name(self) -> &'static str {
        match self {
            Self::Channel => "Channel",
            Self::Moved => "Moved",
            Self::Variance => "Variance",
        }
    }
}

/// How the list is looked at; of no interest to anything but the view, so egui's memory keeps it.
#[derive(Debug, Clone, PartialEq, Default)]
struct View {
    sort: Sort,
    find: String,
}

/// The order in which the channels are listed, and what it was made for.
#[derive(Clone)]
struct Order {
    view: View,
    count: usize,
    channels: Arc<[usize]>,
}

impl Channels<'_> {
    fn offset(&self, channel: usize) -> f32 {
        self.offsets.and_then(|offsets| offsets.get(&channel)).copied().unwrap_or(0.0)
    }

    fn sigma(&self, channel: usize) -> Option<f32> {
        self.std?.get(channel).copied().filter(|sigma| sigma.is_finite() && *sigma >= MIN_SIGMA)
    }

    /// The channels that `view` asks for, in its order.
    fn ordered(&self, view: &View) -> Vec<usize> {
        let find = view.find.trim();
        let exact = find.parse::<usize>().ok();
        let mut channels: Vec<usize> =
            (0..self.count).filter(|channel| find.is_empty() || channel.to_string().starts_with(find)).collect();
        let falling = |a: f32, b: f32| b.total_cmp(&a);
        match view.sort {
            Sort::Channel => {}
            Sort::Moved => channels.sort_by(|a, b| falling(self.moved(*a), self.moved(*b))),
            Sort::Variance => {
                channels.sort_by(|a, b| falling(self.sigma(*a).unwrap_or(0.0), self.sigma(*b).unwrap_or(0.0)));
            }
        }
        // Whoever types a number means that channel first.
        channels.sort_by_key(|channel| exact != Some(*channel));
        channels
    }

    /// How far a channel was moved, in standard deviations where those are known.
    fn moved(&self, channel: usize) -> f32 {
        self.offset(channel).abs() / self.sigma(channel).unwrap_or(1.0)
    }
}

/// Draws the list with its search and its order; `height` is for the bars alone.
pub fn channel_list_ui(ui: &mut Ui, channels: &Channels<'_>, height: f32) -> Option<ChannelChange> {
    let id = ui.make_persistent_id(("channels", channels.name));
    let mut view = ui.data(|data| data.get_temp::<View>(id)).unwrap_or_default();
    view_ui(ui, channels, &mut view);
    ui.data_mut(|data| data.insert_temp(id, view.clone()));

    let order = order(ui, id, channels, &view);
    if order.is_empty() {
        let text = format!("No channel begins with \u{201c}{}\u{201d}.", view.find.trim());
        ui.add_sized(vec2(ui.available_width(), row_height(ui)), Label::new(RichText::new(text).weak()));
        return None;
    }
    let mut change = None;
    ScrollArea::vertical()
        .id_salt(id)
        .max_height(height)
        .min_scrolled_height(height)
        .auto_shrink([false, true])
        .show_rows(ui, row_height(ui), order.len(), |ui, rows| {
            for channel in order.get(rows).unwrap_or_default() {
                change = channel_ui(ui, channels, *channel).or(change);
            }
        });
    change
}

/// The search field and the order.
fn view_ui(ui: &mut Ui, channels: &Channels<'_>, view: &mut View) {
    ui.horizontal(|ui| {
        let sort_width = 96.0;
        let width = (ui.available_width() - sort_width - ui.spacing().item_spacing.x).max(48.0);
        let find = TextEdit::singleline(&mut view.find).hint_text("Find number").char_limit(8);
        ui.add_sized(vec2(width, row_height(ui)), find)
            .accessible_name(format!("Find {}", channels.name))
            .on_hover_text("Show the channels whose number begins like this");
        let combo = ComboBox::from_id_salt(("sort", channels.name)).width(sort_width).selected_text(view.sort.name());
        let inner = combo.show_ui(ui, |ui| {
            for sort in Sort::ALL {
                ui.add_enabled_ui(sort != Sort::Variance || channels.std.is_some(), |ui| {
                    ui.selectable_value(&mut view.sort, sort, sort.name());
                });
            }
        });
        inner.response.accessible_name(format!("Sort {}", channels.name)).on_hover_text(
            "Channel: by number. Moved: by how far you moved them. Variance: by how much the channel varies over many seeds, \
             which is worked out after a model was opened.",
        );
    });
}

/// The order of the list. While a button is held it stays as it is: a bar must not run away from under the hand.
fn order(ui: &Ui, id: Id, channels: &Channels<'_>, view: &View) -> Arc<[usize]> {
    let key = id.with("order");
    let kept = ui.data(|data| data.get_temp::<Order>(key));
    if let Some(kept) = kept
        && kept.view == *view
        && kept.count == channels.count
        && ui.input(|i| i.pointer.any_down() || i.pointer.any_released())
    {
        return kept.channels;
    }
    let order: Arc<[usize]> = channels.ordered(view).into();
    let kept = Order { view: view.clone(), count: channels.count, channels: Arc::clone(&order) };
    ui.data_mut(|data| data.insert_temp(key, kept));
    order
}

/// One channel: number, bar, current value, reset.
fn channel_ui(ui: &mut Ui, channels: &Channels<'_>, channel: usize) -> Option<ChannelChange> {
    let name = format!("{} {channel} offset", channels.name);
    let offset = channels.offset(channel);
    let sigma = channels.sigma(channel);
    let unit = sigma.unwrap_or(1.0);
    let changed = offset != 0.0;
    let palette = Palette::of(ui.visuals());
    let height = row_height(ui);
    let mut asked = None;
    ui.push_id(channel, |ui| {
        ui.horizontal(|ui| {
            let (rect, _) = ui.allocate_exact_size(vec2(INDEX_WIDTH, height), Sense::hover());
            let color = if changed { palette.accent } else { palette.weak };
            if changed {
                ui.painter().circle_filled(pos2(rect.left() + 4.0, rect.center().y), 2.5, color);
            }
            ui.painter().text(rect.right_center(), Align2::RIGHT_CENTER, channel.to_string(), figures(), color);

            let gaps = 2.0 * ui.spacing().item_spacing.x;
            let width = (ui.available_width() - VALUE_WIDTH - RESET_WIDTH - gaps).max(40.0);
            let range = if sigma.is_some() { SIGMAS } else { UNKNOWN_RANGE };
            let bar = ValueBar::new(&name, offset / unit, -range..=range)
                .step(0.1)
                .suffix(if sigma.is_some() { " \u{3c3}" } else { "" })
                .size(vec2(width, height));
            let (response, change) = bar.show(ui);
            let hit = response.rect;
            response.on_hover_ui(|ui| {
                ui.label(tooltip(channels, channel, offset, sigma));
            });
            asked = change.map(|Change { value, gesture }| ChannelChange {
                channel,
                offset: Some(value * unit).filter(|offset| *offset != 0.0),
                gesture,
            });

            ui.allocate_ui_with_layout(vec2(VALUE_WIDTH, height), Layout::right_to_left(Align::Center), |ui| {
                ui.set_min_width(VALUE_WIDTH);
                let value = channels.values.and_then(|values| values.get(channel));
                let text = value.map_or_else(|| "\u{2013}".to_owned(), |value| compact(*value));
                ui.add(Label::new(RichText::new(text).font(figures()).color(palette.weak)).selectable(false))
                    .on_hover_text("The channel's value in the picture, with what was added");
            });
            if reset_mark_ui(ui, &name, changed) || (changed && right_clicked(ui, hit)) {
                asked = Some(ChannelChange { channel, offset: None, gesture: None });
            }
        });
    });
    asked
}

fn tooltip(channels: &Channels<'_>, channel: usize, offset: f32, sigma: Option<f32>) -> String {
    let spread = match sigma {
        Some(sigma) => format!("\u{3c3} = {} over many seeds; the bar is measured in it.", compact(sigma)),
        None => "Its standard deviation is not known (yet), so the bar is in the vector's own units.".to_owned(),
    };
    format!(
        "{} {channel}: {} was added.\n{spread}\nDrag (Shift: finer), double click to type, arrow keys nudge, right click \
         resets.",
        channels.name,
        compact(offset)
    )
}

/// A value in at most seven characters.
fn compact(value: f32) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if !(1e-3..1e5).contains(&size) => format!("{value:.0e}"),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use egui_kittest::{
        Harness,
        kittest::{NodeT as _, Queryable as _},
    };

    use super::*;

    struct State {
        offsets: ChannelOffsets,
        std: Option<Vec<f32>>,
        asked: Vec<ChannelChange>,
    }

    fn harness(std: Option<Vec<f32>>) -> Harness<'static, State> {
        Harness::builder().with_size(vec2(320.0, 300.0)).build_ui_state(
            |ui, state: &mut State| {
                let values: Vec<f32> = (0..512).map(|i| i as f32).collect();
                let channels = Channels {
                    name: "Channel",
                    count: 512,
                    values: Some(&values),
                    offsets: Some(&state.offsets),
                    std: state.std.as_deref(),
                };
                let Some(change) = channel_list_ui(ui, &channels, 220.0) else { return };
                state.asked.push(change);
                match change.offset {
                    Some(offset) => state.offsets.insert(change.channel, offset),
                    None => state.offsets.remove(&change.channel),
                };
            },
            State { offsets: ChannelOffsets::new(), std, asked: Vec::new() },
        )
    }

    fn rising() -> Option<Vec<f32>> {
        Some((0..512).map(|i| i as f32 / 100.0).collect())
    }

    fn first_bar(harness: &Harness<'_, State>) -> Option<String> {
        let bars = harness.query_all_by_role(egui::Role::Slider);
        let top = |node: &egui_kittest::Node<'_>| node.rect().top();
        bars.min_by(|a, b| top(a).total_cmp(&top(b))).and_then(|bar| bar.accesskit_node().label())
    }

    #[test]
    fn only_the_bars_in_sight_exist() {
        let harness = harness(None);
        let count = harness.query_all_by_role(egui::Role::Slider).count();
        assert!((5..20).contains(&count), "{count}");
        assert!(harness.query_by_label("Channel 400 offset").is_none());
    }

    #[test]
    fn a_number_is_found_and_the_bar_is_in_standard_deviations() {
        let mut harness = harness(rising());
        harness.get_by_label("Find Channel").focus();
        harness.run();
        harness.get_by_label("Find Channel").type_text("400");
        harness.run();
        harness.get_by_label("Channel 400 offset").set_value_accesskit(2.5);
        harness.run();
        assert_eq!(harness.state().offsets.get(&400), Some(&10.0));
        harness.get_by_label("Reset Channel 400 offset").click();
        harness.run();
        assert!(harness.state().offsets.is_empty());
        assert_eq!(harness.state().asked.last().map(|c| c.offset), Some(None));
    }

    #[test]
    fn what_was_moved_or_varies_most_comes_first() {
        let mut harness = harness(rising());
        harness.state_mut().offsets.insert(300, 0.5);
        harness.state_mut().offsets.insert(7, -3.0);
        for (sort, first) in
            [("Moved", "Channel 7 offset"), ("Variance", "Channel 511 offset"), ("Channel", "Channel 0 offset")]
        {
            harness.get_by_label("Sort Channel").click();
            harness.run();
            harness.get_by_role_and_label(egui::Role::Button, sort).click();
            harness.run();
            assert_eq!(first_bar(&harness).as_deref(), Some(first), "{sort}");
        }
    }

    #[test]
    fn the_order_stands_still_while_a_bar_is_dragged() {
        let mut harness = harness(rising());
        harness.state_mut().offsets.insert(300, 0.5);
        harness.get_by_label("Sort Channel").click();
        harness.run();
        harness.get_by_role_and_label(egui::Role::Button, "Moved").click();
        harness.run();
        let center = harness.get_by_label("Channel 2 offset").rect().center();
        harness.drag_at(center);
        harness.step();
        for x in [10.0, 30.0, 60.0] {
            harness.hover_at(center + vec2(x, 0.0));
            harness.step();
        }
        assert_eq!(harness.get_by_label("Channel 2 offset").rect().center(), center);
        harness.drop_at(center + vec2(60.0, 0.0));
        harness.run();
        let asked = &harness.state().asked;
        assert!(asked.len() > 1 && asked.iter().all(|c| c.channel == 2 && c.gesture == asked[0].gesture), "{asked:?}");
        assert_eq!(first_bar(&harness).as_deref(), Some("Channel 2 offset"));
    }

    #[test]
    fn values_fit_their_column() {
        for value in [0.0, 1.0, -0.1234, -9.9996, 54.321, -1234.5, 99999.9, -1.5e7, 3e-9, f32::NAN] {
            assert!(compact(value).len() <= 7, "{}", compact(value));
        }
    }
}
