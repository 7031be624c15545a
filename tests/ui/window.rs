//! The whole program without a window: the real engine on the CPU backend, drawn by a software Vulkan driver.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use egui::{DroppedFile, Event, Key, Modifiers, Rect, UiBuilder, Vec2, vec2};
use egui_kittest::{
    Harness,
    kittest::Queryable as _,
    wgpu::{WgpuTestRenderer, create_render_state, default_wgpu_setup},
};
use stylescope::{
    gpu::device::Compute,
    session::Pose,
    ui::{
        app::{App, AppOptions, Start},
        state::AppState,
    },
};

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(600);
/// Part of the canvas' shorter side that is looked at: nothing lies over the image there.
const LOOKED_AT: f32 = 0.4;

/// The program, and a hand to move it.
pub struct Window {
    pub harness: Harness<'static, App>,
}

/// What a person sees of the pose.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    pub pose: Pose,
    /// Of the pixels of the image on the screen.
    pub image: u64,
}

impl Window {
    pub fn open(start: Start) -> Self {
        // Half the pixels each way: software draws them four times as fast.
        Self::sized(start, vec2(1280.0, 1100.0), 0.5)
    }

    pub fn sized(start: Start, size: Vec2, pixels_per_point: f32) -> Self {
        let render_state = create_render_state(default_wgpu_setup(), eframe::egui_wgpu::RendererOptions::PREDICTABLE);
        let options = AppOptions { compute: Compute::cpu(), start, remembered: None };
        let app = App::new(options, render_state.clone()).expect("the engine starts");
        let harness = Harness::builder()
            .with_size(size)
            .with_pixels_per_point(pixels_per_point)
            .with_step_dt(0.02)
            .with_max_steps(4)
            .renderer(WgpuTestRenderer::from_render_state(render_state))
            .build_ui_state(
                |ui, app: &mut App| {
                    app.logic(ui.ctx());
                    // The harness leaves a margin that the real window does not have.
                    let whole = UiBuilder::new().max_rect(ui.ctx().content_rect());
                    let mut root = ui.new_child(whole);
                    root.set_clip_rect(ui.ctx().content_rect());
                    app.ui(&mut root);
                },
                app,
            );
        // The program's own themes came after those of the harness.
        harness.ctx.all_styles_mut(|style| {
            style.animation_time = 0.0;
            style.visuals.text_cursor.blink = false;
            style.scroll_animation = egui::style::ScrollAnimation::none();
        });
        let mut window = Self { harness };
        window.settle();
        window
    }

    pub fn state(&self) -> &AppState {
        self.harness.state().state()
    }

    /// Lets the program go on until nothing is under way.
    pub fn settle(&mut self) {
        self.wait_until("everything is done", |app| {
            app.is_settled() && app.state().model.is_some() == app.state().picture.get().is_some()
        });
        // What came last is drawn, and what depends on sizes has settled.
        self.harness.run_steps(3);
    }

    /// Lets the program go on until `done`.
    pub fn wait_until(&mut self, what: &str, done: impl Fn(&App) -> bool) {
        let begun = Instant::now();
        // What was asked for just now is applied in the first of these.
        self.harness.run_steps(3);
        while !done(self.harness.state()) {
            assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}");
            std::thread::sleep(Duration::from_millis(5));
            self.harness.step();
        }
    }

    /// Where the canvas is.
    pub fn canvas(&self) -> Rect {
        self.harness.get_by_label("Image").rect()
    }

    pub fn seen(&mut self) -> Seen {
        let canvas = self.canvas();
        let side = LOOKED_AT * canvas.size().min_elem();
        let part = Rect::from_center_size(canvas.center(), Vec2::splat(side));
        let part = (part * self.harness.ctx.pixels_per_point()).round();
        let picture = self.harness.render().expect("the window is drawn");
        let mut hasher = DefaultHasher::new();
        for y in part.top() as u32..part.bottom() as u32 {
            for x in part.left() as u32..part.right() as u32 {
                picture.get_pixel(x, y).0.hash(&mut hasher);
            }
        }
        Seen { pose: self.state().pose().clone(), image: hasher.finish() }
    }

    pub fn press(&mut self, modifiers: Modifiers, key: Key) {
        self.harness.key_press_modifiers(modifiers, key);
        self.settle();
    }

    /// Takes the pointer away from whatever it is over, so that nothing there is highlighted.
    pub fn leave(&mut self) {
        self.harness.event(Event::PointerGone);
        self.harness.run_steps(2);
    }

    /// Moves a control of this name as assistive technology does.
    pub fn set(&mut self, name: &str, value: f64) {
        self.harness.get_by_label(name).set_value_accesskit(value);
        self.settle();
    }

    pub fn click(&mut self, name: &str) {
        self.harness.get_by_label(name).click();
        self.settle();
        self.leave();
    }

    pub fn drag(&mut self, name: &str, by: Vec2) {
        let from = self.harness.get_by_label(name).rect().center();
        self.harness.drag_at(from);
        self.harness.step();
        for part in 1..=4 {
            self.harness.hover_at(from + by * (part as f32 / 4.0));
            self.harness.step();
        }
        self.harness.drop_at(from + by);
        self.settle();
        self.leave();
    }

    pub fn drop_file(&mut self, path: &Path) {
        self.harness.input_mut().dropped_files.push(Arc::new(File(path.to_path_buf())));
        self.settle();
    }
}

/// A file as the system hands it over when it is dropped.
#[derive(Debug)]
struct File(PathBuf);

impl DroppedFile for File {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        std::fs::read(&self.0).map_err(|error| error.to_string())
    }
}
