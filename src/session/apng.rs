//! Animations of one pose: APNG files, which programs that know nothing of them show as their first frame.
//!
//! Frames are encoded as they come, so that the memory does not grow with their number.

use std::{io, path::Path, time::Duration};

use super::{
    png::{PngError, begin, write_pixels},
    record::PoseRecord,
};
use crate::base::atomic_file::write_atomic_if;

/// What is known of an animation before its first frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Animation {
    /// Width and height of every frame in pixels.
    pub size: [u32; 2],
    /// Number of frames, 1 at least.
    pub frames: u32,
    /// How long a frame is shown; whole milliseconds, a minute at most.
    pub frame_time: Duration,
    /// Whether the frames have no transparency; what they have of it is then dropped.
    pub opaque: bool,
}

/// Saves an animation that repeats for ever, with the pose in it as in a saved picture. An existing file is replaced in one
/// step when all is written and `wanted` says yes; returns what it said. `frame` gives the `[height, width, 4]` bytes of frame
/// 0, 1, ...
///
/// # Errors
/// What `frame` returns, a frame of another size, and what keeps the file from being saved.
pub fn write_animation<E: From<PngError>>(
    path: &Path,
    animation: &Animation,
    record: &PoseRecord,
    mut frame: impl FnMut(u32) -> Result<Vec<u8>, E>,
    wanted: impl FnOnce() -> bool,
) -> Result<bool, E> {
    // An error of a frame is not one of the file, although it is the file that is given up.
    let mut failed = None;
    let write = |out: &mut dyn io::Write| {
        let result = encode(out, animation, record, &mut frame);
        result.map_err(|error| {
            failed = Some(error);
            io::Error::other("the animation was given up")
        })
    };
    let written = write_atomic_if(path, write, wanted);
    match (written, failed) {
        (_, Some(Failure::Frame(error))) => Err(error),
        // The file's own trouble is told with its path and remedy.
        (Err(error), Some(Failure::Png(PngError::Encode(::png::EncodingError::IoError(_))))) => {
            Err(PngError::from(error).into())
        }
        (_, Some(Failure::Png(error))) => Err(error.into()),
        (Err(error), None) => Err(PngError::from(error).into()),
        (Ok(kept), None) => Ok(kept),
    }
}

enum Failure<E> {
    Frame(E),
    Png(PngError),
}

fn encode<E>(
    out: &mut dyn io::Write,
    animation: &Animation,
    record: &PoseRecord,
    frame: &mut impl FnMut(u32) -> Result<Vec<u8>, E>,
) -> Result<(), Failure<E>> {
    let Animation { size: [width, height], frames, frame_time, opaque } = *animation;
    let png = |error: ::png::EncodingError| Failure::Png(error.into());
    let milliseconds = frame_time.as_millis().min(60_000) as u16;
    let mut writer = begin(out, animation.size, opaque, record, |encoder| {
        encoder.set_animated(frames, 0)?;
        encoder.set_frame_delay(milliseconds, 1000)?;
        encoder.set_blend_op(::png::BlendOp::Source)
    })
    .map_err(Failure::Png)?;
    let expected = 4 * u64::from(width) * u64::from(height);
    for index in 0..frames {
        let rgba = frame(index).map_err(Failure::Frame)?;
        if rgba.len() as u64 != expected {
            return Err(Failure::Png(PngError::Size { width, height, expected, found: rgba.len() }));
        }
        write_pixels(&mut writer, &rgba, opaque).map_err(png)?;
    }
    writer.finish().map_err(png)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{Pose, png};

    const SIZE: [u32; 2] = [3, 2];

    fn animation(opaque: bool) -> Animation {
        Animation { size: SIZE, frames: 3, frame_time: Duration::from_millis(125), opaque }
    }

    fn pixels(index: u32) -> Vec<u8> {
        (0..6u8).flat_map(|pixel| [pixel, 40 * index as u8, 255 - pixel, 255]).collect()
    }

    /// Every frame as RGBA.
    fn decoded(path: &Path) -> Vec<Vec<u8>> {
        let mut reader =
            ::png::Decoder::new(io::BufReader::new(std::fs::File::open(path).unwrap())).read_info().unwrap();
        let control = *reader.info().animation_control().unwrap();
        assert_eq!(control.num_plays, 0);
        let frames = (0..control.num_frames).map(|_| {
            let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
            let info = reader.next_frame(&mut bytes).unwrap();
            let control = reader.info().frame_control().unwrap();
            assert_eq!((control.delay_num, control.delay_den), (125, 1000));
            bytes.truncate(info.buffer_size());
            match info.color_type {
                ::png::ColorType::Rgb => bytes.chunks_exact(3).flat_map(|p| [p[0], p[1], p[2], 255]).collect(),
                _ => bytes,
            }
        });
        frames.collect()
    }

    #[test]
    fn frames_come_back_with_their_pose() {
        let folder = tempfile::tempdir().unwrap();
        let record = PoseRecord::new(Pose { class: 3, ..Pose::default() }, "faces");
        for opaque in [true, false] {
            let path = folder.path().join("sweep.png");
            write_animation(&path, &animation(opaque), &record, |index| Ok::<_, PngError>(pixels(index)), || true)
                .unwrap();
            assert_eq!(decoded(&path), [pixels(0), pixels(1), pixels(2)]);
            assert_eq!(png::read_pose_file(&path).unwrap(), record);
        }
    }

    #[test]
    fn an_animation_that_is_given_up_leaves_the_older_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sweep.png");
        std::fs::write(&path, "older").unwrap();
        let record = PoseRecord::new(Pose::default(), "faces");
        let torn = |index| if index < 2 { Ok(pixels(index)) } else { Err(PngError::NoPose) };
        let given_up = write_animation(&path, &animation(true), &record, torn, || true);
        assert!(matches!(given_up, Err(PngError::NoPose)));
        let whole = |index| Ok::<_, PngError>(pixels(index));
        assert!(!write_animation(&path, &animation(true), &record, whole, || false).unwrap());
        let short = write_animation(&path, &animation(true), &record, |_| Ok::<_, PngError>(vec![0; 4]), || true);
        assert!(matches!(short, Err(PngError::Size { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), b"older");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "a temporary file is left");
        let nowhere = folder.path().join("nowhere/sweep.png");
        let error = write_animation(&nowhere, &animation(true), &record, whole, || true);
        assert!(error.unwrap_err().to_string().contains("nowhere"));
    }
}
