//! AVX2 with FMA, and AVX-512.

use super::{Simd, Task};
use std::arch::x86_64::*;

macro_rules! instruction_set {
    (
        $(#[$doc:meta])* $name:ident, $features:tt, [$($feature:tt),*], $vector:ty, $lanes:literal, $tile_rows:literal,
        $set1:ident, $broadcast:ident, $loadu:ident, $storeu:ident, $add:ident, $sub:ident, $mul:ident, $fmadd:ident, $max:ident, $min:ident, $sum:expr
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
        }
    };
}

instruction_set!(
    /// 8 lanes, 16 registers: 6 rows by 2 vectors leave four for the operands.
    Avx2, "avx2,fma", ["avx2", "fma"], __m256, 8, 6,
    _mm256_set1_ps, _mm256_broadcastss_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_add_ps, _mm256_sub_ps, _mm256_mul_ps, _mm256_fmadd_ps,
    _mm256_max_ps, _mm256_min_ps, sum256
);

instruction_set!(
    /// 16 lanes, 32 registers: 12 rows by 2 vectors leave eight for the operands.
    Avx512, "avx512f", ["avx512f"], __m512, 16, 12,
    _mm512_set1_ps, _mm512_broadcastss_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_add_ps, _mm512_sub_ps, _mm512_mul_ps, _mm512_fmadd_ps,
    _mm512_max_ps, _mm512_min_ps, _mm512_reduce_add_ps
);

#[inline]
#[target_feature(enable = "avx2,fma")]
fn sum256(a: __m256) -> f32 {
    let half = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
    let quarter = _mm_add_ps(half, _mm_movehl_ps(half, half));
    _mm_cvtss_f32(_mm_add_ss(quarter, _mm_movehdup_ps(quarter)))
}
