//! What a portrait shows: the known factors of variation, continuous and discrete, and how they are drawn at random.

use serde::{Deserialize, Serialize};

use crate::data::random::Random;

/// An enum of named values with the weights that [`Factors::sample`] draws them with.
macro_rules! discrete {
    ($(#[$doc:meta])* $name:ident { $($(#[$value_doc:meta])* $value:ident = $text:literal, $weight:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$value_doc])* $value,)* }

        impl $name {
            /// All values, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$value),*];
            /// Their names.
            pub const NAMES: &'static [&'static str] = &[$($text),*];
            const WEIGHTS: &'static [f32] = &[$($weight),*];

            /// The name, as files and the command line write it.
            pub fn name(self) -> &'static str {
                Self::NAMES[self as usize]
            }

            fn sample(random: &mut Random) -> Self {
                Self::ALL[random.weighted(Self::WEIGHTS)]
            }
        }
    };
}

discrete! {
    /// How the hair is worn.
    HairStyle {
        /// None at all.
        Bald = "bald", 0.6;
        /// Millimetres.
        Buzz = "buzz", 0.7;
        /// Short with a side parting.
        Short = "short", 1.3;
        /// Short and standing up.
        Spiky = "spiky", 0.9;
        /// Short curls.
        Curly = "curly", 1.0;
        /// A large round mass of curls.
        Afro = "afro", 0.8;
        /// To the chin, with a fringe.
        Bob = "bob", 1.2;
        /// Long and straight, parted in the middle.
        Long = "long", 1.2;
        /// Long and wavy, parted at a side.
        Wavy = "wavy", 1.2;
        /// Tied up on top of the head.
        Bun = "bun", 0.9;
        /// Two bunches at the sides.
        Pigtails = "pigtails", 0.7;
    }
}
discrete! {
    /// Colour of hair, brows and beard.
    HairColor {
        /// Black.
        Black = "black", 1.4;
        /// Dark brown.
        DarkBrown = "dark_brown", 1.4;
        /// Brown.
        Brown = "brown", 1.3;
        /// Auburn.
        Auburn = "auburn", 0.9;
        /// Ginger.
        Ginger = "ginger", 0.9;
        /// Blond.
        Blond = "blond", 1.2;
        /// Platinum.
        Platinum = "platinum", 0.6;
        /// Grey.
        Grey = "grey", 0.6;
        /// Dyed teal.
        Teal = "teal", 0.35;
        /// Dyed pink.
        Pink = "pink", 0.35;
        /// Dyed violet.
        Violet = "violet", 0.35;
    }
}
discrete! {
    /// Colour of the irises.
    EyeColor {
        /// Brown.
        Brown = "brown", 1.5;
        /// Hazel.
        Hazel = "hazel", 1.0;
        /// Green.
        Green = "green", 1.0;
        /// Blue.
        Blue = "blue", 1.2;
        /// Grey.
        Grey = "grey", 0.7;
        /// Black.
        Black = "black", 0.8;
    }
}
discrete! {
    /// Glasses.
    Glasses {
        /// None.
        None = "none", 6.6;
        /// Round lenses.
        Round = "round", 1.4;
        /// Square lenses.
        Square = "square", 1.3;
        /// Dark lenses.
        Sun = "sun", 0.5;
    }
}
discrete! {
    /// Hair on the face.
    Beard {
        /// None.
        None = "none", 6.2;
        /// A shadow of a beard.
        Stubble = "stubble", 1.0;
        /// On the upper lip alone.
        Moustache = "moustache", 0.8;
        /// Around the mouth and on the chin.
        Goatee = "goatee", 0.8;
        /// From ear to ear.
        Full = "full", 1.2;
    }
}
discrete! {
    /// What is on the head.
    Hat {
        /// Nothing.
        None = "none", 7.4;
        /// A knitted cap.
        Beanie = "beanie", 0.9;
        /// A cap with a peak.
        Cap = "cap", 0.8;
        /// A hat with a brim.
        Brim = "brim", 0.7;
        /// A band around the head.
        Band = "band", 0.6;
    }
}
discrete! {
    /// Jewellery at the ears.
    Earrings {
        /// None.
        None = "none", 6.5;
        /// Small pearls.
        Stud = "stud", 1.6;
        /// Rings.
        Hoop = "hoop", 1.5;
    }
}
discrete! {
    /// Cut of the clothing.
    Clothing {
        /// A round neckline.
        Crew = "crew", 1.2;
        /// A pointed neckline.
        VNeck = "v_neck", 1.0;
        /// A shirt with a collar.
        Collar = "collar", 1.0;
        /// A rolled collar.
        Turtleneck = "turtleneck", 0.8;
        /// A hooded sweater.
        Hoodie = "hoodie", 0.8;
    }
}
discrete! {
    /// Colour of the clothing.
    ClothingColor {
        /// Off-white.
        Cream = "cream", 1.0;
        /// Charcoal.
        Charcoal = "charcoal", 1.0;
        /// Navy.
        Navy = "navy", 1.0;
        /// Sky blue.
        Sky = "sky", 1.0;
        /// Teal.
        Teal = "teal", 1.0;
        /// Leaf green.
        Green = "green", 1.0;
        /// Mustard.
        Mustard = "mustard", 1.0;
        /// Coral.
        Coral = "coral", 1.0;
        /// Crimson.
        Crimson = "crimson", 1.0;
        /// Plum.
        Plum = "plum", 1.0;
    }
}
discrete! {
    /// Colours of the background.
    Background {
        /// Pale blue.
        Sky = "sky", 1.0;
        /// Mint.
        Mint = "mint", 1.0;
        /// Peach.
        Peach = "peach", 1.0;
        /// Lilac.
        Lilac = "lilac", 1.0;
        /// Warm yellow.
        Honey = "honey", 1.0;
        /// Rose.
        Rose = "rose", 1.0;
        /// Warm grey.
        Sand = "sand", 1.0;
        /// Deep blue-green.
        Lagoon = "lagoon", 1.0;
        /// Deep blue.
        Dusk = "dusk", 1.0;
        /// Terracotta.
        Clay = "clay", 1.0;
    }
}

