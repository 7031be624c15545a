//! What the layers of a process share: the instruction set, the threads and the memory to work in.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::{InstructionSet, Threads, Workspace};

/// Instruction set, threads and workspace. Layers that run at the same time take turns.
pub struct Runtime {
    set: InstructionSet,
    threads: Threads,
    workspace: Mutex<Workspace>,
}

/// Chooses the instruction set of [`Runtime::shared`] by its name; `none` leaves everything to the tensor backend.
pub const KERNELS_VARIABLE: &str = "STYLESCOPE_CPU_KERNELS";

impl Runtime {
    /// A runtime of its own, for instance to compare instruction sets.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn new(set: InstructionSet) -> Result<Self, rayon::ThreadPoolBuildError> {
        Ok(Self { set, threads: Threads::new()?, workspace: Mutex::default() })
    }

    /// The one of this process, made at the first call; `None` where it was turned off or the system refuses its threads.
    pub fn shared() -> Option<Arc<Self>> {
        static SHARED: OnceLock<Option<Arc<Runtime>>> = OnceLock::new();
        SHARED.get_or_init(Self::from_environment).clone()
    }

    fn from_environment() -> Option<Arc<Self>> {
        let set = match std::env::var(KERNELS_VARIABLE) {
            Ok(name) if name == "none" => return None,
            Ok(name) => name.parse().unwrap_or_else(|error| {
                log::warn!("{KERNELS_VARIABLE}: {error}");
                InstructionSet::best()
            }),
            Err(_) => InstructionSet::best(),
        };
        match Self::new(set) {
            Ok(runtime) => Some(Arc::new(runtime)),
            Err(error) => {
                log::warn!("no threads for the layers' kernels, so the tensor backend runs them: {error}");
                None
            }
        }
    }

    /// The instruction set that kernels of this runtime are made for.
    pub fn instruction_set(&self) -> InstructionSet {
        self.set
    }

    /// The threads that layers run on.
    pub fn threads(&self) -> &Threads {
        &self.threads
    }

    /// Runs `f`, which runs many operations, on one of the threads: this way each of them finds itself at home there instead of
    /// waking a thread and waiting for it. With a limit of one thread `f` stays where it is, so that it does not keep others out.
    pub fn stay_in<T: Send>(&self, f: impl FnOnce() -> T + Send) -> T {
        let pool = self.threads.current();
        if pool.current_num_threads() > 1 { pool.install(f) } else { f() }
    }

    /// The workspace, once no other layer uses it.
    pub fn workspace(&self) -> MutexGuard<'_, Workspace> {
        // What a panicking layer left there is never read.
        self.workspace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Runtime({}, {} threads)", self.set, self.threads.limit())
    }
}
