//! Lists and maps from strangers' files, bounded while they are read: what no pose or setting can have is skipped
//! before it takes memory, where cutting it off afterwards would be too late.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    marker::PhantomData,
    path::PathBuf,
};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::{
    pose::ChannelOffsets,
    ranges::{MAX_LAYERS, MAX_STYLE_CHANNELS, MAX_W_CHANNELS, MAX_WS},
    settings::{MAX_PANELS, MAX_RECENT},
};

/// Numbers by `ws` index.
pub fn by_ws<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<usize, f32>, D::Error> {
    Ok(Indexed::<f32, MAX_WS>::deserialize(deserializer)?.0)
}

/// Numbers by layer.
pub fn by_layer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<usize, f32>, D::Error> {
    Ok(Indexed::<f32, MAX_LAYERS>::deserialize(deserializer)?.0)
}

/// Offsets of `w` by `ws` index.
pub fn w_offsets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<usize, ChannelOffsets>, D::Error> {
    Ok(unwrapped(Indexed::<Indexed<f32, MAX_W_CHANNELS>, MAX_WS>::deserialize(deserializer)?))
}

/// Offsets of style vectors by layer.
pub fn style_offsets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<usize, ChannelOffsets>, D::Error> {
    Ok(unwrapped(Indexed::<Indexed<f32, MAX_STYLE_CHANNELS>, MAX_LAYERS>::deserialize(deserializer)?))
}

/// A set of `ws` indices.
pub fn ws_set<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<usize>, D::Error> {
    let add = |set: &mut BTreeSet<usize>, index| {
        if index < MAX_WS {
            set.insert(index);
        }
    };
    deserializer.deserialize_seq(Each { add, item: PhantomData::<usize>, into: PhantomData })
}

/// The recent files.
pub fn recent<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PathBuf>, D::Error> {
    let add = |paths: &mut Vec<PathBuf>, path| {
        if paths.len() < MAX_RECENT {
            paths.push(path);
        }
    };
    deserializer.deserialize_seq(Each { add, item: PhantomData::<PathBuf>, into: PhantomData })
}

/// The states of panels.
pub fn panels<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, bool>, D::Error> {
    struct Panels;

    impl<'de> Visitor<'de> for Panels {
        type Value = BTreeMap<String, bool>;

        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str("a map from names to true or false")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
            let mut panels = BTreeMap::new();
            while let Some((name, open)) = access.next_entry()? {
                if panels.len() < MAX_PANELS {
                    panels.insert(name, open);
                }
            }
            Ok(panels)
        }
    }

    deserializer.deserialize_map(Panels)
}

/// A map with keys below `END`; other entries are skipped.
struct Indexed<V, const END: usize>(BTreeMap<usize, V>);

fn unwrapped<const CHANNELS: usize, const END: usize>(
    vectors: Indexed<Indexed<f32, CHANNELS>, END>,
) -> BTreeMap<usize, ChannelOffsets> {
    vectors.0.into_iter().map(|(index, offsets)| (index, offsets.0)).collect()
}

impl<'de, V: Deserialize<'de>, const END: usize> Deserialize<'de> for Indexed<V, END> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<V, const END: usize>(PhantomData<V>);

        impl<'de, V: Deserialize<'de>, const END: usize> Visitor<'de> for Entries<V, END> {
            type Value = BTreeMap<usize, V>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a map from indices to values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
                let mut map = BTreeMap::new();
                while let Some(index) = access.next_key::<usize>()? {
                    if index < END {
                        map.insert(index, access.next_value()?);
                    } else {
                        access.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(map)
            }
        }

        deserializer.deserialize_map(Entries::<V, END>(PhantomData)).map(Self)
    }
}

/// Hands each item of a list to `add`.
struct Each<F, T, C> {
    add: F,
    item: PhantomData<T>,
    into: PhantomData<C>,
}

impl<'de, F: Fn(&mut C, T), T: Deserialize<'de>, C: Default> Visitor<'de> for Each<F, T, C> {
    type Value = C;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<C, A::Error> {
        let mut all = C::default();
        while let Some(item) = access.next_element()? {
            (self.add)(&mut all, item);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use crate::session::{Pose, Settings, settings};

    #[test]
    fn long_lists_and_maps_are_cut_while_they_are_read() {
        let entries = |value: &str| {
            let entries: Vec<_> = (0..100_000).map(|i| format!(r#""{i}":{value}"#)).collect();
            format!("{{{}}}", entries.join(","))
        };
        let list = (0..100_000).map(|i| i.to_string()).collect::<Vec<_>>().join(",");
        let (numbers, vectors) = (entries("1.5"), entries(r#"{"0": 2, "8191": 2, "8192": 2}"#));
        let text = format!(
            r#"{{"layer_psi": {numbers}, "layer_noise": {numbers}, "mix": {{"amounts": {numbers}, "muted": [{list}]}},
                "w_offsets": {vectors}, "style_offsets": {vectors}}}"#
        );
        let pose: Pose = serde_json::from_str(&text).unwrap();
        assert_eq!((pose.layer_psi.len(), pose.layer_noise.len()), (18, 27));
        assert_eq!((pose.mix.amounts.len(), pose.mix.muted.len()), (18, 18));
        assert_eq!((pose.w_offsets.len(), pose.style_offsets.len()), (18, 27));
        assert_eq!((pose.w_offsets[&17].len(), pose.style_offsets[&26].len()), (1, 2));

        let (names, paths) = (entries("true"), vec![r#""/a""#; 100_000].join(","));
        let settings: Settings =
            serde_json::from_str(&format!(r#"{{"panels": {names}, "recent": [{paths}]}}"#)).unwrap();
        assert_eq!((settings.panels.len(), settings.recent.len()), (settings::MAX_PANELS, settings::MAX_RECENT));
    }
}