/// Every known factor of a portrait. With a seed for the details they decide each pixel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Factors {
    /// Head turn: -1 (towards the left edge of the image) to 1.
    pub yaw: f32,
    /// Head tilt: -1 (top of the head to the left) to 1.
    pub tilt: f32,
    /// Length of the face: -1 (round) to 1 (long).
    pub face_length: f32,
    /// Width of the jaw: -1 (pointed) to 1 (square).
    pub jaw: f32,
    /// Skin: 0 (lightest) to 1 (darkest).
    pub skin_tone: f32,
    /// Redness of the cheeks: 0 to 1.
    pub blush: f32,
    /// How the hair is worn.
    pub hair_style: HairStyle,
    /// Colour of hair, brows and beard.
    pub hair_color: HairColor,
    /// Length or volume of the hair within its style: 0 to 1.
    pub hair_length: f32,
    /// Inner ends of the brows: -1 (low, stern) to 1 (high, worried).
    pub brow_angle: f32,
    /// Height of the brows: -1 to 1.
    pub brow_height: f32,
    /// Thickness of the brows: 0 to 1.
    pub brow_thickness: f32,
    /// Colour of the irises.
    pub eye_color: EyeColor,
    /// 0 (closed) to 1 (wide open).
    pub eye_openness: f32,
    /// Size of the eyes: -1 to 1.
    pub eye_size: f32,
    /// Where the eyes look: -1 (left edge of the image) to 1.
    pub gaze_x: f32,
    /// -1 (up) to 1 (down).
    pub gaze_y: f32,
    /// Length of the lashes: 0 to 1.
    pub lashes: f32,
    /// Length of the nose: -1 to 1.
    pub nose_length: f32,
    /// Width of the nose: -1 to 1.
    pub nose_width: f32,
    /// Corners of the mouth: -1 (down) to 1 (up).
    pub smile: f32,
    /// 0 (closed) to 1 (wide open).
    pub mouth_open: f32,
    /// Redness and fullness of the lips: 0 to 1.
    pub lips: f32,
    /// Glasses.
    pub glasses: Glasses,
    /// Hair on the face.
    pub beard: Beard,
    /// What is on the head.
    pub hat: Hat,
    /// Jewellery at the ears.
    pub earrings: Earrings,
    /// Cut of the clothing.
    pub clothing: Clothing,
    /// Colour of the clothing.
    pub clothing_color: ClothingColor,
    /// Colours of the background.
    pub background: Background,
    /// Direction of the background's gradient: -1 to 1.
    pub background_turn: f32,
    /// Where the light comes from: -1 (left) to 1 (right).
    pub light: f32,
}

/// One discrete factor of a portrait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiscreteValue {
    /// The factor's name, e.g. `hair_style`.
    pub factor: &'static str,
    /// Number of the value.
    pub value: usize,
    /// Names of all values.
    pub names: &'static [&'static str],
}

/// Separates the draws of factors from those of anything else with the same seed.
const FACTORS: u64 = 0x666163746f72;
const DETAIL: u64 = 0x64657461696c;
/// More draws than it takes for any combination that [`super::Forbidden`] lets through.
const MAX_ATTEMPTS: u64 = 10_000;

