//! Image files and archives made by tests.

// Every test binary compiles this module and uses its own part of it.
#![allow(dead_code)]

use std::io::{Cursor, Write};

use image::{DynamicImage, ImageFormat, RgbImage};

/// A PNG.
pub fn png(image: DynamicImage) -> Vec<u8> {
    encoded(&image, ImageFormat::Png)
}

/// A WebP without loss.
pub fn webp(image: DynamicImage) -> Vec<u8> {
    encoded(&image, ImageFormat::WebP)
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

/// One chunk of a PNG.
fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut bytes = (data.len() as u32).to_be_bytes().to_vec();
    bytes.extend(kind);
    bytes.extend(data);
    bytes.extend(crc32fast::hash(&bytes[4..]).to_be_bytes());
    bytes
}

/// Compressed zeros.
fn zeros(count: usize) -> Vec<u8> {
    let mut writer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    let block = vec![0; 1 << 20];
    let mut left = count;
    while left > 0 {
        let now = left.min(block.len());
        writer.write_all(&block[..now]).expect("memory takes it");
        left -= now;
    }
    writer.finish().expect("a finished stream")
}

/// A grey PNG that says it has this size, with `rows` bytes of pixels in it and another chunk before them.
pub fn png_of(width: u32, height: u32, rows: usize, extra: Option<(&[u8; 4], Vec<u8>)>) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut head = [width.to_be_bytes(), height.to_be_bytes()].concat();
    head.extend([8, 0, 0, 0, 0]);
    bytes.extend(chunk(b"IHDR", &head));
    if let Some((kind, data)) = extra {
        bytes.extend(chunk(kind, &data));
    }
    bytes.extend(chunk(b"IDAT", &zeros(rows)));
    bytes.extend(chunk(b"IEND", &[]));
    bytes
}

/// A name, then `count` zeros compressed: the data of `zTXt` and `iCCP`.
pub fn named_zeros(count: usize) -> Vec<u8> {
    [b"bomb\0\0".to_vec(), zeros(count)].concat()
}

/// A JPEG of 8x8 pixels in inverted CMYK, all four values in the middle of their range.
pub fn cmyk_jpeg() -> Vec<u8> {
    let mut bytes = vec![0xff, 0xd8];
    let mut segment = |marker: u8, data: &[u8]| {
        bytes.extend([0xff, marker]);
        bytes.extend((data.len() as u16 + 2).to_be_bytes());
        bytes.extend(data);
    };
    segment(0xee, b"Adobe\0\x64\0\0\0\0\0");
    segment(0xdb, &[vec![0], vec![1; 64]].concat());
    let components = |a: u8, b: u8| (1..=4).flat_map(move |id| [id, a, b]);
    segment(0xc0, &[8, 0, 8, 0, 8, 4].into_iter().chain(components(0x11, 0)).collect::<Vec<_>>());
    // One code of one bit each: a difference of nothing, and the end of a block.
    let lengths = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    segment(0xc4, &[&[0x00], &lengths[..]].concat());
    segment(0xc4, &[&[0x10], &lengths[..]].concat());
    let scan = (1..=4).flat_map(|id| [id, 0]);
    segment(0xda, &std::iter::once(4).chain(scan).chain([0, 63, 0]).collect::<Vec<_>>());
    // Two bits for each of four blocks.
    bytes.extend([0x00, 0xff, 0xd9]);
    bytes
}
