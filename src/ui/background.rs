//! What would make the window wait, on threads of its own: the system's file dialog, and reading saved pictures.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{
    state::FileQuestion,
    training::{errand::TrainingAnswer, question::Picks},
};
use crate::{
    base::error_chain::error_chain,
    checkpoint::{SnapshotFile, run_snapshots},
    session::{PoseRecord, png},
};

/// Answers that wait; more are never under way.
const MOST: usize = 64;

/// What came back.
#[derive(Debug)]
pub enum Answer {
    /// The file dialog closed.
    Chosen {
        /// What it asked.
        question: FileQuestion,
        /// The answer. `None` means that the user gave up, or that no dialog could open: the library does not say.
        path: Option<PathBuf>,
        /// How long it was open.
        after: Duration,
    },
    /// A picture was read.
    Pose {
        /// The picture.
        path: PathBuf,
        /// Its pose, or why there is none.
        record: Result<Box<PoseRecord>, String>,
    },
    /// Something about training.
    Training(TrainingAnswer),
    /// The folder of a run was looked at.
    Run {
        /// The folder.
        run: PathBuf,
        /// Its snapshots, or why they are not known.
        snapshots: Result<Vec<SnapshotFile>, String>,
    },
}

/// Starts work in the background and collects what comes back. Clones share the answers.
#[derive(Clone)]
pub struct Background {
    send: Sender<Answer>,
    receive: Receiver<Answer>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl Background {
    /// `wake` is called when there is an answer.
    pub fn new(wake: Arc<dyn Fn() + Send + Sync>) -> Self {
        let (send, receive) = bounded(MOST);
        Self { send, receive, wake }
    }

    /// Everything that came back since the last call.
    pub fn poll(&self) -> Vec<Answer> {
        self.receive.try_iter().collect()
    }

    /// Opens the system's file dialog, in `folder` and for saving with `name` proposed.
    ///
    /// # Errors
    /// If the operating system refuses a thread.
    pub fn ask(&self, question: FileQuestion, folder: &Path, name: &str) -> std::io::Result<()> {
        let dialog = rfd::AsyncFileDialog::new().set_directory(folder);
        // The dialog's future is made here, on the main thread, where macOS wants it, and waited for elsewhere.
        type Chosen = std::pin::Pin<Box<dyn Future<Output = Option<rfd::FileHandle>> + Send>>;
        let chosen: Chosen = match question {
            FileQuestion::Open => Box::pin(
                dialog
                    .set_title("Open a model or a saved picture")
                    .add_filter("Models and saved pictures", &["pkl", "pt", "pth", "safetensors", "png"])
                    .add_filter("All files", &["*"])
                    .pick_file(),
            ),
            FileQuestion::Export(kind) => {
                let dialog = dialog.set_title("Export model").add_filter("Model", &[kind.extension()]);
                Box::pin(dialog.set_file_name(name).save_file())
            }
            FileQuestion::Training(question) => {
                let dialog = dialog.set_title(question.title());
                match question.picks() {
                    Picks::Folder | Picks::NewFolder => Box::pin(dialog.pick_folder()),
                    Picks::File(ending) => Box::pin(dialog.add_filter(ending, &[ending]).pick_file()),
                    Picks::Save(ending) => {
                        Box::pin(dialog.add_filter(ending, &[ending]).set_file_name(name).save_file())
                    }
                }
            }
            FileQuestion::Run => Box::pin(dialog.set_title("Open the folder of a training run").pick_folder()),
            FileQuestion::Sweep => {
                let dialog = dialog.set_title("Export animation").add_filter("Animated PNG", &["png"]);
                Box::pin(dialog.set_file_name(name).save_file())
            }
            FileQuestion::Save => {
                Box::pin(dialog.set_title("Save image").add_filter("PNG", &["png"]).set_file_name(name).save_file())
            }
        };
        let asked = Instant::now();
        self.spawn("file dialog", move || {
            let path = pollster::block_on(chosen).map(|file| file.path().to_path_buf());
            Some(Answer::Chosen { question, path, after: asked.elapsed() })
        })
    }

    /// Reads the pose that a saved picture carries.
    ///
    /// # Errors
    /// If the operating system refuses a thread.
    pub fn read_pose(&self, path: PathBuf) -> std::io::Result<()> {
        self.spawn("read pose", move || {
            let record = png::read_pose_file(&path).map(Box::new).map_err(|error| error_chain(&error));
            Some(Answer::Pose { path, record })
        })
    }

    /// Looks for the snapshots of a run.
    ///
    /// # Errors
    /// If the operating system refuses a thread.
    pub fn list_run(&self, run: PathBuf) -> std::io::Result<()> {
        self.spawn("list run", move || {
            let snapshots = run_snapshots(&run).map_err(|error| error_chain(&error));
            Some(Answer::Run { run, snapshots })
        })
    }

    /// Does `work` on a thread of its own; what it returns is among the next answers.
    ///
    /// # Errors
    /// If the operating system refuses a thread.
    pub fn spawn(&self, name: &str, work: impl FnOnce() -> Option<Answer> + Send + 'static) -> std::io::Result<()> {
        let (send, wake) = (self.send.clone(), Arc::clone(&self.wake));
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            // A window that closed meanwhile does not want the answer.
            if work().is_some_and(|answer| send.try_send(answer).is_ok()) {
                wake();
            }
        })?;
        Ok(())
    }
}
