//! Plain arrays, which the compiler turns into whatever vectors the target always has.

use super::{Simd, Task};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Portable;

type Vector = [f32; 4];

#[inline(always)]
fn zip(a: Vector, b: Vector, f: impl Fn(f32, f32) -> f32) -> Vector {
    [f(a[0], b[0]), f(a[1], b[1]), f(a[2], b[2]), f(a[3], b[3])]
}

impl Simd for Portable {
    type Vector = Vector;
    const LANES: usize = 4;
    const TILE_ROWS: usize = 6;

    #[inline(always)]
    fn run<T: Task>(self, task: T) -> T::Output {
        task.call(self)
    }

    #[inline(always)]
    fn splat(self, value: f32) -> Vector {
        [value; 4]
    }

    #[inline(always)]
    unsafe fn load_pointer(self, pointer: *const f32) -> Vector {
        // SAFETY: the caller's promise; an array of f32 has the alignment of f32.
        unsafe { pointer.cast::<Vector>().read() }
    }

    #[inline(always)]
    unsafe fn splat_pointer(self, pointer: *const f32) -> Vector {
        // SAFETY: the caller's promise.
        [unsafe { pointer.read() }; 4]
    }

    #[inline(always)]
    unsafe fn store_pointer(self, vector: Vector, pointer: *mut f32) {
        // SAFETY: the caller's promise; an array of f32 has the alignment of f32.
        unsafe { pointer.cast::<Vector>().write(vector) }
    }

    #[inline(always)]
    fn add(self, a: Vector, b: Vector) -> Vector {
        zip(a, b, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, a: Vector, b: Vector) -> Vector {
        zip(a, b, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, a: Vector, b: Vector) -> Vector {
        zip(a, b, |a, b| a * b)
    }

    // Rather than `f32::mul_add`, which is a call into the mathematics library where the instruction may be missing.
    #[inline(always)]
    fn mul_add(self, a: Vector, b: Vector, c: Vector) -> Vector {
        self.add(self.mul(a, b), c)
    }

    // Comparisons rather than `f32::max`, whose treatment of NaN costs three more instructions.
    #[inline(always)]
    fn max(self, a: Vector, b: Vector) -> Vector {
        zip(a, b, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    fn min(self, a: Vector, b: Vector) -> Vector {
        zip(a, b, |a, b| if a < b { a } else { b })
    }

    #[inline(always)]
    fn sum(self, a: Vector) -> f32 {
        (a[0] + a[1]) + (a[2] + a[3])
    }

    #[inline(always)]
    unsafe fn transpose_pointer(self, from: *const f32, from_step: usize, to: *mut f32, to_step: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let rows: [Vector; 4] = std::array::from_fn(|i| self.load_pointer(from.wrapping_add(i * from_step)));
            #[allow(clippy::needless_range_loop, reason = "a column is no slice")]
            for j in 0..4 {
                let column = [rows[0][j], rows[1][j], rows[2][j], rows[3][j]];
                self.store_pointer(column, to.wrapping_add(j * to_step));
            }
        }
    }
}