impl Factors {
    /// The factors of portrait `index` of the set `seed`.
    pub fn sample(seed: u64, index: u64) -> Self {
        Self::attempt(seed, index, 0)
    }

    /// The first of the sequence of draws for (`seed`, `index`) that is `allowed`. What is never allowed in a very long
    /// sequence is drawn without the rule.
    pub fn sample_where(seed: u64, index: u64, allowed: impl Fn(&Self) -> bool) -> Self {
        let found = (0..MAX_ATTEMPTS).map(|attempt| Self::attempt(seed, index, attempt)).find(allowed);
        found.unwrap_or_else(|| Self::sample(seed, index))
    }

    /// The seed of the details (freckles, strands, texture) that belong to no factor.
    pub fn detail_seed(seed: u64, index: u64) -> u64 {
        crate::data::random::mix_all(&[seed, index, DETAIL])
    }

    fn attempt(seed: u64, index: u64, attempt: u64) -> Self {
        let mut random = Random::new(&[seed, index, FACTORS, attempt]);
        let r = &mut random;
        // Fields are drawn in this order: a new factor belongs at the end, so that old portraits stay what they are.
        Self {
            yaw: r.around_zero(),
            tilt: r.around_zero(),
            face_length: r.around_zero(),
            jaw: r.around_zero(),
            skin_tone: r.unit(),
            blush: r.unit(),
            hair_style: HairStyle::sample(r),
            hair_color: HairColor::sample(r),
            hair_length: r.unit(),
            brow_angle: r.around_zero(),
            brow_height: r.around_zero(),
            brow_thickness: r.unit(),
            eye_color: EyeColor::sample(r),
            // Mostly open; now and then a blink.
            eye_openness: if r.chance(0.06) { r.within(0.0, 0.3) } else { r.within(0.45, 1.0) },
            eye_size: r.around_zero(),
            gaze_x: r.around_zero(),
            gaze_y: r.around_zero(),
            lashes: r.unit(),
            nose_length: r.around_zero(),
            nose_width: r.around_zero(),
            // People smile at portraits.
            smile: (r.around_zero() * 0.75 + 0.3).clamp(-1.0, 1.0),
            mouth_open: if r.chance(0.55) { 0.0 } else { r.unit() },
            lips: r.unit(),
            glasses: Glasses::sample(r),
            beard: Beard::sample(r),
            hat: Hat::sample(r),
            earrings: Earrings::sample(r),
            clothing: Clothing::sample(r),
            clothing_color: ClothingColor::sample(r),
            background: Background::sample(r),
            background_turn: r.within(-1.0, 1.0),
            light: r.within(-1.0, 1.0),
        }
    }

    /// The continuous factors by name, each within -1..1 or 0..1 as documented at its field.
    pub fn continuous(&self) -> [(&'static str, f32); 22] {
        [
            ("yaw", self.yaw),
            ("tilt", self.tilt),
            ("face_length", self.face_length),
            ("jaw", self.jaw),
            ("skin_tone", self.skin_tone),
            ("blush", self.blush),
            ("hair_length", self.hair_length),
            ("brow_angle", self.brow_angle),
            ("brow_height", self.brow_height),
            ("brow_thickness", self.brow_thickness),
            ("eye_openness", self.eye_openness),
            ("eye_size", self.eye_size),
            ("gaze_x", self.gaze_x),
            ("gaze_y", self.gaze_y),
            ("lashes", self.lashes),
            ("nose_length", self.nose_length),
            ("nose_width", self.nose_width),
            ("smile", self.smile),
            ("mouth_open", self.mouth_open),
            ("lips", self.lips),
            ("background_turn", self.background_turn),
            ("light", self.light),
        ]
    }

    /// The discrete factors.
    pub fn discrete(&self) -> [DiscreteValue; 10] {
        let value = |factor, value, names| DiscreteValue { factor, value, names };
        [
            value("hair_style", self.hair_style as usize, HairStyle::NAMES),
            value("hair_color", self.hair_color as usize, HairColor::NAMES),
            value("eye_color", self.eye_color as usize, EyeColor::NAMES),
            value("glasses", self.glasses as usize, Glasses::NAMES),
            value("beard", self.beard as usize, Beard::NAMES),
            value("hat", self.hat as usize, Hat::NAMES),
            value("earrings", self.earrings as usize, Earrings::NAMES),
            value("clothing", self.clothing as usize, Clothing::NAMES),
            value("clothing_color", self.clothing_color as usize, ClothingColor::NAMES),
            value("background", self.background as usize, Background::NAMES),
        ]
    }
}
