//! Paths that a training needs from the user.

use std::path::{Path, PathBuf};

use super::{TrainingState, form::DataChoice};

/// What a file dialog of the system asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TrainingQuestion {
    /// A folder of images.
    DataFolder,
    /// A zip archive of images.
    DataZip,
    /// The folder of a run to go on with.
    Run,
    /// The folder in which runs are made.
    Runs,
    /// Where to write the history as a table.
    Csv,
    /// Where to write the picture of the charts.
    Png,
}

/// How a path is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Picks {
    /// A folder that is there.
    Folder,
    /// A folder, which may have to be made.
    NewFolder,
    /// A file that is there, with this ending.
    File(&'static str),
    /// A file to write, with this ending.
    Save(&'static str),
}

impl TrainingQuestion {
    /// The dialog's title.
    pub fn title(self) -> &'static str {
        match self {
            Self::DataFolder => "Choose a folder of images",
            Self::DataZip => "Choose a zip of images",
            Self::Run => "Choose the folder of a run",
            Self::Runs => "Choose where runs are made",
            Self::Csv => "Export the history",
            Self::Png => "Export the charts",
        }
    }

    /// What is asked for, in a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Self::DataFolder => "PNG, JPEG and WebP, also in folders within it.",
            Self::DataZip => "PNG, JPEG and WebP, also in folders within it.",
            Self::Run => "A training made it; it holds run.json.",
            Self::Runs => "Each training gets a numbered folder in it.",
            Self::Csv => "Comma-separated values, a line a tick.",
            Self::Png => "The charts as they are on the screen.",
        }
    }

    /// What can be picked.
    pub fn picks(self) -> Picks {
        match self {
            Self::DataFolder | Self::Run => Picks::Folder,
            Self::Runs => Picks::NewFolder,
            Self::DataZip => Picks::File("zip"),
            Self::Csv => Picks::Save("csv"),
            Self::Png => Picks::Save("png"),
        }
    }

    /// The name that is proposed for a file to write.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Csv => "history.csv",
            Self::Png => "charts.png",
            Self::DataFolder | Self::DataZip | Self::Run | Self::Runs => "",
        }
    }

    /// The path with the right ending.
    pub fn finished(self, path: PathBuf) -> PathBuf {
        let Picks::Save(ending) = self.picks() else { return path };
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(ending)) {
            return path;
        }
        let mut name = path.into_os_string();
        name.push(".");
        name.push(ending);
        PathBuf::from(name)
    }
}

impl TrainingState {
    /// Where a dialog begins.
    pub fn folder_for(&self, question: TrainingQuestion) -> Option<PathBuf> {
        let beside = |path: &PathBuf| path.parent().map(Path::to_path_buf);
        match question {
            TrainingQuestion::DataFolder | TrainingQuestion::DataZip => match &self.form.data {
                DataChoice::Path(path) => beside(path),
                DataChoice::Portraits => None,
            },
            TrainingQuestion::Run => self.form.last_run.as_ref().and_then(beside).or(Some(self.form.runs_folder())),
            TrainingQuestion::Runs => Some(self.form.runs_folder()),
            TrainingQuestion::Csv | TrainingQuestion::Png => self.view.as_ref().map(|view| view.folder.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_end_as_what_they_are() {
        assert_eq!(TrainingQuestion::Csv.finished("a/b".into()), PathBuf::from("a/b.csv"));
        assert_eq!(TrainingQuestion::Png.finished("a/b.PNG".into()), PathBuf::from("a/b.PNG"));
        assert_eq!(TrainingQuestion::Run.finished("a/b".into()), PathBuf::from("a/b"));
    }
}
