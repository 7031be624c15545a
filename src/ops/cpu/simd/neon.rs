//! NEON, the vectors of 64-bit ARM processors.

use super::{Simd, Task};
use std::arch::aarch64::*;
use std::arch::is_aarch64_feature_detected;

/// 4 lanes, 32 registers: 12 rows by 2 vectors leave eight for the operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Neon(());

impl Neon {
    /// The proof that this processor has the set, if it has.
    pub(super) fn detect() -> Option<Self> {
        is_aarch64_feature_detected!("neon").then_some(Self(()))
    }
}

// SAFETY of every block below: a value of this type is only made by `detect`, so the processor has the instructions;
// pointers are the callers' promise.
impl Simd for Neon {
    type Vector = float32x4_t;
    const LANES: usize = 4;
    const TILE_ROWS: usize = 12;

    #[inline(always)]
    fn run<T: Task>(self, task: T) -> T::Output {
        #[target_feature(enable = "neon")]
        fn with_features<T: Task>(set: Neon, task: T) -> T::Output {
            task.call(set)
        }
        unsafe { with_features(self, task) }
    }

    #[inline(always)]
    fn splat(self, value: f32) -> float32x4_t {
        unsafe { vdupq_n_f32(value) }
    }

    #[inline(always)]
    unsafe fn load_pointer(self, pointer: *const f32) -> float32x4_t {
        unsafe { vld1q_f32(pointer) }
    }

    #[inline(always)]
    unsafe fn splat_pointer(self, pointer: *const f32) -> float32x4_t {
        unsafe { vld1q_dup_f32(pointer) }
    }

    #[inline(always)]
    unsafe fn store_pointer(self, vector: float32x4_t, pointer: *mut f32) {
        unsafe { vst1q_f32(pointer, vector) }
    }

    #[inline(always)]
    fn add(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        unsafe { vaddq_f32(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        unsafe { vsubq_f32(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        unsafe { vmulq_f32(a, b) }
    }

    #[inline(always)]
    fn mul_add(self, a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
        unsafe { vfmaq_f32(c, a, b) }
    }

    #[inline(always)]
    fn max(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        unsafe { vmaxq_f32(a, b) }
    }

    #[inline(always)]
    fn min(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        unsafe { vminq_f32(a, b) }
    }

    #[inline(always)]
    fn sum(self, a: float32x4_t) -> f32 {
        unsafe { vaddvq_f32(a) }
    }

    #[inline(always)]
    unsafe fn transpose_pointer(self, from: *const f32, from_step: usize, to: *mut f32, to_step: usize) {
        unsafe { transpose4(from, from_step, to, to_step) }
    }

    // Two values of a row at a time, each of which multiplies from where it lies in its register: loading one value into every
    // lane takes a turn of the multipliers on Arm's larger cores.
    #[inline(always)]
    unsafe fn product_pointer<const N: usize, const V: usize>(
        self,
        rows: [*const f32; N],
        mut weights: *const f32,
        depth: usize,
    ) -> [[float32x4_t; V]; N] {
        let mut tile = [[self.splat(0.0); V]; N];
        let mut c = 0;
        // `while` for the reason given in `tile`.
        while c + 2 <= depth {
            let mut vectors = [[self.splat(0.0); V]; 2];
            let mut j = 0;
            while j < V {
                vectors[0][j] = unsafe { vld1q_f32(weights.wrapping_add(j * Self::LANES)) };
                vectors[1][j] = unsafe { vld1q_f32(weights.wrapping_add((V + j) * Self::LANES)) };
                j += 1;
            }
            let mut i = 0;
            while i < N {
                let pair = unsafe { vld1_f32(rows[i].wrapping_add(c)) };
                let mut j = 0;
                while j < V {
                    tile[i][j] = unsafe { vfmaq_lane_f32::<0>(tile[i][j], vectors[0][j], pair) };
                    j += 1;
                }
                let mut j = 0;
                while j < V {
                    tile[i][j] = unsafe { vfmaq_lane_f32::<1>(tile[i][j], vectors[1][j], pair) };
                    j += 1;
                }
                i += 1;
            }
            weights = weights.wrapping_add(2 * V * Self::LANES);
            c += 2;
        }
        if c < depth {
            let mut vectors = [self.splat(0.0); V];
            let mut j = 0;
            while j < V {
                vectors[j] = unsafe { vld1q_f32(weights.wrapping_add(j * Self::LANES)) };
                j += 1;
            }
            let mut i = 0;
            while i < N {
                let value = unsafe { vld1q_dup_f32(rows[i].wrapping_add(c)) };
                let mut j = 0;
                while j < V {
                    tile[i][j] = unsafe { vfmaq_f32(tile[i][j], value, vectors[j]) };
                    j += 1;
                }
                i += 1;
            }
        }
        // Copied one by one, because the loops above would write to the caller's array at every step if that stays in memory.
        let mut sums = [[self.splat(0.0); V]; N];
        let mut i = 0;
        while i < N {
            let mut j = 0;
            while j < V {
                sums[i][j] = tile[i][j];
                j += 1;
            }
            i += 1;
        }
        sums
    }
}

/// # Safety
/// As [`Simd::transpose_pointer`].
#[inline]
#[target_feature(enable = "neon")]
unsafe fn transpose4(from: *const f32, from_step: usize, to: *mut f32, to_step: usize) {
    let mut r = [vdupq_n_f32(0.0); 4];
    for (i, row) in r.iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        *row = unsafe { vld1q_f32(from.wrapping_add(i * from_step)) };
    }
    // Every second row interleaved gives columns 0, 1 and 2, 3; the two interleaved again, whole columns.
    let (low02, high02) = (vzip1q_f32(r[0], r[2]), vzip2q_f32(r[0], r[2]));
    let (low13, high13) = (vzip1q_f32(r[1], r[3]), vzip2q_f32(r[1], r[3]));
    let columns =
        [vzip1q_f32(low02, low13), vzip2q_f32(low02, low13), vzip1q_f32(high02, high13), vzip2q_f32(high02, high13)];
    for (j, column) in columns.into_iter().enumerate() {
        // SAFETY: the caller's promise.
        unsafe { vst1q_f32(to.wrapping_add(j * to_step), column) };
    }
}
