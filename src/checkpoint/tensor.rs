//! Arrays in a file: where they lie and how they are laid out, until somebody wants their values.

use std::collections::BTreeMap;

use super::{error::Fault, source::Section};

/// Most axes that an array in a model file may have.
const MAX_RANK: usize = 8;

/// Arrays of one network by the file's own names.
pub(super) type NamedTensors = BTreeMap<String, TensorView>;

/// Type of an array's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DType {
    F16,
    BF16,
    F32,
    F64,
    U8,
    I8,
    I16,
    I32,
    I64,
    Bool,
}

impl DType {
    pub fn size(self) -> usize {
        match self {
            Self::U8 | Self::I8 | Self::Bool => 1,
            Self::F16 | Self::BF16 | Self::I16 => 2,
            Self::F32 | Self::I32 => 4,
            Self::F64 | Self::I64 => 8,
        }
    }

    fn decode(self, bytes: &[u8]) -> f32 {
        let mut raw = [0u8; 8];
        raw.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        let bits = u64::from_le_bytes(raw);
        match self {
            Self::F16 => half_to_f32(bits as u16),
            Self::BF16 => f32::from_bits((bits as u32) << 16),
            Self::F32 => f32::from_bits(bits as u32),
            Self::F64 => f64::from_bits(bits) as f32,
            Self::U8 => f32::from(bits as u8),
            Self::I8 => f32::from(bits as i8),
            Self::I16 => f32::from(bits as i16),
            Self::I32 => bits as i32 as f32,
            Self::I64 => bits as i64 as f32,
            Self::Bool => f32::from(u8::from(bits != 0)),
        }
    }
}

/// A part of the file that holds the elements of one or several arrays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Storage {
    /// Position in the file, in bytes.
    pub start: usize,
    /// Length in bytes.
    pub len: usize,
    pub dtype: DType,
    pub big_endian: bool,
}

/// An array in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TensorView {
    pub shape: Vec<usize>,
    /// In elements; negative along a flipped axis.
    strides: Vec<isize>,
    /// Position of the first element in the file, in bytes.
    start: usize,
    dtype: DType,
    big_endian: bool,
}

impl TensorView {
    /// An array of `shape` in row-major order that fills `storage`.
    pub fn contiguous(shape: Vec<usize>, storage: Storage) -> Result<Self, Fault> {
        let mut strides = vec![1usize; shape.len()];
        for axis in (1..shape.len()).rev() {
            strides[axis - 1] = strides[axis].checked_mul(shape[axis].max(1)).ok_or_else(|| too_large(&shape))?;
        }
        Self::strided(shape, &strides, 0, storage)
    }

