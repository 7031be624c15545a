//! numpy's random numbers.

use stylescope::base::numpy_rng::{RandomState, z_from_seed};

use crate::common::{Fixture, group};

#[test]
fn parity_seeds() {
    let files = group("seeds", "safetensors");
    assert!(!files.is_empty());
    for path in files {
        let fixture = Fixture::load(&path);
        for (name, array) in &fixture.arrays {
            let parse = || {
                let (seed, rest) = name.strip_prefix("seed")?.split_once(".dim")?;
                let (dim, single) = rest.strip_suffix(".f32").map_or((rest, false), |dim| (dim, true));
                Some((seed.parse::<u32>().ok()?, dim.parse::<usize>().ok()?, single))
            };
            let (seed, dim, single) = parse().unwrap_or_else(|| panic!("{name} is no seed"));
            assert_eq!(array.shape, [1, dim]);
            if single {
                assert_eq!(z_from_seed(seed, dim), array.f32(), "{name}");
            } else {
                assert_eq!(RandomState::new(seed).randn(dim), array.values, "{name}");
            }
        }
        println!("{}: {} arrays, bit for bit", fixture.name(), fixture.arrays.len());
    }
}
