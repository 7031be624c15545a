//! How much a pickle may ask for.

/// Limits of one run of the machine. They bound its memory to a few times the pickle's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Values that may be built.
    pub values: usize,
    /// Height of the stack, and entries of the memo.
    pub stack: usize,
    /// Nested marks.
    pub marks: usize,
    /// Opcodes.
    pub opcodes: usize,
    /// Longest number in text form, in digits.
    pub digits: usize,
    /// Texts and short bytes that are kept of a file on the disk, in bytes.
    pub kept: usize,
}

/// More values than the index of any model has, however large its file.
const MAX_VALUES: usize = 1 << 20;
/// More opcodes than that takes.
const MAX_OPCODES: usize = 1 << 24;

impl Limits {
    /// Limits for a pickle of `len` bytes. Model files have a value per 12 bytes in their indexes of tensors, one in
    /// hundreds where the tensors are inside; a file of nothing but one-byte opcodes is an attack.
    pub fn for_len(len: usize) -> Self {
        let values = (32_768 + len / 12).min(MAX_VALUES);
        let opcodes = (500_000 + len / 3).min(MAX_OPCODES);
        Self { values, stack: values, marks: 4096, opcodes, digits: 64, kept: 32 << 20 }
    }
}
