//! Opening the window.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use eframe::{
    NativeOptions, Renderer,
    egui_wgpu::{WgpuSetup, WgpuSetupExisting},
};
use egui::ViewportBuilder;

use super::app::{App, AppOptions, Remembered, Start};
use crate::{
    gpu::device::{self, Compute, DeviceChoice},
    session::{settings::WindowSize, settings_store::SettingsStore},
};

/// Size of the window at first, in points.
const SIZE: [f32; 2] = [1280.0, 800.0];
/// Smallest size that still shows everything.
const MIN_SIZE: [f32; 2] = [560.0, 360.0];

/// Opens the window and returns when it was closed. Without `file` it starts with what was open the
/// last time, at first with the bundled model.
///
/// # Errors
/// If the device cannot be used or there is no display.
pub fn run(file: Option<PathBuf>, device: DeviceChoice) -> anyhow::Result<()> {
    let compute = device::select(device)?;
    let remembered = match SettingsStore::open_default() {
        Ok(store) => Some(Remembered { loaded: store.load(), store }),
        Err(error) => {
            log::warn!("{error}");
            None
        }
    };
    let start = file.map_or(Start::Last, Start::Path);
    let window = remembered.as_ref().and_then(|remembered| remembered.loaded.settings.window);
    let native = native_options(&compute, window);
    let creator = move |context: &eframe::CreationContext<'_>| {
        let render_state = context.wgpu_render_state.clone().ok_or("the window has no graphics device")?;
        let options = AppOptions { compute, start, remembered };
        let app = App::new(options, render_state)?;
        Ok(Box::new(app) as Box<dyn eframe::App>)
    };
    // Its error type cannot cross threads, so that only its words are kept.
    eframe::run_native("Stylescope", native, Box::new(creator))
        .map_err(|error| anyhow!("{error}"))
        .context("the window could not be opened (is there a display?)")
}

fn native_options(compute: &Compute, window: Option<WindowSize>) -> NativeOptions {
    let size = window.map_or(SIZE, |window| [window.width, window.height]);
    let mut viewport = ViewportBuilder::default()
        .with_title("Stylescope")
        .with_app_id("stylescope")
        .with_inner_size(size)
        .with_maximized(window.is_some_and(|window| window.maximized))
        .with_min_inner_size(MIN_SIZE);
    match eframe::icon_data::from_png_bytes(include_bytes!("../../assets/icon.png")) {
        Ok(icon) => viewport = viewport.with_icon(icon),
        Err(error) => log::warn!("the window has no icon: {error}"),
    }
    let mut native = NativeOptions { viewport, renderer: Renderer::Wgpu, ..NativeOptions::default() };
    if let Some(shared) = &compute.shared {
        // The window adopts the device that computes, so that an image needs no way through the host's memory.
        native.wgpu_options.wgpu_setup = WgpuSetup::Existing(WgpuSetupExisting {
            instance: shared.instance.clone(),
            adapter: shared.adapter.clone(),
            device: shared.device.clone(),
            queue: shared.queue.clone(),
        });
    }
    native
}
