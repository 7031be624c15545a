//! Why a pickle was refused.

/// A refused pickle, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at byte {at} of the pickle: {fault}")]
pub struct PickleError {
    /// Position of the opcode, in bytes from the start of the pickle.
    pub at: usize,
    /// What is wrong there.
    pub fault: PickleFault,
}

/// What is wrong with a pickle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PickleFault {
    /// The data ends in the middle of an opcode, or without STOP.
    #[error("it ends too early")]
    End,
    /// An opcode that does not exist.
    #[error("{0:#04x} is not an opcode")]
    UnknownOpcode(u8),
    /// A protocol that does not exist yet.
    #[error("protocol {0} is not known (0 to 5 are)")]
    Protocol(u8),
    /// An opcode takes more values than there are.
    #[error("an opcode takes a value from an empty stack")]
    EmptyStack,
    /// An opcode looks for a mark that was never set.
    #[error("an opcode looks for a mark that is not there")]
    NoMark,
    /// A memo entry is read that was never written.
    #[error("memo entry {0} was never written")]
    MissingMemo(u32),
    /// Text that is not UTF-8.
    #[error("a text is not valid UTF-8")]
    Utf8,
    /// A number in text form that is none, or too long.
    #[error("a number cannot be read")]
    Number,
    /// A negative or impossible length.
    #[error("a length is negative or larger than the file")]
    Length,
    /// A frame that is too long, inside another one, or ends within an opcode.
    #[error("a frame ends outside of the file or within an opcode")]
    Frame,
    /// A dictionary gets a key without a value.
    #[error("a dictionary gets a key without a value")]
    OddItems,
    /// A list, dictionary or set as a key.
    #[error("a value that can change is used as a key")]
    Unhashable,
    /// An opcode meets a value that it cannot work on.
    #[error("{opcode} on {found}")]
    Type {
        /// The opcode's name.
        opcode: &'static str,
        /// What it found.
        found: &'static str,
    },
    /// An opcode that no model file needs.
    #[error("the opcode {0} has no place in a model file")]
    Refused(&'static str),
    /// The system could not read the file.
    #[error("the file cannot be read ({0})")]
    Unreadable(String),
    /// More of something than any model file of this size has.
    #[error("more than {limit} {what}, which no model file of this size has")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}
