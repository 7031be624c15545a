//! AVX2 with FMA, and AVX-512.

use super::{Simd, Task};
use std::arch::x86_64::*;

macro_rules! instruction_set {
    (
        $(#[$doc:meta])* $name:ident, $features:tt, [$($feature:tt),*], $vector:ty, $lanes:literal, $tile_rows:literal,
        $set1:ident, $broadcast:ident, $loadu:ident, $storeu:ident, $add:ident, $sub:ident, $mul:ident, $fmadd:ident, $max:ident, $min:ident, $sum:expr, $transpose:ident
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) struct $name(());

        impl $name {
            /// The proof that this processor has the set, if it has.
            pub(super) fn detect() -> Option<Self> {
                ($(is_x86_feature_detected!($feature))&&*).then_some(Self(()))
            }
        }

        // SAFETY of every block below: a value of this type is only made by `detect`, so the processor has the
        // instructions; pointers are the callers' promise.
        impl Simd for $name {
            type Vector = $vector;
            const LANES: usize = $lanes;
            const TILE_ROWS: usize = $tile_rows;

            #[inline(always)]
            fn run<T: Task>(self, task: T) -> T::Output {
                #[target_feature(enable = $features)]
                fn with_features<T: Task>(set: $name, task: T) -> T::Output {
                    task.call(set)
                }
                unsafe { with_features(self, task) }
            }

            #[inline(always)]
            fn splat(self, value: f32) -> $vector {
                unsafe { $set1(value) }
            }

            #[inline(always)]
            unsafe fn load_pointer(self, pointer: *const f32) -> $vector {
                unsafe { $loadu(pointer) }
            }

            #[inline(always)]
            unsafe fn splat_pointer(self, pointer: *const f32) -> $vector {
                unsafe { $broadcast(_mm_load_ss(pointer)) }
            }

            #[inline(always)]
            unsafe fn store_pointer(self, vector: $vector, pointer: *mut f32) {
                unsafe { $storeu(pointer, vector) }
            }

            #[inline(always)]
            fn add(self, a: $vector, b: $vector) -> $vector {
                unsafe { $add(a, b) }
            }

            #[inline(always)]
            fn sub(self, a: $vector, b: $vector) -> $vector {
                unsafe { $sub(a, b) }
            }

            #[inline(always)]
            fn mul(self, a: $vector, b: $vector) -> $vector {
                unsafe { $mul(a, b) }
            }

            #[inline(always)]
            fn mul_add(self, a: $vector, b: $vector, c: $vector) -> $vector {
                unsafe { $fmadd(a, b, c) }
            }

            #[inline(always)]
            fn max(self, a: $vector, b: $vector) -> $vector {
                unsafe { $max(a, b) }
            }

            #[inline(always)]
            fn min(self, a: $vector, b: $vector) -> $vector {
                unsafe { $min(a, b) }
            }

            #[inline(always)]
            fn sum(self, a: $vector) -> f32 {
                unsafe { $sum(a) }
            }

            #[inline(always)]
            unsafe fn transpose_pointer(self, from: *const f32, from_step: usize, to: *mut f32, to_step: usize) {
                unsafe { $transpose(from, from_step, to, to_step) }
            }
        }
    };
}

instruction_set!(
    /// 8 lanes, 16 registers: 6 rows by 2 vectors leave four for the operands.
    Avx2, "avx2,fma", ["avx2", "fma"], __m256, 8, 6,
    _mm256_set1_ps, _mm256_broadcastss_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_add_ps, _mm256_sub_ps, _mm256_mul_ps, _mm256_fmadd_ps,
    _mm256_max_ps, _mm256_min_ps, sum256, transpose8
);

instruction_set!(
    /// 16 lanes, 32 registers: 12 rows by 2 vectors leave eight for the operands.
    Avx512, "avx512f", ["avx512f"], __m512, 16, 12,
    _mm512_set1_ps, _mm512_broadcastss_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_add_ps, _mm512_sub_ps, _mm512_mul_ps, _mm512_fmadd_ps,
    _mm512_max_ps, _mm512_min_ps, _mm512_reduce_add_ps, transpose16
);