    /// An array with strides and an offset in elements. Every element must lie in the storage, and the array may not
    /// have more elements than the storage, so that a small file cannot become a large array.
    pub fn strided(shape: Vec<usize>, strides: &[usize], offset: usize, storage: Storage) -> Result<Self, Fault> {
        let damaged = |cause: &str| Fault::damaged(format!("an array of shape {shape:?}"), cause);
        if shape.len() > MAX_RANK || shape.len() != strides.len() {
            return Err(damaged("its shape and strides do not belong together or have more than 8 axes"));
        }
        let size = storage.dtype.size();
        let available = storage.len / size;
        // Lengths of 0 do not excuse the others.
        let elements =
            shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d.max(1))).ok_or_else(|| too_large(&shape))?;
        let mut last = offset;
        for (&length, &stride) in shape.iter().zip(strides) {
            last = stride
                .checked_mul(length.saturating_sub(1))
                .and_then(|reach| last.checked_add(reach))
                .ok_or_else(|| too_large(&shape))?;
        }
        if !shape.contains(&0) && (last >= available || elements > available) {
            return Err(damaged("it reaches past the end of its data"));
        }
        let signed = strides.iter().map(|&stride| isize::try_from(stride)).collect::<Result<_, _>>();
        let strides = signed.map_err(|_| too_large(&shape))?;
        let start = offset.checked_mul(size).and_then(|bytes| bytes.checked_add(storage.start));
        let start = start.ok_or_else(|| too_large(&shape))?;
        Ok(Self { shape, strides, start, dtype: storage.dtype, big_endian: storage.big_endian })
    }

    pub fn num_elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// The axes in another order. `order` must be a permutation of the axes.
    pub fn permute(mut self, order: &[usize]) -> Self {
        debug_assert_eq!(order.len(), self.shape.len());
        self.shape = order.iter().filter_map(|&axis| self.shape.get(axis).copied()).collect();
        self.strides = order.iter().filter_map(|&axis| self.strides.get(axis).copied()).collect();
        self
    }

    /// The elements of `axis` in reverse.
    pub fn flip(mut self, axis: usize) -> Self {
        if let (Some(&length), Some(stride)) = (self.shape.get(axis), self.strides.get_mut(axis)) {
            let reach = stride.unsigned_abs() * length.saturating_sub(1) * self.dtype.size();
            self.start = if *stride < 0 { self.start - reach } else { self.start + reach };
            *stride = -*stride;
        }
        self
    }

    /// First byte in the file and number of bytes that the array spreads over.
    pub fn extent(&self) -> (usize, usize) {
        if self.num_elements() == 0 {
            return (self.start, 0);
        }
        let size = self.dtype.size();
        let reach = |sign: isize| -> usize {
            let axes = self.shape.iter().zip(&self.strides).filter(|(_, stride)| stride.signum() == sign);
            axes.map(|(&length, stride)| stride.unsigned_abs() * (length - 1) * size).sum()
        };
        let (below, above) = (reach(-1), reach(1));
        (self.start.saturating_sub(below), below + above + size)
    }

    /// The values in row-major order. `file` is the whole file; no more of it than the array is held at a time.
    pub fn read(&self, file: Section<'_>) -> Result<Vec<f32>, Fault> {
        let len = self.num_elements();
        let size = self.dtype.size();
        if len == 0 {
            return Ok(Vec::new());
        }
        let (first, extent) = self.extent();
        let lost = || Fault::damaged(format!("an array at byte {}", self.start), "it lies outside of the file");
        if first.checked_add(extent).is_none_or(|end| end > file.len()) {
            return Err(lost());
        }
        let mut values = Vec::with_capacity(len);
        if self.is_contiguous() && !self.big_endian {
            file.part(first..first + extent).look_through(|bytes| {
                match self.dtype {
                    DType::F32 => values.extend(bytes.as_chunks::<4>().0.iter().map(|c| f32::from_le_bytes(*c))),
                    dtype => values.extend(bytes.chunks_exact(size).map(|c| dtype.decode(c))),
                }
                Ok(())
            })?;
            return Ok(values);
        }
        let bytes = file.get(first, extent).map_err(|cause| cause.into_fault(first))?;
        self.gather(&bytes, self.start - first, &mut values).ok_or_else(lost)?;
        Ok(values)
    }

    /// Appends the values of an array whose first element is at `start` of `bytes`, in row-major order.
    fn gather(&self, bytes: &[u8], start: usize, values: &mut Vec<f32>) -> Option<()> {
        let size = self.dtype.size();
        let (inner_length, inner_stride) = (self.shape.last().copied().unwrap_or(1), self.strides.last().unwrap_or(&1));
        let outer = self.shape.len().saturating_sub(1);
        let mut index = vec![0usize; outer];
        loop {
            let offset: isize = index.iter().zip(&self.strides).map(|(&i, &stride)| i as isize * stride).sum();
            for i in 0..inner_length {
                let at = start.checked_add_signed((offset + i as isize * inner_stride) * size as isize)?;
                let element = bytes.get(at..at + size)?;
                values.push(if self.big_endian {
                    let mut swapped = [0u8; 8];
                    swapped.iter_mut().zip(element.iter().rev()).for_each(|(to, from)| *to = *from);
                    self.dtype.decode(swapped.get(..size)?)
                } else {
                    self.dtype.decode(element)
                });
            }
            // The last of the outer axes counts fastest.
            let mut axis = outer;
            loop {
                if axis == 0 {
                    return Some(());
                }
                axis -= 1;
                *index.get_mut(axis)? += 1;
                if index.get(axis)? < self.shape.get(axis)? {
                    break;
                }
                *index.get_mut(axis)? = 0;
            }
        }
    }

    fn is_contiguous(&self) -> bool {
        let mut expected = 1isize;
        self.shape.iter().zip(&self.strides).rev().all(|(&length, &stride)| {
            let fits = length == 1 || stride == expected;
            expected = expected.saturating_mul(length as isize);
            fits
        })
    }
}

fn too_large(shape: &[usize]) -> Fault {
    // A hostile shape may itself be long.
    let shown = &shape[..shape.len().min(MAX_RANK)];
    Fault::damaged(format!("an array of shape {shown:?}"), "its size overflows")
}

/// The value of an IEEE 754 half-precision number.
pub(super) fn half_to_f32(bits: u16) -> f32 {
    let sign = u32::from(bits >> 15) << 31;
    let exponent = u32::from(bits >> 10) & 0x1f;
    let mantissa = u32::from(bits) & 0x3ff;
    match exponent {
        // Subnormal: mantissa * 2^-24, exact in f32.
        0 => f32::from_bits(sign | (mantissa as f32 * 2f32.powi(-24)).to_bits()),
        31 => f32::from_bits(sign | 0x7f80_0000 | (mantissa << 13)),
        _ => f32::from_bits(sign | ((exponent + 112) << 23) | (mantissa << 13)),
    }
}

