//! What a model can be exported as from the window.

use std::path::PathBuf;

use crate::checkpoint::{ExportFormat, Precision};

/// A format with its precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExportKind {
    /// Our own safetensors, exact.
    Exact,
    /// Our own safetensors in 16 bits.
    Half,
    /// A state dict for the official networks.
    StateDict,
    /// The synthesis network as ONNX.
    Onnx,
}

impl ExportKind {
    /// All of them, in the order of the menu.
    pub const ALL: [Self; 4] = [Self::Exact, Self::Half, Self::StateDict, Self::Onnx];

    /// The command's name.
    pub fn label(self) -> &'static str {
        match self {
            Self::Exact => "Export as safetensors\u{2026}",
            Self::Half => "Export as safetensors, 16 bits\u{2026}",
            Self::StateDict => "Export official state dict\u{2026}",
            Self::Onnx => "Export as ONNX\u{2026}",
        }
    }

    /// What is in the file.
    pub fn tooltip(self) -> &'static str {
        match self {
            Self::Exact => "Weights and configuration in one file, to the bit",
            Self::Half => "The same at half the size; the image changes a little",
            Self::StateDict => "Safetensors under the official names, for load_state_dict",
            Self::Onnx => "The synthesis network, for programs that run ONNX",
        }
    }

    /// The format that is written.
    pub fn format(self) -> ExportFormat {
        match self {
            Self::Exact | Self::Half => ExportFormat::Stylescope,
            Self::StateDict => ExportFormat::StateDict,
            Self::Onnx => ExportFormat::Onnx,
        }
    }

    /// How values are written.
    pub fn precision(self) -> Precision {
        if self == Self::Half { Precision::F16 } else { Precision::F32 }
    }

    /// What the file's name ends in.
    pub fn extension(self) -> &'static str {
        if self == Self::Onnx { "onnx" } else { "safetensors" }
    }

    /// The name that is proposed for a model of this name.
    pub fn file_name(self, stem: &str) -> String {
        let middle = match self {
            Self::Exact | Self::Onnx => "",
            Self::Half => "-f16",
            Self::StateDict => "-state-dict",
        };
        format!("{stem}{middle}.{}", self.extension())
    }

    /// The path with the right ending.
    pub fn with_extension(self, path: PathBuf) -> PathBuf {
        let right = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(self.extension()));
        if right {
            return path;
        }
        let mut name = path.into_os_string();
        name.push(".");
        name.push(self.extension());
        PathBuf::from(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_they_are_and_end_right() {
        let names = ExportKind::ALL.map(|kind| kind.file_name("faces"));
        let expected = ["faces.safetensors", "faces-f16.safetensors", "faces-state-dict.safetensors", "faces.onnx"];
        assert_eq!(names, expected);
        assert_eq!(ExportKind::Onnx.with_extension("a/b.v2".into()), PathBuf::from("a/b.v2.onnx"));
        assert_eq!(ExportKind::Half.with_extension("a.SafeTensors".into()), PathBuf::from("a.SafeTensors"));
    }
}
