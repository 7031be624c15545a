//! A look at the chosen images: some of them, and what is wrong with them.

use std::sync::Arc;

use egui::{ColorImage, Context, TextureHandle, TextureOptions};

use super::{
    errand::{self, CheckProgress, DataReport, Images, Tile, TrainingAnswer},
    form::{DataChoice, TrainingForm},
};
use crate::ui::background::{Answer, Background};

/// What is known of the chosen images.
#[derive(Default)]
pub struct DataLook {
    /// What was looked at.
    key: Option<Key>,
    /// The number of the look; answers to earlier ones are dropped.
    number: u64,
    /// Some of the images.
    pub thumbnails: Vec<TextureHandle>,
    /// Numbers of a label, once that is known.
    label_dim: Option<Result<usize, String>>,
    /// What is in the folder or zip; `None` for the built-in images.
    pub report: Option<LookReport>,
}

/// The check of a folder or zip.
#[derive(Debug)]
pub enum LookReport {
    /// It is being read.
    Reading(Arc<CheckProgress>),
    /// It was read.
    Done(DataReport),
    /// It cannot be used.
    Failed(String),
}

#[derive(Debug, Clone, PartialEq)]
struct Key {
    data: DataChoice,
    resolution: usize,
    mirror: bool,
    seed: u32,
}

impl DataLook {
    /// Begins a look if something else is chosen than what was looked at.
    pub fn follow(&mut self, form: &TrainingForm, background: &Background) {
        let seed = if form.data == DataChoice::Portraits { form.seed } else { 0 };
        let key = Key { data: form.data.clone(), resolution: form.resolution, mirror: form.mirror, seed };
        if self.key.as_ref() == Some(&key) {
            return;
        }
        self.stop();
        self.number += 1;
        let number = self.number;
        let Key { data, resolution, mirror, seed } = key.clone();
        let same_images = self.key.as_ref().is_some_and(|old| old.data == data && old.seed == seed);
        self.key = Some(key);
        if !same_images {
            self.thumbnails.clear();
            self.label_dim = None;
        }
        let of = data.clone();
        let work = move || {
            let images = errand::images(&of, resolution, u64::from(seed));
            Some(Answer::Training(TrainingAnswer::Images(number, images)))
        };
        if let Err(error) = background.spawn("thumbnails", work) {
            log::warn!("the images are not shown: {error}");
            self.label_dim = Some(Err(error.to_string()));
        }
        self.report = match data {
            DataChoice::Portraits => None,
            DataChoice::Path(path) => {
                let progress = Arc::new(CheckProgress::default());
                let shared = Arc::clone(&progress);
                let work = move || {
                    let found = errand::report(&path, resolution, mirror, &shared)?;
                    Some(Answer::Training(TrainingAnswer::Report(number, found)))
                };
                Some(match background.spawn("dataset check", work) {
                    Ok(()) => LookReport::Reading(progress),
                    Err(error) => LookReport::Failed(format!("The images cannot be looked at: {error}")),
                })
            }
        };
    }

    /// Numbers of a label of these images; 0 if they have none, `None` while that is not known.
    pub fn label_dim(&self, data: &DataChoice) -> Option<&Result<usize, String>> {
        self.label_dim.as_ref().filter(|_| self.key.as_ref().is_some_and(|key| key.data == *data))
    }

    /// Takes over the images, unless others were chosen meanwhile.
    pub fn on_images(&mut self, number: u64, images: Images, ctx: &Context) {
        if number != self.number {
            return;
        }
        self.label_dim = Some(images.label_dim);
        match images.tiles {
            Ok(tiles) => {
                let texture = |(i, tile): (usize, &Tile)| texture(ctx, &format!("thumbnail {i}"), tile);
                self.thumbnails = tiles.iter().enumerate().map(texture).collect();
            }
            // The check says it too, with all its causes.
            Err(error) if self.report.is_some() => log::debug!("no thumbnails: {error}"),
            Err(error) => self.report = Some(LookReport::Failed(error)),
        }
    }

    /// Takes over the check, unless other images were chosen meanwhile.
    pub fn on_report(&mut self, number: u64, report: Result<DataReport, String>) {
        if number == self.number {
            self.report = Some(report.map_or_else(LookReport::Failed, LookReport::Done));
        }
    }

    /// Gives up a check that is under way.
    fn stop(&self) {
        if let Some(LookReport::Reading(progress)) = &self.report {
            progress.cancel();
        }
    }
}

impl Drop for DataLook {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A picture as a texture: enlarged pixels keep their edges, shrunk ones are averaged.
pub fn texture(ctx: &Context, name: &str, tile: &Tile) -> TextureHandle {
    let options = TextureOptions { magnification: egui::TextureFilter::Nearest, ..TextureOptions::LINEAR };
    ctx.load_texture(name, ColorImage::from_rgba_unmultiplied(tile.size, &tile.rgba), options)
}
