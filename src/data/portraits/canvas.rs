//! A square to draw on, 100 units wide whatever the resolution, origin at the top left.

use tiny_skia::{
    Color, FillRule, GradientStop, LineCap, LineJoin, LinearGradient, Mask, Paint, Path, PathBuilder, Pixmap, Point,
    RadialGradient, Shader, SpreadMode, Stroke, Transform,
};

use super::palette::Rgb;

/// Side of the canvas in units.
pub(super) const SIDE: f32 = 100.0;

/// An outline; there is none where numbers got out of hand, and then nothing is drawn.
pub(super) type Shape = Option<Path>;

/// A pixmap with the transformation from units to pixels.
pub(super) struct Canvas {
    pixmap: Pixmap,
    base: Transform,
    transform: Transform,
}

/// What an area is filled with.
pub(super) enum Fill {
    Flat(Rgb, f32),
    /// From one point to another: colours with opacity at positions 0..=1.
    Linear([f32; 2], [f32; 2], [(Rgb, f32); 2]),
    /// From a centre to a radius.
    Radial([f32; 2], f32, [(Rgb, f32); 2]),
}

impl From<Rgb> for Fill {
    fn from(color: Rgb) -> Self {
        Self::Flat(color, 1.0)
    }
}

impl Canvas {
    /// `None` if there is no memory for `pixels` squared.
    pub fn new(pixels: u32) -> Option<Self> {
        let scale = pixels as f32 / SIDE;
        let base = Transform::from_scale(scale, scale);
        Some(Self { pixmap: Pixmap::new(pixels, pixels)?, base, transform: base })
    }

    /// From now on everything turns by `degrees` around a point (clockwise).
    pub fn rotate(&mut self, degrees: f32, around: [f32; 2]) {
        self.transform = self.base.pre_concat(Transform::from_rotate_at(degrees, around[0], around[1]));
    }

    /// Back to the plain units.
    pub fn unrotate(&mut self) {
        self.transform = self.base;
    }

    pub fn pixels(&self) -> &Pixmap {
        &self.pixmap
    }

    /// An area that later drawing can be held within.
    pub fn mask(&self, path: &Shape) -> Option<Mask> {
        let mut mask = Mask::new(self.pixmap.width(), self.pixmap.height())?;
        mask.fill_path(path.as_ref()?, FillRule::Winding, true, self.transform);
        Some(mask)
    }

    pub fn fill(&mut self, path: &Shape, fill: impl Into<Fill>) {
        self.fill_within(path, fill, None);
    }

    pub fn fill_within(&mut self, path: &Shape, fill: impl Into<Fill>, mask: Option<&Mask>) {
        if let (Some(path), Some(shader)) = (path, shader(fill.into())) {
            let paint = Paint { shader, ..Paint::default() };
            self.pixmap.fill_path(path, &paint, FillRule::Winding, self.transform, mask);
        }
    }

    pub fn stroke(&mut self, path: &Shape, width: f32, fill: impl Into<Fill>) {
        self.stroke_within(path, width, fill, None);
    }

    pub fn stroke_within(&mut self, path: &Shape, width: f32, fill: impl Into<Fill>, mask: Option<&Mask>) {
        if let (Some(path), Some(shader)) = (path, shader(fill.into())) {
            let paint = Paint { shader, ..Paint::default() };
            let stroke = Stroke { width, line_cap: LineCap::Round, line_join: LineJoin::Round, ..Stroke::default() };
            self.pixmap.stroke_path(path, &paint, &stroke, self.transform, mask);
        }
    }
}

fn shader(fill: Fill) -> Option<Shader<'static>> {
    let stops = |stops: [(Rgb, f32); 2]| {
        let [a, b] = stops.map(|(rgb, alpha)| color(rgb, alpha));
        vec![GradientStop::new(0.0, a), GradientStop::new(1.0, b)]
    };
    let point = |[x, y]: [f32; 2]| Point::from_xy(x, y);
    match fill {
        Fill::Flat(rgb, alpha) => Some(Shader::SolidColor(color(rgb, alpha))),
        Fill::Linear(from, to, colors) => {
            LinearGradient::new(point(from), point(to), stops(colors), SpreadMode::Pad, Transform::identity())
        }
        Fill::Radial(center, radius, colors) => RadialGradient::new(
            point(center),
            point(center),
            radius,
            stops(colors),
            SpreadMode::Pad,
            Transform::identity(),
        ),
    }
}

fn color(Rgb([r, g, b]): Rgb, alpha: f32) -> Color {
    // Out of range only by rounding.
    Color::from_rgba(r.clamp(0.0, 1.0), g.clamp(0.0, 1.0), b.clamp(0.0, 1.0), alpha.clamp(0.0, 1.0))
        .unwrap_or(Color::BLACK)
}

/// An outline built point by point.
pub(super) struct Outline(PathBuilder);

impl Outline {
    pub fn at(start: [f32; 2]) -> Self {
        let mut builder = PathBuilder::new();
        builder.move_to(start[0], start[1]);
        Self(builder)
    }

    pub fn line(mut self, to: [f32; 2]) -> Self {
        self.0.line_to(to[0], to[1]);
        self
    }

    pub fn quad(mut self, control: [f32; 2], to: [f32; 2]) -> Self {
        self.0.quad_to(control[0], control[1], to[0], to[1]);
        self
    }

    pub fn cubic(mut self, a: [f32; 2], b: [f32; 2], to: [f32; 2]) -> Self {
        self.0.cubic_to(a[0], a[1], b[0], b[1], to[0], to[1]);
        self
    }

    pub fn closed(mut self) -> Shape {
        self.0.close();
        self.open()
    }

    pub fn open(self) -> Shape {
        self.0.finish()
    }
}

/// An ellipse.
pub(super) fn oval(center: [f32; 2], rx: f32, ry: f32) -> Shape {
    let [x, y] = center;
    let rect = tiny_skia::Rect::from_ltrb(x - rx, y - ry, x + rx, y + ry);
    rect.and_then(PathBuilder::from_oval)
}

/// Many circles as one path: (x, y, radius).
pub(super) fn circles(circles: &[[f32; 3]]) -> Shape {
    let mut builder = PathBuilder::new();
    for &[x, y, r] in circles {
        builder.push_circle(x, y, r);
    }
    builder.finish()
}

/// A rectangle.
pub(super) fn rectangle(left: f32, top: f32, right: f32, bottom: f32) -> Shape {
    Outline::at([left, top]).line([right, top]).line([right, bottom]).line([left, bottom]).closed()
}

/// A smooth curve through all points (Catmull-Rom as Béziers), closed or not.
pub(super) fn smooth(points: &[[f32; 2]], closed: bool) -> Shape {
    let n = points.len();
    let &first = points.first()?;
    let at = |i: isize| -> [f32; 2] {
        if closed { points[i.rem_euclid(n as isize) as usize] } else { points[i.clamp(0, n as isize - 1) as usize] }
    };
    let mut outline = Outline::at(first);
    let segments = if closed { n } else { n - 1 };
    for i in 0..segments as isize {
        let [p0, p1, p2, p3] = [at(i - 1), at(i), at(i + 1), at(i + 2)];
        let a = [p1[0] + (p2[0] - p0[0]) / 6.0, p1[1] + (p2[1] - p0[1]) / 6.0];
        let b = [p2[0] - (p3[0] - p1[0]) / 6.0, p2[1] - (p3[1] - p1[1]) / 6.0];
        outline = outline.cubic(a, b, p2);
    }
    if closed { outline.closed() } else { outline.open() }
}