/// The nearest IEEE 754 half-precision number, ties to even.
pub(super) fn f32_to_half(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = ((bits >> 16) & 0x8000) as u16;
    let magnitude = bits & 0x7fff_ffff;
    if magnitude > 0x7f80_0000 {
        return sign | 0x7e00;
    }
    // From 65520 on the nearest is infinity.
    if magnitude >= 0x477f_f000 {
        return sign | 0x7c00;
    }
    if magnitude < 0x3880_0000 {
        // Below 2^-14: in units of 2^-24. The product is exact, the rounding is to even.
        return sign | (f32::from_bits(magnitude) * 2f32.powi(24)).round_ties_even() as u16;
    }
    let rounded = magnitude + 0xfff + ((magnitude >> 13) & 1);
    sign | ((rounded - 0x3800_0000) >> 13) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn storage(len: usize, dtype: DType) -> Storage {
        Storage { start: 0, len, dtype, big_endian: false }
    }

    #[test]
    fn strides_flips_and_permutations_are_honoured() {
        let values: Vec<f32> = (0..24).map(|i| i as f32).collect();
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let view = TensorView::contiguous(vec![2, 3, 4], storage(96, DType::F32)).unwrap();
        assert_eq!(view.read(Section::from(bytes.as_slice())).unwrap(), values);
        let permuted = view.clone().permute(&[2, 0, 1]);
        assert_eq!(permuted.shape, [4, 2, 3]);
        let read = permuted.read(Section::from(bytes.as_slice())).unwrap();
        assert_eq!(&read[..7], &[0.0, 4.0, 8.0, 12.0, 16.0, 20.0, 1.0]);
        let flipped = view.flip(2).flip(1).read(Section::from(bytes.as_slice())).unwrap();
        assert_eq!(&flipped[..5], &[11.0, 10.0, 9.0, 8.0, 7.0]);
        let strided = TensorView::strided(vec![2, 2], &[1, 4], 3, storage(96, DType::F32)).unwrap();
        assert_eq!(strided.read(Section::from(bytes.as_slice())).unwrap(), [3.0, 7.0, 4.0, 8.0]);
        assert_eq!((strided.extent(), strided.flip(1).extent()), ((12, 24), (12, 24)));
        let big: Vec<u8> = values.iter().flat_map(|v| v.to_be_bytes()).collect();
        let view = TensorView::contiguous(vec![24], Storage { big_endian: true, ..storage(96, DType::F32) }).unwrap();
        assert_eq!(view.read(Section::from(big.as_slice())).unwrap(), values);
    }

    #[test]
    fn arrays_stay_inside_their_storage() {
        let data = storage(96, DType::F32);
        for (shape, strides, offset) in [
            (vec![25], vec![1], 0),
            (vec![24], vec![1], 1),
            (vec![2], vec![1 << 40], 0),
            (vec![1 << 20, 1 << 20], vec![0, 0], 0),
            (vec![1 << 62], vec![1], 0),
            (vec![0, 1 << 63, 2], vec![1, 1, 1], 0),
            (vec![2, 2], vec![usize::MAX, 1], 0),
            (vec![1; 9], vec![1; 9], 0),
        ] {
            assert!(TensorView::strided(shape.clone(), &strides, offset, data).is_err(), "{shape:?} {strides:?}");
        }
        assert!(TensorView::contiguous(vec![0, 3], data).unwrap().read(Section::from(&[][..])).unwrap().is_empty());
    }

    #[test]
    fn half_precision_goes_both_ways() {
        for bits in 0..=u16::MAX {
            let value = half_to_f32(bits);
            if value.is_nan() {
                assert!(half_to_f32(f32_to_half(value)).is_nan());
            } else {
                assert_eq!(f32_to_half(value), bits, "{value}");
            }
        }
        // Ties to even, in the normal and the subnormal range; the largest finite value and beyond.
        for (value, expected) in [
            (1.0 + 1.0 / 2048.0, 1.0),
            (1.0 + 3.0 / 2048.0, 1.0 + 2.0 / 1024.0),
            (2f32.powi(-25), 0.0),
            (3.0 * 2f32.powi(-25), 2f32.powi(-23)),
            (65519.0, 65504.0),
            (65520.0, f32::INFINITY),
        ] {
            assert_eq!(half_to_f32(f32_to_half(value)), expected, "{value}");
        }
    }
}
