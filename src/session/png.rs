//! PNG pictures that remember their pose: written with it, and read without decoding a single pixel.
//!
//! The pose stands in an `iTXt` chunk (PNG specification, third edition, section 11.3.3.4) with the keyword
//! `stylescope`. The reader walks over the chunk headers and looks into nothing else, so pictures of any claimed size
//! and text bombs under other keywords cost nothing.

use std::{
    io::{self, BufReader, Cursor, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::record::{MAX_TEXT_BYTES, PoseRecord, RecordError};
use crate::base::{
    atomic_file::{AtomicFileError, write_atomic, write_numbered},
    regular_file::open_regular,
};

/// Keyword of the chunk with the pose.
const KEYWORD: &[u8] = b"stylescope";
const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";
/// Texts up to this size are written plainly, so that people can find them with any tool; larger ones are compressed.
const PLAIN_TEXT_BYTES: usize = 4096;
/// Chunks that are looked at: far more than pictures of ordinary encoders have, few enough to take no time.
const MAX_CHUNKS: usize = 100_000;
/// What an `iTXt` chunk holds besides keyword and text; languages are short.
const MAX_TEXT_HEADER_BYTES: usize = 1024;

/// Why a picture could not be written, or why no pose could be read from it.
#[derive(Debug, thiserror::Error)]
pub enum PngError {
    /// The pixels do not fill the picture.
    #[error("a picture of {width}x{height} needs {expected} bytes of RGBA, not {found}")]
    Size {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// `4 * width * height`.
        expected: u64,
        /// Bytes given.
        found: usize,
    },
    /// The file could not be saved.
    #[error(transparent)]
    Save(#[from] AtomicFileError),
    /// The picture could not be encoded.
    #[error("the picture could not be encoded as PNG")]
    Encode(#[from] ::png::EncodingError),
    /// The file could not be opened or read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is no PNG.
    #[error("this is not a PNG picture")]
    NotPng,
    /// The file ends within a chunk, or a chunk is longer than a PNG may have.
    #[error("the PNG is damaged at byte {offset}: it ends within a chunk")]
    Truncated {
        /// Where the chunk begins.
        offset: u64,
    },
    /// It is a PNG without a pose.
    #[error("this picture carries no pose; only PNG files that Stylescope saved, unchanged by other programs, do")]
    NoPose,
    /// The chunk with the pose is not as it was written.
    #[error("the pose in this PNG is damaged at byte {offset}: {cause}")]
    Damaged {
        /// Where the chunk begins.
        offset: u64,
        /// What is wrong.
        cause: &'static str,
    },
    /// The pose is longer than any pose.
    #[error("the pose in this PNG is larger than the {MAX_TEXT_BYTES} bytes that a pose can have")]
    TooLarge,
    /// The chunk holds no pose that can be used.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// Encodes `rgba` (`[height, width, 4]` bytes) with the pose in it. A picture without transparency is written as RGB.
///
/// # Errors
/// Pixels that do not fill the picture, and errors of `out`.
pub fn encode_png(out: &mut dyn Write, rgba: &[u8], size: [u32; 2], record: &PoseRecord) -> Result<(), PngError> {
    let [width, height] = size;
    let expected = (u64::from(width) * u64::from(height)).saturating_mul(4);
    if expected != rgba.len() as u64 {
        return Err(PngError::Size { width, height, expected, found: rgba.len() });
    }
    let opaque = rgba.chunks_exact(4).all(|pixel| pixel.last() == Some(&255));
    let mut writer = begin(out, size, opaque, record, |_| Ok(()))?;
    write_pixels(&mut writer, rgba, opaque)?;
    writer.finish()?;
    Ok(())
}

/// Begins a picture: all that stands in front of its pixels, the pose included. `prepare` may ask the encoder for more.
pub(super) fn begin<W: Write>(
    out: W,
    [width, height]: [u32; 2],
    opaque: bool,
    record: &PoseRecord,
    prepare: impl FnOnce(&mut ::png::Encoder<'_, W>) -> Result<(), ::png::EncodingError>,
) -> Result<::png::Writer<W>, PngError> {
    let text = record.to_text()?;
    let mut encoder = ::png::Encoder::new(out, width, height);
    encoder.set_depth(::png::BitDepth::Eight);
    encoder.set_color(if opaque { ::png::ColorType::Rgb } else { ::png::ColorType::Rgba });
    encoder.add_text_chunk("Software".to_owned(), concat!("Stylescope ", env!("CARGO_PKG_VERSION")).to_owned())?;
    prepare(&mut encoder)?;
    let mut writer = encoder.write_header()?;
    writer.write_chunk(::png::chunk::iTXt, &text_chunk(&text).map_err(::png::EncodingError::from)?)?;
    Ok(writer)
}

/// Adds the pixels of a picture, or of a frame of an animation; those of an opaque one without their alpha.
pub(super) fn write_pixels<W: Write>(
    writer: &mut ::png::Writer<W>,
    rgba: &[u8],
    opaque: bool,
) -> Result<(), ::png::EncodingError> {
    if !opaque {
        return writer.write_image_data(rgba);
    }
    let rgb: Vec<u8> = rgba.chunks_exact(4).flat_map(|pixel| pixel.iter().take(3)).copied().collect();
    writer.write_image_data(&rgb)
}

/// Saves `rgba` (`[height, width, 4]` bytes) with the pose in it; an existing file is replaced in one step.
///
/// # Errors
/// As [`encode_png`], and what keeps the file from being saved.
pub fn write_png(path: &Path, rgba: &[u8], size: [u32; 2], record: &PoseRecord) -> Result<(), PngError> {
    let bytes = encode_to_memory(rgba, size, record)?;
    Ok(write_atomic(path, |out| out.write_all(&bytes))?)
}

/// Saves a picture as `folder/stem-0001.png` or the next free number, and returns its path.
///
/// # Errors
/// As [`write_png`].
pub fn write_png_numbered(
    folder: &Path,
    stem: &str,
    rgba: &[u8],
    size: [u32; 2],
    record: &PoseRecord,
) -> Result<PathBuf, PngError> {
    let bytes = encode_to_memory(rgba, size, record)?;
    Ok(write_numbered(folder, stem, "png", |out| out.write_all(&bytes))?)
}

/// A picture is encoded before its file is touched: that way an error of the picture is not one of the file.
fn encode_to_memory(rgba: &[u8], size: [u32; 2], record: &PoseRecord) -> Result<Vec<u8>, PngError> {
    let mut bytes = Vec::new();
    encode_png(&mut bytes, rgba, size, record)?;
    Ok(bytes)
}

/// The contents of the chunk: keyword, compression flag and method, empty language and translated keyword, text.
fn text_chunk(text: &str) -> io::Result<Vec<u8>> {
    let compressed = text.len() > PLAIN_TEXT_BYTES;
    let mut chunk = [KEYWORD, &[0, compressed.into(), 0, 0, 0]].concat();
    if compressed {
        let mut encoder = flate2::write::ZlibEncoder::new(&mut chunk, flate2::Compression::default());
        encoder.write_all(text.as_bytes())?;
        encoder.finish()?;
    } else {
        chunk.extend_from_slice(text.as_bytes());
    }
    Ok(chunk)
}

/// Reads the pose of a picture in memory.
///
/// # Errors
/// As [`read_pose_file`].
pub fn read_pose(bytes: &[u8]) -> Result<PoseRecord, PngError> {
    read_pose_from(&mut Cursor::new(bytes), Path::new("the picture"))
}

/// Reads the pose of a saved picture, and of the file no more than it needs for that.
///
/// # Errors
/// Files that cannot be read, are no PNG, carry no pose, or carry one that is damaged, too large or of a newer program.
pub fn read_pose_file(path: &Path) -> Result<PoseRecord, PngError> {
    let opened = open_regular(path).map_err(|source| PngError::Read { path: path.to_owned(), source })?;
    let (file, _) = opened.ok_or(PngError::NotPng)?;
    read_pose_from(&mut BufReader::new(file), path)
}

fn read_pose_from(input: &mut (impl Read + Seek), path: &Path) -> Result<PoseRecord, PngError> {
    let unreadable = |source| PngError::Read { path: path.to_owned(), source };
    let end = input.seek(SeekFrom::End(0)).map_err(unreadable)?;
    input.rewind().map_err(unreadable)?;
    let mut signature = [0; SIGNATURE.len()];
    match input.read_exact(&mut signature) {
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(unreadable(error)),
        Ok(()) if signature == SIGNATURE => {}
        _ => return Err(PngError::NotPng),
    }
    let mut offset = SIGNATURE.len() as u64;
    for _ in 0..MAX_CHUNKS {
        let truncated = || PngError::Truncated { offset };
        let mut header = [0; 8];
        if end.saturating_sub(offset) < 12 {
            return Err(truncated());
        }
        input.read_exact(&mut header).map_err(unreadable)?;
        let [l0, l1, l2, l3, kind @ ..] = header;
        let length = u32::from_be_bytes([l0, l1, l2, l3]);
        let next = offset + 12 + u64::from(length);
        if next > end {
            return Err(truncated());
        }
        match &kind {
            b"IEND" => return Err(PngError::NoPose),
            b"iTXt" if length as usize > KEYWORD.len() => {
                let mut keyword = [0; KEYWORD.len() + 1];
                input.read_exact(&mut keyword).map_err(unreadable)?;
                if keyword.split_last() == Some((&0, KEYWORD)) {
                    if length as usize > MAX_TEXT_BYTES + MAX_TEXT_HEADER_BYTES {
                        return Err(PngError::TooLarge);
                    }
                    // Within the file, so the allocation is no larger than what was already sent.
                    let mut rest = vec![0; length as usize - keyword.len()];
                    let mut checksum = [0; 4];
                    input.read_exact(&mut rest).map_err(unreadable)?;
                    input.read_exact(&mut checksum).map_err(unreadable)?;
                    return read_chunk(&keyword, &rest, u32::from_be_bytes(checksum), offset);
                }
            }
            _ => {}
        }
        input.seek(SeekFrom::Start(next)).map_err(unreadable)?;
        offset = next;
    }
    Err(PngError::NoPose)
}

/// Reads what follows the keyword of an `iTXt` chunk.
fn read_chunk(keyword: &[u8], rest: &[u8], checksum: u32, offset: u64) -> Result<PoseRecord, PngError> {
    let damaged = |cause| PngError::Damaged { offset, cause };
    let mut crc = flate2::Crc::new();
    for part in [b"iTXt", keyword, rest] {
        crc.update(part);
    }
    if crc.sum() != checksum {
        return Err(damaged("its checksum is wrong"));
    }
    let [compressed, method, rest @ ..] = rest else { return Err(damaged("it is too short")) };
    let mut parts = rest.splitn(3, |byte| *byte == 0);
    let (Some(_language), Some(_translated), Some(text)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(damaged("it is too short"));
    };
    let inflated;
    let text = match (*compressed, *method) {
        (0, _) => text,
        (1, 0) => {
            inflated = inflate(text).map_err(|_| damaged("its text cannot be decompressed"))?;
            if inflated.len() > MAX_TEXT_BYTES {
                return Err(PngError::TooLarge);
            }
            &inflated
        }
        _ => return Err(damaged("its compression is unknown")),
    };
    let text = std::str::from_utf8(text).map_err(|_| damaged("its text is not UTF-8"))?;
    Ok(PoseRecord::from_text(text)?)
}

/// At most one byte more than a pose can have, however much there is to come.
fn inflate(compressed: &[u8]) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    flate2::read::ZlibDecoder::new(compressed).take(MAX_TEXT_BYTES as u64 + 1).read_to_end(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::pose::Pose;

    fn record() -> PoseRecord {
        let mut record = PoseRecord::new(Pose { class: 7, ..Pose::default() }, "faces");
        record.pose.truncation.psi = 0.6;
        record
    }

    /// More text than is written plainly.
    fn large_record() -> PoseRecord {
        let mut record = record();
        record.pose.style_offsets.insert(3, (0..512).map(|channel| (channel, channel as f32 + 0.25)).collect());
        record
    }

    fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
        let mut crc = flate2::Crc::new();
        crc.update(kind);
        crc.update(data);
        [&(data.len() as u32).to_be_bytes()[..], kind, data, &crc.sum().to_be_bytes()].concat()
    }

    fn png_of(chunks: &[Vec<u8>]) -> Vec<u8> {
        // 65535 x 65535 in 16-bit RGBA: 34 GB if somebody believes it.
        let header = chunk(b"IHDR", &[0, 0, 255, 255, 0, 0, 255, 255, 16, 6, 0, 0, 0]);
        [SIGNATURE.to_vec(), header, chunks.concat(), chunk(b"IDAT", &[]), chunk(b"IEND", &[])].concat()
    }

    fn pose_chunk(prefix: &[u8], text: &[u8]) -> Vec<u8> {
        chunk(b"iTXt", &[KEYWORD, &[0], prefix, text].concat())
    }

    fn deflated(contents: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(contents).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_picture_brings_its_pose_back_and_its_pixels() {
        let folder = tempfile::tempdir().unwrap();
        for (alpha, color) in [(255, ::png::ColorType::Rgb), (254, ::png::ColorType::Rgba)] {
            for record in [record(), large_record()] {
                let rgba: Vec<u8> = (0..6).flat_map(|i| [i, 10 + i, 20 + i, alpha]).collect();
                let path = folder.path().join("a.png");
                write_png(&path, &rgba, [3, 2], &record).unwrap();
                assert_eq!(read_pose_file(&path).unwrap(), record);
                assert_eq!(read_pose(&std::fs::read(&path).unwrap()).unwrap(), record);

                let mut reader =
                    ::png::Decoder::new(BufReader::new(std::fs::File::open(&path).unwrap())).read_info().unwrap();
                let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
                let frame = reader.next_frame(&mut pixels).unwrap();
                assert_eq!((frame.width, frame.height, frame.color_type), (3, 2, color));
                let samples = if alpha == 255 { 3 } else { 4 };
                let expected: Vec<u8> = rgba.chunks(4).flat_map(|pixel| &pixel[..samples]).copied().collect();
                assert_eq!(pixels, expected);
                // Another program sees the texts as the specification has them.
                let info = reader.info();
                assert!(
                    info.uncompressed_latin1_text
                        .iter()
                        .any(|t| t.keyword == "Software" && t.text.contains("Stylescope"))
                );
                assert_eq!(info.utf8_text[0].keyword, "stylescope");
                assert_eq!(info.utf8_text[0].get_text().unwrap(), record.to_text().unwrap());
            }
        }
    }

    #[test]
    fn numbered_pictures_do_not_replace_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let save = || write_png_numbered(folder.path(), "faces", &[0; 4], [1, 1], &record()).unwrap();
        let (first, second) = (save(), save());
        assert_eq!((&first, &second), (&folder.path().join("faces-0001.png"), &folder.path().join("faces-0002.png")));
        assert_eq!(read_pose_file(&second).unwrap(), record());
    }

    #[test]
    fn pixels_must_fill_the_picture() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        for (bytes, size) in [(3, [1, 1]), (5, [1, 1]), (4, [u32::MAX, u32::MAX])] {
            assert!(matches!(write_png(&path, &vec![0; bytes], size, &record()), Err(PngError::Size { .. })));
        }
        assert!(matches!(write_png(&path, &[], [0, 5], &record()), Err(PngError::Encode(_))));
        assert!(!path.exists());
        assert!(matches!(
            write_png(&folder.path().join("no/a.png"), &[0; 4], [1, 1], &record()),
            Err(PngError::Save(_))
        ));
    }

    #[test]
    fn a_huge_picture_in_a_kilobyte_is_harmless_and_its_pose_is_read() {
        let plain = record().to_text().unwrap();
        assert_eq!(read_pose(&png_of(&[pose_chunk(&[0, 0, 0, 0], plain.as_bytes())])).unwrap(), record());
        assert_eq!(read_pose(&png_of(&[pose_chunk(b"\0\0en\0Stil\0", plain.as_bytes())])).unwrap(), record());
        let with_others = [chunk(b"tEXt", b"stylescope\0{}"), pose_chunk(&[1, 0, 0, 0], &deflated(plain.as_bytes()))];
        assert_eq!(read_pose(&png_of(&with_others)).unwrap(), record());
        // A text behind the pixels is found as well.
        let mut behind = png_of(&[]);
        behind.truncate(behind.len() - 12);
        behind.extend(pose_chunk(&[0, 0, 0, 0], plain.as_bytes()));
        assert_eq!(read_pose(&behind).unwrap(), record());
        assert!(matches!(read_pose(&png_of(&[])), Err(PngError::NoPose)));
    }

    #[test]
    fn bombs_are_refused_or_never_opened() {
        let bomb = deflated(&vec![b' '; 200 << 20]);
        assert!(bomb.len() < 1 << 20);
        assert!(matches!(read_pose(&png_of(&[pose_chunk(&[1, 0, 0, 0], &bomb)])), Err(PngError::TooLarge)));
        let long = pose_chunk(&[0, 0, 0, 0], &vec![b' '; MAX_TEXT_BYTES + MAX_TEXT_HEADER_BYTES]);
        assert!(matches!(read_pose(&png_of(&[long])), Err(PngError::TooLarge)));
        let elsewhere = [
            chunk(b"zTXt", &[b"stylescope\0\0", &bomb[..]].concat()),
            chunk(b"iCCP", &[b"profile\0\0", &bomb[..]].concat()),
            chunk(b"iTXt", &[b"Comment\0\x01\0\0\0", &bomb[..]].concat()),
        ];
        assert!(matches!(read_pose(&png_of(&elsewhere)), Err(PngError::NoPose)));
        let crowd = vec![chunk(b"tEXt", b""); 2 * MAX_CHUNKS];
        assert!(matches!(read_pose(&png_of(&crowd)), Err(PngError::NoPose)));
    }

    #[test]
    fn damage_is_told() {
        for not_png in [&b""[..], b"\x89PN", b"GIF89a..........", b"\x89PNG\r\n\x1a\r"] {
            assert!(matches!(read_pose(not_png), Err(PngError::NotPng)));
        }
        let plain = record().to_text().unwrap();
        let good = png_of(&[pose_chunk(&[0, 0, 0, 0], plain.as_bytes())]);
        let pose_at = 8 + 25;
        for end in 8..pose_at + 12 + KEYWORD.len() + plain.len() {
            assert!(matches!(read_pose(&good[..end]), Err(PngError::Truncated { .. })), "{end}");
        }
        let mut flipped = good.clone();
        flipped[pose_at + 30] ^= 1;
        assert!(matches!(read_pose(&flipped), Err(PngError::Damaged { offset: 33, .. })));
        for bad in [
            pose_chunk(&[], b""),
            pose_chunk(&[0], b""),
            pose_chunk(&[0, 0, 0], b"{}"),
            pose_chunk(&[1, 0, 0, 0], b"not deflated"),
            pose_chunk(&[1, 1, 0, 0], &deflated(plain.as_bytes())),
            pose_chunk(&[2, 0, 0, 0], plain.as_bytes()),
            pose_chunk(&[0, 0, 0, 0], b"\xff\xfe"),
        ] {
            let error = read_pose(&png_of(&[bad])).unwrap_err();
            assert!(matches!(error, PngError::Damaged { .. }), "{error}");
        }
        let length_of_4_gib = [&SIGNATURE[..], &[255; 4], b"iTXt", KEYWORD, &[0; 100]].concat();
        assert!(matches!(read_pose(&length_of_4_gib), Err(PngError::Truncated { offset: 8 })));
        let newer = pose_chunk(&[0, 0, 0, 0], br#"{"format_version": 9, "pose": {}}"#);
        assert!(matches!(read_pose(&png_of(&[newer])), Err(PngError::Record(RecordError::NewerVersion { .. }))));
        let missing = read_pose_file(Path::new("/nowhere/a.png")).unwrap_err();
        assert!(missing.to_string().contains("/nowhere/a.png"));
    }
}
