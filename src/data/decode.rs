//! From the bytes of a file to a prepared picture, within limits.
//!
//! - Grey, colour, 16 bit, palettes and CMYK are converted to the dataset's channels.
//! - Transparency is kept with 4 channels; otherwise the picture is laid on white.
//! - A picture that is not square is cut or bordered, see [`Fit`].

use std::io::Cursor;

use image::{DynamicImage, GenericImageView, ImageFormat, ImageReader, Limits, imageops::FilterType};
use serde::{Deserialize, Serialize};

use super::{error::ImageProblem, picture::Picture};

/// Longest side of an image in pixels.
pub(super) const MAX_SIDE: u32 = 16_384;
/// Memory that one file may take from its bytes to the prepared picture.
const MAX_COST: u64 = 256 << 20;
/// What texts and colour profiles of a PNG may unfold to.
const MAX_METADATA: u64 = 16 << 20;
/// Largest side of a prepared picture.
const MAX_PREPARED: u64 = 1024;
/// Scans of a JPEG; ordinary progressive ones have about ten.
const MAX_SCANS: usize = 100;

/// What becomes of pictures that are not square.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// The largest square in the middle.
    #[default]
    Crop,
    /// All of it, with black borders (transparent ones with 4 channels).
    Whole,
}

/// Channels of all pictures of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channels {
    /// 1: colours become luminance.
    Grey,
    /// 3: grey is spread over all.
    #[default]
    Rgb,
    /// 4: with transparency; what has none is opaque.
    Rgba,
}

impl Channels {
    /// Their number.
    pub fn count(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb => 3,
            Self::Rgba => 4,
        }
    }
}

/// What the head of a file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// The file's own colours.
    pub color: image::ColorType,
}

/// Decodes and prepares: `[channels, resolution, resolution]`.
///
/// # Errors
/// What is wrong with the file.
pub fn prepare(bytes: &[u8], resolution: usize, channels: Channels, fit: Fit) -> Result<Picture, ImageProblem> {
    let (mut image, _) = decode(bytes)?;
    let side = resolution as u32;
    let square = match fit {
        Fit::Crop => {
            let (w, h) = image.dimensions();
            let short = w.min(h);
            if w != h {
                // The whole picture is not kept beside its middle.
                image = image.crop_imm((w - short) / 2, (h - short) / 2, short, short);
            }
            scale(image, side, side, channels)
        }
        Fit::Whole => bordered(image, side, channels),
    };
    let bytes = match channels {
        Channels::Grey => square.into_luma8().into_raw(),
        Channels::Rgb => square.into_rgb8().into_raw(),
        Channels::Rgba => square.into_rgba8().into_raw(),
    };
    Ok(Picture::from_interleaved(channels.count(), resolution, resolution, &bytes))
}

/// Decodes all of a file; its header comes along.
///
/// # Errors
/// What is wrong with the file.
pub fn decode(bytes: &[u8]) -> Result<(DynamicImage, Header), ImageProblem> {
    let format = format(bytes)?;
    if format == ImageFormat::Jpeg && scans(bytes) > MAX_SCANS {
        return Err(ImageProblem::Decode(format!("a JPEG with more than {MAX_SCANS} scans")));
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits());
    let decoder = reader.into_decoder().map_err(problem)?;
    let header = header_of(&decoder)?;
    if cost(bytes, format, &header) > MAX_COST {
        return Err(ImageProblem::Size { width: header.width, height: header.height });
    }
    let mut image = DynamicImage::from_decoder(decoder).map_err(problem)?;
    // Deep colours twice as large as needed would only be carried along.
    image = match image {
        DynamicImage::ImageLuma16(_) => DynamicImage::ImageLuma8(image.into_luma8()),
        DynamicImage::ImageLumaA16(_) => DynamicImage::ImageLumaA8(image.into_luma_alpha8()),
        DynamicImage::ImageRgb16(_) | DynamicImage::ImageRgb32F(_) => DynamicImage::ImageRgb8(image.into_rgb8()),
        DynamicImage::ImageRgba16(_) | DynamicImage::ImageRgba32F(_) => DynamicImage::ImageRgba8(image.into_rgba8()),
        other => other,
    };
    Ok((image, header))
}

fn format(bytes: &[u8]) -> Result<ImageFormat, ImageProblem> {
    if bytes.is_empty() {
        return Err(ImageProblem::EmptyFile);
    }
    match image::guess_format(bytes) {
        Ok(format @ (ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP)) => Ok(format),
        _ => Err(ImageProblem::Format),
    }
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_METADATA);
    limits
}

fn header_of(decoder: &impl image::ImageDecoder) -> Result<Header, ImageProblem> {
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 || width > MAX_SIDE || height > MAX_SIDE {
        return Err(ImageProblem::Size { width, height });
    }
    Ok(Header { width, height, color: decoder.color_type() })
}