#[inline]
#[target_feature(enable = "avx2,fma")]
fn sum256(a: __m256) -> f32 {
    let half = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
    let quarter = _mm_add_ps(half, _mm_movehl_ps(half, half));
    _mm_cvtss_f32(_mm_add_ss(quarter, _mm_movehdup_ps(quarter)))
}

/// # Safety
/// As [`Simd::transpose_pointer`].
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn transpose8(from: *const f32, from_step: usize, to: *mut f32, to_step: usize) {
    let mut r = [_mm256_setzero_ps(); 8];
    for (i, row) in r.iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        *row = unsafe { _mm256_loadu_ps(from.wrapping_add(i * from_step)) };
    }
    // Halves of a register are turned over on their own, four rows at a time; then the halves change places.
    let mut quads = [_mm256_setzero_ps(); 8];
    for k in [0, 4] {
        let (low01, high01) = (_mm256_unpacklo_ps(r[k], r[k + 1]), _mm256_unpackhi_ps(r[k], r[k + 1]));
        let (low23, high23) = (_mm256_unpacklo_ps(r[k + 2], r[k + 3]), _mm256_unpackhi_ps(r[k + 2], r[k + 3]));
        quads[k] = _mm256_shuffle_ps::<0x44>(low01, low23);
        quads[k + 1] = _mm256_shuffle_ps::<0xee>(low01, low23);
        quads[k + 2] = _mm256_shuffle_ps::<0x44>(high01, high23);
        quads[k + 3] = _mm256_shuffle_ps::<0xee>(high01, high23);
    }
    for j in 0..4 {
        let columns = [
            _mm256_permute2f128_ps::<0x20>(quads[j], quads[4 + j]),
            _mm256_permute2f128_ps::<0x31>(quads[j], quads[4 + j]),
        ];
        for (half, column) in columns.into_iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe { _mm256_storeu_ps(to.wrapping_add((4 * half + j) * to_step), column) };
        }
    }
}

/// # Safety
/// As [`Simd::transpose_pointer`].
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn transpose16(from: *const f32, from_step: usize, to: *mut f32, to_step: usize) {
    let mut r = [_mm512_setzero_ps(); 16];
    for (i, row) in r.iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        *row = unsafe { _mm512_loadu_ps(from.wrapping_add(i * from_step)) };
    }
    // Quarters of a register are turned over on their own, four rows at a time; then the quarters change places.
    let mut quads = [_mm512_setzero_ps(); 16];
    for k in [0, 4, 8, 12] {
        let (low01, high01) = (_mm512_unpacklo_ps(r[k], r[k + 1]), _mm512_unpackhi_ps(r[k], r[k + 1]));
        let (low23, high23) = (_mm512_unpacklo_ps(r[k + 2], r[k + 3]), _mm512_unpackhi_ps(r[k + 2], r[k + 3]));
        quads[k] = _mm512_shuffle_ps::<0x44>(low01, low23);
        quads[k + 1] = _mm512_shuffle_ps::<0xee>(low01, low23);
        quads[k + 2] = _mm512_shuffle_ps::<0x44>(high01, high23);
        quads[k + 3] = _mm512_shuffle_ps::<0xee>(high01, high23);
    }
    for j in 0..4 {
        let even = [
            _mm512_shuffle_f32x4::<0x88>(quads[j], quads[4 + j]),
            _mm512_shuffle_f32x4::<0x88>(quads[8 + j], quads[12 + j]),
        ];
        let odd = [
            _mm512_shuffle_f32x4::<0xdd>(quads[j], quads[4 + j]),
            _mm512_shuffle_f32x4::<0xdd>(quads[8 + j], quads[12 + j]),
        ];
        let columns = [
            _mm512_shuffle_f32x4::<0x88>(even[0], even[1]),
            _mm512_shuffle_f32x4::<0x88>(odd[0], odd[1]),
            _mm512_shuffle_f32x4::<0xdd>(even[0], even[1]),
            _mm512_shuffle_f32x4::<0xdd>(odd[0], odd[1]),
        ];
        for (quarter, column) in columns.into_iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe { _mm512_storeu_ps(to.wrapping_add((4 * quarter + j) * to_step), column) };
        }
    }
}
