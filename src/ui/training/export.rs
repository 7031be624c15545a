//! The history as a table, and the charts as a picture.

use std::{path::Path, sync::Arc};

use egui::{ColorImage, Rect};
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

use super::curves;
use crate::{
    base::{atomic_file::write_atomic, error_chain::error_chain},
    training::history::HistoryLine,
};

/// Writes the history as comma-separated values.
pub fn write_csv(path: &Path, history: &[HistoryLine]) -> Result<(), String> {
    let text = curves::csv(history);
    write_atomic(path, |out| out.write_all(text.as_bytes())).map_err(|error| error_chain(&error))
}

/// Writes a part of the window, in pixels, as PNG.
pub fn write_png(path: &Path, window: &Arc<ColorImage>, part: Rect) -> Result<(), String> {
    let [width, height] = window.size;
    let clamp = |value: f32, most: usize| (value.max(0.0) as usize).min(most);
    let (left, right) = (clamp(part.left().floor(), width), clamp(part.right().ceil(), width));
    let (top, bottom) = (clamp(part.top().floor(), height), clamp(part.bottom().ceil(), height));
    if left >= right || top >= bottom {
        return Err("the charts are not in sight".into());
    }
    let rows = (top..bottom).flat_map(|y| window.pixels.get(y * width + left..y * width + right).unwrap_or_default());
    let rgb: Vec<u8> = rows.flat_map(|pixel| [pixel.r(), pixel.g(), pixel.b()]).collect();
    let write = write_atomic(path, |out| {
        let size = ((right - left) as u32, (bottom - top) as u32);
        PngEncoder::new(out).write_image(&rgb, size.0, size.1, ExtendedColorType::Rgb8).map_err(std::io::Error::other)
    });
    write.map_err(|error| error_chain(&error))
}

#[cfg(test)]
mod tests {
    use egui::{Color32, pos2};

    use super::*;

    #[test]
    fn a_part_of_the_window_becomes_a_picture() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("charts.png");
        let pixels = (0..12).map(|i| Color32::from_rgb(i, 0, 0)).collect();
        let window = Arc::new(ColorImage::new([4, 3], pixels));
        write_png(&path, &window, Rect::from_min_max(pos2(1.0, 1.0), pos2(3.0, 90.0))).unwrap();
        let image = image::open(&path).unwrap().into_rgb8();
        assert_eq!((image.width(), image.height()), (2, 2));
        assert_eq!(image.pixels().map(|pixel| pixel.0[0]).collect::<Vec<_>>(), [5, 6, 9, 10]);
        let beyond = Rect::from_min_max(pos2(9.0, 0.0), pos2(12.0, 2.0));
        assert!(write_png(&path, &window, beyond).is_err());
        assert!(write_csv(&folder.path().join("none/a.csv"), &[]).unwrap_err().contains("none"));
    }
}