/// Bytes that decoding and preparing take at the most, as far as the head of a file lets it be known.
fn cost(bytes: &[u8], format: ImageFormat, header: &Header) -> u64 {
    let pixels = u64::from(header.width) * u64::from(header.height);
    let color = header.color;
    let (own, channels) = (u64::from(color.bytes_per_pixel()), u64::from(color.channel_count()));
    let file = bytes.len() as u64;
    let metadata = if format == ImageFormat::Png { MAX_METADATA } else { 0 };
    let decoding = match format {
        // The decoder keeps a copy of the file.
        ImageFormat::Jpeg => file + pixels * (own + jpeg_coefficients(bytes)),
        // Planes or indices, the frame and the picture.
        ImageFormat::WebP => 12 * pixels,
        _ => own * pixels,
    };
    let shallow = if own > channels { (own + channels) * pixels } else { 0 };
    // A copy is made to cut the square, or to lay transparency on white (4 beside 3 or 4).
    let copies = if color.has_alpha() { 8 } else { 2 * channels };
    // The resizer holds one direction done in 4 floats a pixel.
    let resizing = 16 * MAX_PREPARED * u64::from(header.width.min(header.height)) + channels.max(3) * pixels;
    file + metadata + decoding.max(shallow).max(copies * pixels).max(resizing)
}

/// Bytes a pixel for the coefficients that a JPEG in several scans needs all at once; 0 for one in a single scan.
fn jpeg_coefficients(bytes: &[u8]) -> u64 {
    let mut at = 2;
    while let Some(&[0xff, marker, high, low]) = bytes.get(at..at + 4) {
        // The head of a frame, but for the tables that share its range of markers.
        if (0xc0..=0xcf).contains(&marker) && ![0xc4, 0xc8, 0xcc].contains(&marker) {
            let components = bytes.get(at + 9).map_or(4, |&n| u64::from(n.min(4)));
            return if marker == 0xc2 || scans(bytes) > 1 { 2 * components } else { 0 };
        }
        at += 2 + usize::from(u16::from_be_bytes([high, low]));
    }
    // Nothing that the decoder will like, or fill bytes between the segments.
    8
}

fn problem(error: image::ImageError) -> ImageProblem {
    let text: String = error.to_string().chars().take(200).collect();
    ImageProblem::Decode(text)
}

/// Start-of-scan markers. Within compressed data the byte 0xff never stands before 0xda, so that this finds no more
/// than there are, but for those in a thumbnail.
fn scans(bytes: &[u8]) -> usize {
    bytes.windows(2).filter(|pair| *pair == [0xff, 0xda]).count()
}

fn has_alpha(image: &DynamicImage) -> bool {
    image.color().has_alpha()
}

/// Resizes to `width` and `height`; transparency is laid on white where it is not kept.
fn scale(image: DynamicImage, width: u32, height: u32, channels: Channels) -> DynamicImage {
    let same = image.dimensions() == (width, height);
    let filter = FilterType::Lanczos3;
    if !has_alpha(&image) {
        return if same { image } else { image.resize_exact(width, height, filter) };
    }
    let mut rgba = image.into_rgba8();
    if channels != Channels::Rgba {
        rgba.pixels_mut().for_each(|p| (0..3).for_each(|c| p.0[c] = times(p.0[c], p.0[3]) + (255 - p.0[3])));
        let opaque = DynamicImage::ImageRgb8(DynamicImage::ImageRgba8(rgba).into_rgb8());
        return if same { opaque } else { opaque.resize_exact(width, height, filter) };
    }
    if same {
        return DynamicImage::ImageRgba8(rgba);
    }
    // Colours count as far as they are opaque, or invisible pixels would bleed into the rest.
    rgba.pixels_mut().for_each(|p| (0..3).for_each(|c| p.0[c] = times(p.0[c], p.0[3])));
    let mut scaled = image::imageops::resize(&rgba, width, height, filter);
    for p in scaled.pixels_mut().filter(|p| p.0[3] > 0) {
        let alpha = u32::from(p.0[3]);
        (0..3).for_each(|c| p.0[c] = ((u32::from(p.0[c]) * 255 + alpha / 2) / alpha).min(255) as u8);
    }
    DynamicImage::ImageRgba8(scaled)
}

/// The product of two shares of 255.
fn times(a: u8, b: u8) -> u8 {
    ((u32::from(a) * u32::from(b) + 127) / 255) as u8
}

fn bordered(image: DynamicImage, side: u32, channels: Channels) -> DynamicImage {
    let (w, h) = image.dimensions();
    let long = f64::from(w.max(h));
    let scaled_side = |n: u32| ((f64::from(n) * f64::from(side) / long).round() as u32).clamp(1, side);
    let (width, height) = (scaled_side(w), scaled_side(h));
    let scaled = scale(image, width, height, channels).into_rgba8();
    let border = image::Rgba([0, 0, 0, if channels == Channels::Rgba { 0 } else { 255 }]);
    let mut square = image::RgbaImage::from_pixel(side, side, border);
    image::imageops::replace(&mut square, &scaled, i64::from((side - width) / 2), i64::from((side - height) / 2));
    DynamicImage::ImageRgba8(square)
}
