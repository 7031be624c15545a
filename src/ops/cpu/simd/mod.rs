//! One vector interface for every instruction set, and the choice between them at run time.
//!
//! Kernels are generic over [`Simd`] and always inlined into [`Simd::run`], whose body is compiled with the instruction
//! set's features enabled. All `unsafe` of the CPU kernels lives in this folder.

mod aligned;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
pub(super) mod tile;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::fmt;
use std::str::FromStr;

pub use aligned::AlignedBuffer;

/// Vectors of `f32` on one instruction set. A value of an implementing type proves that the processor has the set.
pub(super) trait Simd: Copy + Send + Sync {
    /// One register's worth of lanes.
    type Vector: Copy;
    /// Lanes of a vector; divides [`super::CHANNEL_ALIGNMENT`].
    const LANES: usize;
    /// Pixels or tiles that the register tile of the matrix product holds beside two vectors of channels.
    const TILE_ROWS: usize;

    /// Calls `task` with the instruction set's features enabled.
    fn run<T: Task>(self, task: T) -> T::Output;

    fn splat(self, value: f32) -> Self::Vector;
    /// # Safety
    /// `pointer` is valid for reading `LANES` values.
    unsafe fn load_pointer(self, pointer: *const f32) -> Self::Vector;
    /// # Safety
    /// `pointer` is valid for reading one value.
    unsafe fn splat_pointer(self, pointer: *const f32) -> Self::Vector;
    /// # Safety
    /// `pointer` is valid for writing `LANES` values.
    unsafe fn store_pointer(self, vector: Self::Vector, pointer: *mut f32);
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn mul(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a * b + c`.
    fn mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    /// What comes of NaN depends on the instruction set, here and in `min`.
    fn max(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn min(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// Sum of the lanes.
    fn sum(self, a: Self::Vector) -> f32;
    /// Writes the columns of a square block of `LANES` rows as rows.
    ///
    /// # Safety
    /// `LANES` vectors, each `from_step` after the last one, are valid for reading from `from` on, and so for writing at `to`.
    unsafe fn transpose_pointer(self, from: *const f32, from_step: usize, to: *mut f32, to_step: usize);

    /// The register tile of [`tile::tile_product`], of rows that begin at `rows`.
    ///
    /// # Safety
    /// Each of `rows` is valid for reading `depth` values, and `weights` for reading `depth * V` vectors.
    #[inline(always)]
    unsafe fn product_pointer<const N: usize, const V: usize>(
        self,
        rows: [*const f32; N],
        weights: *const f32,
        depth: usize,
    ) -> [[Self::Vector; V]; N] {
        // SAFETY: the caller's promise.
        unsafe { tile::splat_product(self, rows, weights, depth) }
    }

    /// The `LANES` values from `index` on.
    #[inline(always)]
    fn load(self, values: &[f32], index: usize) -> Self::Vector {
        let window = &values[index..index + Self::LANES];
        // SAFETY: the window holds `LANES` values.
        unsafe { self.load_pointer(window.as_ptr()) }
    }

    /// Writes the `LANES` values from `index` on.
    #[inline(always)]
    fn store(self, vector: Self::Vector, values: &mut [f32], index: usize) {
        let window = &mut values[index..index + Self::LANES];
        // SAFETY: the window holds `LANES` values.
        unsafe { self.store_pointer(vector, window.as_mut_ptr()) }
    }
}

/// A kernel that can run on any instruction set. `call` is `#[inline(always)]`, so that it takes the features of its caller.
pub(super) trait Task {
    type Output;
    fn call<S: Simd>(self, simd: S) -> Self::Output;
}

/// The `N` vectors at `first`, `first + step`, ... One bounds check serves them all. Such helpers are functions and loops
/// instead of closures, because a closure does not inherit the features that its function is inlined into.
#[inline(always)]
pub(super) fn load_strided<S: Simd, const N: usize>(
    simd: S,
    values: &[f32],
    first: usize,
    step: usize,
) -> [S::Vector; N] {
    check_strided::<S, N>(values.len(), first, step);
    let mut pointer = values.as_ptr().wrapping_add(first);
    let mut vectors = [simd.splat(0.0); N];
    for vector in &mut vectors {
        // SAFETY: the check above covers every vector.
        *vector = unsafe { simd.load_pointer(pointer) };
        pointer = pointer.wrapping_add(step);
    }
    vectors
}

/// Writes the `N` vectors to `first`, `first + step`, ...
#[inline(always)]
pub(super) fn store_strided<S: Simd, const N: usize>(
    simd: S,
    vectors: [S::Vector; N],
    values: &mut [f32],
    first: usize,
    step: usize,
) {
    check_strided::<S, N>(values.len(), first, step);
    let mut pointer = values.as_mut_ptr().wrapping_add(first);
    for vector in vectors {
        // SAFETY: the check above covers every vector.
        unsafe { simd.store_pointer(vector, pointer) };
        pointer = pointer.wrapping_add(step);
    }
}

/// Turns a square block of `LANES` by `LANES` values over: row `i` lies at `from_first + i * from_step`, column `j` goes to
/// `to_first + j * to_step`.
#[inline(always)]
pub(super) fn transpose<S: Simd>(
    simd: S,
    from: &[f32],
    from_first: usize,
    from_step: usize,
    to: &mut [f32],
    to_first: usize,
    to_step: usize,
) {
    for (len, first, step) in [(from.len(), from_first, from_step), (to.len(), to_first, to_step)] {
        let end = first.saturating_add(step.saturating_mul(S::LANES - 1)).saturating_add(S::LANES);
        assert!(end <= len, "a block outside of the buffer");
    }
    let (from, to) = (from.as_ptr().wrapping_add(from_first), to.as_mut_ptr().wrapping_add(to_first));
    // SAFETY: the assertions above cover every row.
    unsafe { simd.transpose_pointer(from, from_step, to, to_step) }
}

#[inline(always)]
fn check_strided<S: Simd, const N: usize>(len: usize, first: usize, step: usize) {
    let end = first.saturating_add(step.saturating_mul(N - 1)).saturating_add(S::LANES);
    assert!(end <= len, "vectors outside of the buffer");
}

/// An instruction set that this processor has. Only [`InstructionSet::available`] and parsing make one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstructionSet(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Portable,
    #[cfg(target_arch = "aarch64")]
    Neon(neon::Neon),
    #[cfg(target_arch = "x86_64")]
    Avx2(x86::Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(x86::Avx512),
}

impl InstructionSet {
    /// Those that this processor can run, slowest first; never empty.
    pub fn available() -> Vec<Self> {
        let mut sets = vec![Self(Kind::Portable)];
        #[cfg(target_arch = "aarch64")]
        sets.extend(neon::Neon::detect().map(|set| Self(Kind::Neon(set))));
        #[cfg(target_arch = "x86_64")]
        {
            sets.extend(x86::Avx2::detect().map(|set| Self(Kind::Avx2(set))));
            sets.extend(x86::Avx512::detect().map(|set| Self(Kind::Avx512(set))));
        }
        sets
    }

    /// The fastest that this processor can run.
    pub fn best() -> Self {
        Self::available().into_iter().next_back().unwrap_or(Self(Kind::Portable))
    }

    /// The name by which a setting chooses it: `portable`, `neon`, `avx2` or `avx512`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Kind::Portable => "portable",
            #[cfg(target_arch = "aarch64")]
            Kind::Neon(_) => "neon",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512(_) => "avx512",
        }
    }

