//! The networks and operations against numbers of the reference implementations. Every file of a fixture group runs,
//! chosen by its kind; a kind that nobody knows fails.

#[path = "../common/mod.rs"]
mod common;

mod ada;
mod discriminators;
mod ops;
mod procedural;
mod seeds;
mod stylegan1;
mod stylegan2;
mod training;
mod vulkan;

/// The largest error of a file's comparisons.
#[derive(Debug, Default, Clone, Copy)]
struct Worst(f64, usize);

impl Worst {
    fn add(&mut self, error: f64) {
        *self = Self(self.0.max(error), self.1 + 1);
    }

    fn report(self, what: &str) {
        println!("{what}: {} comparisons, largest error {:.1e} of max(1, max |b|)", self.1, self.0);
        assert!(self.1 > 0, "{what}: nothing was compared");
    }
}
