//! Cartoon portraits drawn from known factors: an endless set of images at any resolution, made for training without a
//! download and for measuring what a generator has learned.
//!
//! ```text
//! (seed, index) -> Factors --.
//!                            +-> draw -> Picture [3, n, n]
//! (seed, index) -> detail ---'
//! ```
//!
//! A portrait is a function of [`Factors`], a seed for the details and the resolution. Eyes and mouth stay near fixed
//! places whatever the head does, as in aligned photographs. The details (freckles, strands, folds, flecks) follow from
//! no factor, so that a generator's noise inputs have something to explain.
//!
//! The drawing is vectors in units of a hundredth of the side, so that all resolutions show the same portrait; below 512
//! pixels it is drawn larger and averaged.

mod beard;
mod body;
mod canvas;
mod curls;
mod eyes;
mod face;
pub mod factors;
pub mod forbidden;
mod hair;
mod hat;
mod head;
mod palette;
mod scene;

use canvas::Canvas;
pub use factors::Factors;
pub use forbidden::Forbidden;
use scene::Scene;

use super::picture::Picture;

/// Changes whenever the same factors give another picture: runs that began with one version cannot go on with another.
pub const VERSION: u32 = 1;
/// Resolutions that [`draw`] takes.
pub const RESOLUTIONS: std::ops::RangeInclusive<usize> = 8..=1024;
/// Pixels of the canvas below which small portraits lose lines.
const SMALLEST_CANVAS: usize = 128;
/// From here on the rasteriser's own antialiasing is enough.
const LARGE: usize = 512;

/// Draws a portrait of `resolution` pixels squared (clamped to [`RESOLUTIONS`]) in RGB.
///
/// - `detail_seed`: what belongs to no factor, e.g. [`Factors::detail_seed`]
pub fn draw(factors: &Factors, detail_seed: u64, resolution: usize) -> Picture {
    let resolution = resolution.clamp(*RESOLUTIONS.start(), *RESOLUTIONS.end());
    let times = if resolution >= LARGE { 1 } else { SMALLEST_CANVAS.div_ceil(resolution).max(2) };
    let side = resolution * times;
    let mut picture = Picture::black(3, resolution, resolution);
    // At most 1024 pixels squared: there is no size for which this could fail.
    let Some(mut canvas) = Canvas::new(side as u32) else { return picture };
    paint(&mut canvas, &mut Scene::new(factors, detail_seed));
    average(canvas.pixels().data(), side, times, &mut picture);
    picture
}

/// All parts, from the back to the front.
fn paint(canvas: &mut Canvas, scene: &mut Scene) {
    // Around the middle of the face, which so stays in its place.
    let (tilt, around) = (scene.head.tilt, [50.0, 58.0]);
    body::background(canvas, scene);
    canvas.rotate(tilt, around);
    hair::back(canvas, scene);
    canvas.unrotate();
    body::body(canvas, scene);
    canvas.rotate(tilt, around);
    let head_mask = face::head(canvas, scene);
    beard::beard(canvas, scene, head_mask.as_ref());
    face::mouth(canvas, scene);
    face::nose(canvas, scene);
    eyes::eyes(canvas, scene);
    eyes::brows(canvas, scene);
    hair::front(canvas, scene, head_mask.as_ref());
    eyes::glasses(canvas, scene);
    hat::hat(canvas, scene);
    canvas.unrotate();
}

/// The means of `times * times` pixels of RGBA (opaque), as planes.
fn average(rgba: &[u8], side: usize, times: usize, picture: &mut Picture) {
    let n = side / times;
    let divisor = (times * times) as u32;
    let mut sums = vec![[0u32; 3]; n];
    for y in 0..n {
        sums.fill([0; 3]);
        for row in rgba[y * times * side * 4..(y + 1) * times * side * 4].chunks_exact(side * 4) {
            for (sum, block) in sums.iter_mut().zip(row.chunks_exact(4 * times)) {
                for pixel in block.chunks_exact(4) {
                    sum[0] += u32::from(pixel[0]);
                    sum[1] += u32::from(pixel[1]);
                    sum[2] += u32::from(pixel[2]);
                }
            }
        }
        for (c, plane) in picture.pixels.chunks_exact_mut(n * n).enumerate() {
            for (pixel, sum) in plane[y * n..(y + 1) * n].iter_mut().zip(&sums) {
                *pixel = ((sum[c] + divisor / 2) / divisor) as u8;
            }
        }
    }
}