    pub(super) fn run<T: Task>(self, task: T) -> T::Output {
        match self.0 {
            Kind::Portable => portable::Portable.run(task),
            #[cfg(target_arch = "aarch64")]
            Kind::Neon(set) => set.run(task),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2(set) => set.run(task),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512(set) => set.run(task),
        }
    }

    /// Output channels that a full register tile holds: two vectors.
    pub(super) fn channel_block(self) -> usize {
        2 * match self.0 {
            Kind::Portable => portable::Portable::LANES,
            #[cfg(target_arch = "aarch64")]
            Kind::Neon(_) => neon::Neon::LANES,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2(_) => x86::Avx2::LANES,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512(_) => x86::Avx512::LANES,
        }
    }

    pub(super) fn tile_rows(self) -> usize {
        match self.0 {
            Kind::Portable => portable::Portable::TILE_ROWS,
            #[cfg(target_arch = "aarch64")]
            Kind::Neon(_) => neon::Neon::TILE_ROWS,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2(_) => x86::Avx2::TILE_ROWS,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512(_) => x86::Avx512::TILE_ROWS,
        }
    }
}

impl fmt::Display for InstructionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name of an instruction set that is unknown or that this processor lacks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no instruction set {name:?} on this processor; it has {}", available_names())]
pub struct UnknownInstructionSet {
    name: String,
}

fn available_names() -> String {
    InstructionSet::available().iter().map(|set| set.name()).collect::<Vec<_>>().join(", ")
}

impl FromStr for InstructionSet {
    type Err = UnknownInstructionSet;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::available().into_iter().find(|set| set.name() == name);
        found.ok_or_else(|| UnknownInstructionSet { name: name.to_owned() })
    }
}
