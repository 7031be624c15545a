//! Where a run's images go: a folder of PNGs, a sheet, a file of raw tensors.

use std::path::{Path, PathBuf};

use anyhow::Context;

use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

use super::{
    raw::{RawFile, RawTensor},
    sheet::{GridSize, Sheet},
    synthesis::Picture,
};
use crate::{
    base::atomic_file::write_atomic,
    gpu::quantize::rgba8,
    session::{png, record::PoseRecord},
};

/// The outputs that were asked for.
pub struct Output {
    folder: Option<PathBuf>,
    sheet: Option<(PathBuf, Sheet)>,
    raw: Option<(PathBuf, RawFile)>,
}

impl Output {
    /// Makes the folder and begins the files.
    ///
    /// - `out`: a folder, or the name of the sheet alone (`.png`)
    /// - `grid`: size of the sheet in images, and the side of an image in pixels
    /// - `raw`: name, number of images and tensors of the raw file
    ///
    /// # Errors
    /// If something cannot be made.
    pub fn create(
        out: Option<&Path>,
        grid: Option<(GridSize, usize)>,
        raw: Option<(&Path, u64, &[RawTensor])>,
    ) -> anyhow::Result<Self> {
        let sheet_only = out.is_some_and(|out| out.extension().is_some_and(|e| e == "png"));
        let folder = out.filter(|_| !sheet_only).map(Path::to_owned);
        let sheet = match (out, grid) {
            (Some(out), Some((grid, side))) => {
                let path = if sheet_only { out.to_owned() } else { out.join("grid.png") };
                Some((path, Sheet::new(grid, side)?))
            }
            _ => None,
        };
        let parents = [
            folder.as_deref(),
            sheet.as_ref().and_then(|(path, _)| path.parent()),
            raw.and_then(|(path, ..)| path.parent()),
        ];
        for folder in parents.into_iter().flatten().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        }
        let raw = match raw {
            Some((path, rows, tensors)) => {
                let file = RawFile::create(path, rows, tensors).with_context(|| cannot_write(path))?;
                Some((path.to_owned(), file))
            }
            None => None,
        };
        Ok(Self { folder, sheet, raw })
    }

    /// Writes one image. `record` goes into its PNG, so that the window can open the pose again.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn push(&mut self, name: &str, picture: &Picture, record: Option<&PoseRecord>) -> anyhow::Result<()> {
        if let Some((path, raw)) = &mut self.raw {
            let rows = [
                ("z", picture.z.as_ref()),
                ("w", picture.w.as_ref()),
                ("ws", Some(&picture.ws)),
                ("image", Some(&picture.image)),
            ];
            for (name, row) in rows {
                if let Some(row) = row {
                    raw.push(name, row).with_context(|| cannot_write(path))?;
                }
            }
        }
        if self.folder.is_none() && self.sheet.is_none() {
            return Ok(());
        }
        let rgba = rgba8(&picture.image, picture.channels, picture.side, picture.side)?;
        if let Some(folder) = &self.folder {
            let path = folder.join(format!("{name}.png"));
            let side = picture.side as u32;
            write_png(&path, &rgba, [side, side], record)?;
        }
        if let Some((_, sheet)) = &mut self.sheet {
            sheet.push(&rgba);
        }
        Ok(())
    }

    /// Completes the files and says where they are.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn finish(self) -> anyhow::Result<String> {
        let mut places: Vec<String> = self.folder.iter().map(|folder| folder.display().to_string()).collect();
        if let Some((path, sheet)) = self.sheet {
            write_png(&path, sheet.rgba(), sheet.size(), None)?;
            places.push(path.display().to_string());
        }
        if let Some((path, raw)) = self.raw {
            raw.finish().with_context(|| cannot_write(&path))?;
            places.push(path.display().to_string());
        }
        Ok(places.join(", "))
    }
}

/// Writes RGBA pixels, as RGB where all are opaque.
pub(super) fn write_png(path: &Path, rgba: &[u8], size: [u32; 2], record: Option<&PoseRecord>) -> anyhow::Result<()> {
    if let Some(record) = record {
        return Ok(png::write_png(path, rgba, size, record)?);
    }
    let [width, height] = size;
    let mut bytes = Vec::new();
    let encoder = PngEncoder::new(&mut bytes);
    if rgba.chunks_exact(4).all(|pixel| pixel[3] == 255) {
        let rgb: Vec<u8> = rgba.chunks_exact(4).flat_map(|pixel| &pixel[..3]).copied().collect();
        encoder.write_image(&rgb, width, height, ExtendedColorType::Rgb8)?;
    } else {
        encoder.write_image(rgba, width, height, ExtendedColorType::Rgba8)?;
    }
    Ok(write_atomic(path, |out| out.write_all(&bytes))?)
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}
