//! An error with its causes in one line, for places that show no more than a line.

use std::error::Error;

/// `what happened: why: and why that`.
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the picture was not saved")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn causes_follow_in_order() {
        let error = Outer(std::io::Error::other(Outer(std::io::Error::other("disk full"))));
        // The wrapper of the standard library shows its content itself.
        assert_eq!(error_chain(&error), "the picture was not saved: the picture was not saved: disk full");
        assert_eq!(error_chain(&std::fmt::Error), std::fmt::Error.to_string());
    }
}
