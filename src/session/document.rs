//! The current pose and the way back: undo and redo.

use std::{collections::VecDeque, mem};

use super::{edit::PoseEdit, pose::Pose};

/// Steps that undo keeps.
const MAX_STEPS: usize = 1000;
/// Map entries (offsets, amounts, ...) that all steps together keep, some 20 MiB. Poses with a few edits never come
/// near it; it is there for long histories of poses with many thousand moved channels.
const MAX_ENTRIES: usize = 1 << 20;

/// Names a drag, an animation or another run of edits that shall be one step of undo. Whoever starts one picks a number
/// that was not used before, e.g. by counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct GestureId(pub u64);

/// A way from the current pose to its neighbour in time.
#[derive(Debug, Clone)]
struct Step {
    label: String,
    /// The pose on the other side of the step.
    pose: Pose,
}

/// What a following edit must share to join the newest step.
#[derive(Debug, Clone, Copy, PartialEq)]
struct MergeKey {
    gesture: GestureId,
    kind: mem::Discriminant<PoseEdit>,
}

/// The pose with its history.
#[derive(Debug, Clone, Default)]
pub struct Document {
    pose: Pose,
    undo: VecDeque<Step>,
    redo: Vec<Step>,
    merge: Option<MergeKey>,
    revision: u64,
}

impl Document {
    /// A document without history.
    pub fn new(pose: &Pose) -> Self {
        Self { pose: pose.sanitized(), ..Self::default() }
    }

    /// The current pose; always within its ranges.
    pub fn pose(&self) -> &Pose {
        &self.pose
    }

    /// Counts changes of the pose, for those who want to know whether there was one.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Applies `edit` and returns whether it changed the pose; if not, there is no step either. Consecutive edits of
    /// one `gesture` and of one kind are one step; a gesture that ends where it began leaves none. A change forgets
    /// what could be redone.
    pub fn edit(&mut self, edit: &PoseEdit, gesture: Option<GestureId>) -> bool {
        let mut pose = self.pose.clone();
        edit.apply(&mut pose);
        let key = gesture.map(|gesture| MergeKey { gesture, kind: mem::discriminant(edit) });
        let merges = key.is_some() && key == self.merge;
        if pose == self.pose {
            // A drag may rest for a moment, or start at its end stop, and is still the same drag.
            self.merge = if merges { key } else { None };
            return false;
        }
        let before = mem::replace(&mut self.pose, pose);
        self.revision += 1;
        self.redo.clear();
        self.merge = key;
        match self.undo.back() {
            Some(step) if merges => {
                if step.pose == self.pose {
                    self.undo.pop_back();
                    self.merge = None;
                }
            }
            _ => {
                self.undo.push_back(Step { label: edit.label(), pose: before });
                self.forget_the_oldest();
            }
        }
        true
    }

    /// Remembers the pose as it is as a step of its own, for what moves by itself from here on (see [`Document::drift`]).
    pub fn mark(&mut self, label: &str) {
        self.redo.clear();
        self.merge = None;
        self.undo.push_back(Step { label: label.to_owned(), pose: self.pose.clone() });
        self.forget_the_oldest();
    }

    /// Applies `edit` without a step: an animation moves in every frame, and nobody wants to undo frames. A gesture
    /// under way stays one step.
    pub fn drift(&mut self, edit: &PoseEdit) -> bool {
        let mut pose = self.pose.clone();
        edit.apply(&mut pose);
        let changed = pose != self.pose;
        if changed {
            self.pose = pose;
            self.revision += 1;
        }
        changed
    }

    /// Ends the current gesture: the next edit is a step of its own.
    pub fn break_gesture(&mut self) {
        self.merge = None;
    }

    /// Goes back one step; the label of what was undone, or `None` at the beginning.
    pub fn undo(&mut self) -> Option<String> {
        let step = self.undo.pop_back()?;
        let label = step.label.clone();
        let step = self.swap(step);
        self.redo.push(step);
        Some(label)
    }

    /// Goes forward one step; the label of what was done again, or `None` at the end.
    pub fn redo(&mut self) -> Option<String> {
        let step = self.redo.pop()?;
        let label = step.label.clone();
        let step = self.swap(step);
        self.undo.push_back(step);
        Some(label)
    }

    /// Whether there is a step to undo.
    pub fn can_undo(&self) -> bool {
        !self.undo.is_empty()
    }

    /// Whether there is a step to redo.
    pub fn can_redo(&self) -> bool {
        !self.redo.is_empty()
    }

    /// What [`Document::undo`] would undo, e.g. "Change psi".
    pub fn undo_label(&self) -> Option<&str> {
        self.undo.back().map(|step| step.label.as_str())
    }

