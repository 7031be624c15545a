//! An error with its causes in one line, for places that show no more than a line.

use std::error::Error;

/// `what happened: why: and why that`. A cause that its parent quotes at its end is not said twice.
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = one_line(error);
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = one_line(cause);
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

fn one_line(error: &dyn Error) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
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
        assert_eq!(error_chain(&error), "the picture was not saved: disk full");
        let error = Outer(std::io::Error::other("no such\n  file"));
        assert_eq!(error_chain(&error), "the picture was not saved: no such file");
        assert_eq!(error_chain(&std::fmt::Error), std::fmt::Error.to_string());
    }
}
