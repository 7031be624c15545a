//! What one frame leaves for the next: the `w` of seeds, and the activations behind each block.
//!
//! A cached value is used only where every bit of what went into it is the same, so that a frame from the caches is the
//! frame that a cold render would have given.

use burn::tensor::Tensor;

use crate::model::BlockState;

/// The values used last, by key; the one that rested longest goes first.
#[derive(Debug)]
pub struct RecentlyUsed<K, V> {
    /// The newest at the end, each with its weight.
    entries: Vec<(K, V, usize)>,
    capacity: usize,
}

impl<K: PartialEq, V: Clone> RecentlyUsed<K, V> {
    /// Room for values that weigh `capacity` together, a few hundred of them at most: they are searched one by one.
    pub fn new(capacity: usize) -> Self {
        Self { entries: Vec::new(), capacity }
    }

    /// The value of `key`, which becomes the newest.
    pub fn get(&mut self, key: &K) -> Option<V> {
        let position = self.entries.iter().position(|(known, ..)| known == key)?;
        let entry = self.entries.remove(position);
        let value = entry.1.clone();
        self.entries.push(entry);
        Some(value)
    }

    /// Adds a value that is not there yet and weighs 1.
    pub fn insert(&mut self, key: K, value: V) {
        self.insert_weighing(key, value, 1);
    }

    /// Adds a value that is not there yet. One that weighs more than there is room stays until the next comes.
    pub fn insert_weighing(&mut self, key: K, value: V, weight: usize) {
        let mut free = self.capacity.saturating_sub(self.entries.iter().map(|(.., weight)| weight).sum());
        let too_many = self.entries.iter().take_while(|(.., old)| {
            let goes = free < weight;
            free = free.saturating_add(*old);
            goes
        });
        let too_many = too_many.count();
        self.entries.drain(..too_many);
        self.entries.push((key, value, weight));
    }
}

/// The exact bits of everything that feeds a block besides the block before it: styles and noise.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BlockKey(Vec<u32>);

impl BlockKey {
    /// Adds a vector. Its length goes in as well, so that two vectors never look like two others.
    pub fn add(&mut self, values: &[f32]) {
        self.add_words(&[values.len() as u32]);
        self.0.extend(values.iter().map(|value| value.to_bits()));
    }

    /// Adds words that say where something comes from.
    pub fn add_words(&mut self, words: &[u32]) {
        self.0.extend_from_slice(words);
    }
}

/// The activations of the last frame behind each block, as far as that frame got.
#[derive(Debug, Default)]
pub struct BlockCache {
    /// Behind block 0, 1, ...; without the last block, whose feature maps nobody needs again.
    states: Vec<(BlockKey, BlockState)>,
    /// The image, and what fed the last block.
    image: Option<(BlockKey, Tensor<4>)>,
}

/// Where a frame can begin.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "one a frame, taken apart at once")]
pub enum Resume {
    /// Everything is as before: this is the image.
    Image(Tensor<4>),
    /// The first `done` blocks are as before, and this is the state behind them; `None` at the very beginning.
    From {
        /// Number of blocks that need not run.
        done: usize,
        /// The state behind them.
        state: Option<BlockState>,
    },
}

impl BlockCache {
    /// Finds the longest beginning that `keys`, one a block, have in common with the last frame, and drops the rest.
    pub fn resume(&mut self, keys: &[BlockKey]) -> Resume {
        let same = self.states.iter().zip(keys).take_while(|((known, _), key)| known == *key).count();
        if same + 1 == keys.len()
            && let Some((known, image)) = &self.image
            && Some(known) == keys.last()
        {
            return Resume::Image(image.clone());
        }
        // Dropped before the new ones are computed, so that both never take memory at the same time.
        self.states.truncate(same);
        self.image = None;
        Resume::From { done: same, state: self.states.last().map(|(_, state)| state.clone()) }
    }

    /// Keeps the state behind the next block.
    pub fn push(&mut self, key: BlockKey, state: BlockState) {
        self.states.push((key, state));
    }

    /// Keeps the image and what fed the last block.
    pub fn finish(&mut self, key: BlockKey, image: Tensor<4>) {
        self.image = Some((key, image));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn the_value_that_rested_longest_goes() {
        let mut recent = RecentlyUsed::new(2);
        recent.insert("a", 1);
        recent.insert("b", 2);
        assert_eq!(recent.get(&"a"), Some(1));
        recent.insert("c", 3);
        assert_eq!((recent.get(&"a"), recent.get(&"b"), recent.get(&"c")), (Some(1), None, Some(3)));
    }

    #[test]
    fn heavy_values_push_out_as_many_as_they_need() {
        let mut recent = RecentlyUsed::new(10);
        for (key, weight) in [("a", 3), ("b", 3), ("c", 3)] {
            recent.insert_weighing(key, key, weight);
        }
        recent.insert_weighing("d", "d", 4);
        assert_eq!(["a", "b", "c", "d"].map(|key| recent.get(&key).is_some()), [false, true, true, true]);
        recent.insert_weighing("e", "e", 99);
        assert_eq!(["b", "c", "d", "e"].map(|key| recent.get(&key).is_some()), [false, false, false, true]);
        recent.insert("f", "f");
        assert_eq!(["e", "f"].map(|key| recent.get(&key).is_some()), [false, true]);
    }

    fn key(values: &[f32]) -> BlockKey {
        let mut key = BlockKey::default();
        key.add(values);
        key
    }

    fn state(value: f32) -> BlockState {
        BlockState::new(Tensor::full([1, 1, 1, 1], value, &Device::flex()), None)
    }

    fn done(resume: &Resume) -> Option<usize> {
        match resume {
            Resume::Image(_) => None,
            Resume::From { done, state } => {
                assert_eq!(state.is_some(), *done > 0);
                Some(*done)
            }
        }
    }

    #[test]
    fn keys_differ_by_every_bit_and_by_where_vectors_end() {
        assert_ne!(key(&[0.0]), key(&[-0.0]));
        assert_eq!(key(&[f32::NAN]), key(&[f32::NAN]));
        let (mut one, mut other) = (key(&[1.0]), key(&[1.0, 2.0]));
        one.add(&[2.0, 3.0]);
        other.add(&[3.0]);
        assert_ne!(one, other);
    }

    #[test]
    fn a_frame_begins_where_the_first_change_is() {
        let keys = |values: [f32; 3]| values.map(|value| key(&[value]));
        let mut cache = BlockCache::default();
        let first = keys([1.0, 2.0, 3.0]);
        assert_eq!(done(&cache.resume(&first)), Some(0));
        let [a, b, c] = first.clone();
        cache.push(a, state(1.0));
        // Given up after the first block: what it left is used.
        assert_eq!(done(&cache.resume(&first)), Some(1));
        cache.push(b, state(2.0));
        cache.finish(c, state(3.0).x());
        assert_eq!(done(&cache.resume(&first)), None, "nothing changed");
        assert_eq!(done(&cache.resume(&keys([1.0, 2.0, 9.0]))), Some(2), "the last block changed");
        assert_eq!(done(&cache.resume(&first)), Some(2), "the image was dropped with its key");
        assert_eq!(done(&cache.resume(&keys([1.0, 9.0, 3.0]))), Some(1));
        assert_eq!(done(&cache.resume(&keys([9.0, 2.0, 3.0]))), Some(0));
        assert_eq!(done(&cache.resume(&first)), Some(0), "a change at the beginning drops all");
    }
}
