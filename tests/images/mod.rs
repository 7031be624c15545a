//! Image files and archives made by tests.

// Every test binary compiles this module and uses its own part of it.
#![allow(dead_code)]

use std::io::{Cursor, Write};

use image::{DynamicImage, ImageFormat, RgbImage};

/// A PNG.
pub fn png(image: DynamicImage) -> Vec<u8> {
    encoded(&image, ImageFormat::Png)
}

/// A JPEG.
pub fn jpeg(image: &RgbImage) -> Vec<u8> {
    encoded(&DynamicImage::ImageRgb8(image.clone()), ImageFormat::Jpeg)
}

/// The first bytes of a format that is not read.
pub fn bmp() -> Vec<u8> {
    let mut bytes = b"BM".to_vec();
    bytes.resize(70, 0);
    bytes
}

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).expect("an image that can be encoded");
    bytes.into_inner()
}

/// A zip of compressed files.
pub fn zip(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).expect("a new entry");
        writer.write_all(bytes).expect("memory takes it");
    }
    writer.finish().expect("a finished archive").into_inner()
}