    /// What [`Document::redo`] would do again.
    pub fn redo_label(&self) -> Option<&str> {
        self.redo.last().map(|step| step.label.as_str())
    }

    /// Takes the pose of `step` and leaves the current one in it, which makes it the step of the opposite direction.
    fn swap(&mut self, mut step: Step) -> Step {
        mem::swap(&mut self.pose, &mut step.pose);
        self.revision += 1;
        self.merge = None;
        step
    }

    fn forget_the_oldest(&mut self) {
        // The redo side is empty here and never outgrows what the undo side was.
        let mut entries: usize = self.undo.iter().map(|step| num_entries(&step.pose)).sum();
        while self.undo.len() > MAX_STEPS || (entries > MAX_ENTRIES && self.undo.len() > 1) {
            if let Some(step) = self.undo.pop_front() {
                entries -= num_entries(&step.pose);
            }
        }
    }
}

/// Entries of all maps of a pose: a measure of its size in memory.
fn num_entries(pose: &Pose) -> usize {
    let offsets = pose.w_offsets.values().chain(pose.style_offsets.values());
    let small = pose.mix.amounts.len() + pose.mix.muted.len() + pose.layer_psi.len() + pose.layer_noise.len();
    small + offsets.map(|offsets| offsets.len()).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{
        edit::MixPreset,
        pose::{NoiseMode, SeedPosition},
    };

    /// A linear congruential generator (Knuth's MMIX constants): the same edits in every run.
    struct Rng(u64);

    impl Rng {
        fn below(&mut self, n: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % n
        }

        fn float(&mut self) -> f32 {
            // Some of the values are out of every range, some are defaults.
            match self.below(10) {
                0 => 0.0,
                1 => 1.0,
                2 => f32::NAN,
                _ => (self.below(2001) as f32 - 1000.0) / 100.0,
            }
        }

        fn maybe(&mut self) -> Option<f32> {
            (self.below(3) > 0).then(|| self.float())
        }

        fn edit(&mut self) -> PoseEdit {
            let index = self.below(20) as usize;
            let channel = self.below(5) as usize;
            match self.below(24) {
                0..=2 => PoseEdit::Seed(SeedPosition { x: self.float().into(), y: self.float().into() }),
                3 => PoseEdit::Class(index),
                4 => PoseEdit::Psi(self.float()),
                5 => PoseEdit::Cutoff((channel > 0).then_some(index)),
                6 => PoseEdit::MixSeed(index as u32),
                7 => PoseEdit::MixAmount { ws: index, amount: self.float() },
                8 => PoseEdit::MixMuted { ws: index, muted: channel > 2 },
                9 => PoseEdit::MixPreset(MixPreset::ALL[channel], index),
                10 => PoseEdit::NoiseMode([NoiseMode::Off, NoiseMode::Const, NoiseMode::Random][channel % 3]),
                11 => PoseEdit::NoiseSeed(index as u32),
                12 => PoseEdit::NoiseStrength(self.float()),
                13 => PoseEdit::NoiseTurn(self.float()),
                14 => PoseEdit::LayerPsi { ws: index, psi: self.maybe() },
                15 => PoseEdit::LayerNoise { layer: index, factor: self.maybe() },
                16 => PoseEdit::WOffset { ws: index, channel, offset: self.maybe() },
                17 => PoseEdit::StyleOffset { layer: index, channel, offset: self.maybe() },
                18 => PoseEdit::ResetLayer { ws: index, layers: vec![channel, index] },
                19 => PoseEdit::ResetVectors { layer: index, ws: channel },
                20 => PoseEdit::ResetTruncation,
                21 => PoseEdit::ResetMix,
                22 => PoseEdit::ResetNoise,
                _ => PoseEdit::ResetAll,
            }
        }
    }

    #[test]
    fn an_animation_is_one_step_whatever_is_dragged_meanwhile() {
        let mut document = Document::default();
        document.mark("Animate");
        let drag = Some(GestureId(7));
        for x in 1..=10 {
            document.drift(&PoseEdit::Seed(SeedPosition { x: x.into(), y: 0.0 }));
            document.edit(&PoseEdit::Psi(1.0 - x as f32 / 20.0), drag);
        }
        assert_eq!((document.pose().seed.x, document.pose().truncation.psi), (10.0, 0.5));
        assert_eq!(document.undo().as_deref(), Some("Change psi"));
        assert_eq!(document.undo().as_deref(), Some("Animate"));
        assert_eq!(*document.pose(), Pose::default());
        assert!(!document.can_undo());
    }

    #[test]
    fn any_edits_can_be_undone_and_redone() {
        for seed in 0..200 {
            let mut rng = Rng(seed);
            let mut start = Pose::default();
            for _ in 0..rng.below(20) {
                rng.edit().apply(&mut start);
            }
            let mut document = Document::new(&start);
            assert_eq!(*document.pose(), start, "a pose made by edits is already within its ranges");
            for _ in 0..rng.below(300) {
                let gesture = (rng.below(2) == 0).then(|| GestureId(rng.below(3)));
                match rng.below(12) {
                    0 => drop(document.undo()),
                    1 => drop(document.redo()),
                    2 => document.break_gesture(),
                    _ => drop(document.edit(&rng.edit(), gesture)),
                }
                assert_eq!(*document.pose(), document.pose().sanitized());
            }
            while document.redo().is_some() {}
            let end = document.pose().clone();
            let mut steps = Vec::new();
            while let Some(label) = document.undo() {
                steps.push(label);
            }
            assert_eq!(*document.pose(), start, "seed {seed}");
            while let Some(label) = document.redo() {
                assert_eq!(steps.pop(), Some(label));
            }
            assert_eq!(*document.pose(), end, "seed {seed}");
            assert!(steps.is_empty());
        }
    }

    #[test]
    fn a_drag_is_one_step() {
        let mut document = Document::default();
        let drag = Some(GestureId(1));
        for psi in [0.9, 0.8, 0.8, 0.7] {
            document.edit(&PoseEdit::Psi(psi), drag);
        }
        document.edit(&PoseEdit::Psi(0.5), Some(GestureId(2)));
        assert_eq!(document.undo().as_deref(), Some("Change psi"));
        assert_eq!(document.pose().truncation.psi, 0.7);
        assert_eq!(document.undo().as_deref(), Some("Change psi"));
        assert_eq!((document.pose().truncation.psi, document.can_undo()), (1.0, false));
        assert_eq!(document.redo_label(), Some("Change psi"));
    }

    #[test]
    fn edits_without_a_gesture_of_another_kind_or_after_a_break_are_steps_of_their_own() {
        let mut document = Document::default();
        let drag = Some(GestureId(1));
        document.edit(&PoseEdit::Psi(0.9), drag);
        document.edit(&PoseEdit::NoiseTurn(0.1), drag);
        document.edit(&PoseEdit::NoiseTurn(0.2), None);
        document.edit(&PoseEdit::NoiseTurn(0.3), drag);
        document.break_gesture();
        document.edit(&PoseEdit::NoiseTurn(0.4), drag);
        assert_eq!(std::iter::from_fn(|| document.undo()).count(), 5);
    }

    #[test]
    fn a_drag_that_comes_back_leaves_no_step() {
        let mut document = Document::default();
        let drag = Some(GestureId(1));
        document.edit(&PoseEdit::Psi(0.9), drag);
        document.edit(&PoseEdit::Psi(1.0), drag);
        assert!(!document.can_undo());
        document.edit(&PoseEdit::Psi(0.4), drag);
        document.edit(&PoseEdit::Psi(0.3), drag);
        document.undo();
        assert_eq!(*document.pose(), Pose::default());
    }

    #[test]
    fn a_new_edit_forgets_what_was_undone_and_one_without_effect_does_not() {
        let mut document = Document::default();
        document.edit(&PoseEdit::Psi(0.9), None);
        document.undo();
        let revision = document.revision();
        assert!(!document.edit(&PoseEdit::Psi(1.0), None));
        assert!(document.can_redo() && document.revision() == revision);
        assert!(document.edit(&PoseEdit::Psi(0.3), None));
        assert!(!document.can_redo() && document.revision() > revision);
        assert_eq!(document.redo(), None);
    }

    #[test]
    fn history_is_bounded() {
        let mut document = Document::default();
        for seed in 1..=MAX_STEPS as u32 + 50 {
            document.edit(&PoseEdit::NoiseSeed(seed), None);
        }
        assert_eq!(std::iter::from_fn(|| document.undo()).count(), MAX_STEPS);
        assert_eq!(document.pose().noise.seed, 50);

        let channels = || (0..8192).map(|channel| (channel, 1.0)).collect();
        let large = Pose { style_offsets: (0..27).map(|layer| (layer, channels())).collect(), ..Pose::default() };
        let mut document = Document::new(&large);
        for seed in 1..20 {
            document.edit(&PoseEdit::NoiseSeed(seed), None);
        }
        assert_eq!(std::iter::from_fn(|| document.undo()).count(), MAX_ENTRIES / (27 * 8192));
    }
}
