//! Files that are either the old or the new one, whenever the power goes.
//!
//! What is written goes to a temporary file in the same folder (a rename across file systems would be a copy), is
//! synced, and takes the name of the target in one step. A write that fails or is killed leaves the target alone.

use std::{
    fs, io,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// End of the names of temporary files; they begin with a dot and the target's name.
const TEMPORARY_SUFFIX: &str = ".tmp";
/// Numbers that [`write_numbered`] tries past the largest it has seen in the folder.
const MAX_TRIES: u32 = 1000;

/// What was being done when a file could not be saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Making the temporary file in the target's folder.
    Create,
    /// Writing the contents.
    Write,
    /// Waiting until the disk has them.
    Sync,
    /// Giving the file its name.
    Rename,
}

impl Step {
    fn remedy(self) -> &'static str {
        match self {
            Self::Create => "cannot create a file in its folder; choose a folder that exists and that you may write to",
            Self::Write => "cannot write its contents; is the disk full?",
            Self::Sync => "the disk did not take its contents; is it full or gone?",
            Self::Rename => "cannot give it its name; is there a folder of that name, or is the file in use?",
        }
    }
}

/// A file could not be saved. What was there before is still there.
#[derive(Debug, thiserror::Error)]
#[error("{} was not saved: {}", .path.display(), .step.remedy())]
pub struct AtomicFileError {
    /// The target.
    pub path: PathBuf,
    /// How far it went.
    pub step: Step,
    /// Why it stopped.
    pub source: io::Error,
}

/// Writes the file at `path` in one step: `write` gets a buffered writer, and its success replaces the file, its
/// failure leaves everything as it was. The permissions of an existing file are kept, a symbolic link is followed.
///
/// # Errors
/// The step that failed. Only the file's own contents are guaranteed to be on the disk when it returns: where the system
/// cannot sync a folder, a power failure may still bring the old file back.
pub fn write_atomic(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), AtomicFileError> {
    write_atomic_if(path, write, || true).map(|_| ())
}

/// As [`write_atomic`], but `wanted` is asked once more when all contents are on the disk, immediately before the file
/// takes its name: the one moment at which somebody who waits can still be told for certain that there will be no file.
/// Returns its answer.
///
/// # Errors
/// As [`write_atomic`].
pub fn write_atomic_if(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    wanted: impl FnOnce() -> bool,
) -> Result<bool, AtomicFileError> {
    // Renaming over a link would replace the link itself, e.g. one that leads to a folder of dotfiles.
    let target = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()),
        _ => path.to_owned(),
    };
    let temporary = write_temporary(&target, write)?;
    if !wanted() {
        return Ok(false);
    }
    temporary.persist(&target).map_err(|failed| error(&target, Step::Rename)(failed.error))?;
    sync_folder_of(&target);
    Ok(true)
}

/// Writes `folder/stem-0001.extension`, or the next number after the largest that the folder has, and returns the path.
/// Two programs that do so at the same time get different numbers, and no existing file is replaced. The file stays in
/// `folder` whatever `stem` is: it may be the name of a model from a stranger.
///
/// # Errors
/// The step that failed, and with which name.
pub fn write_numbered(
    folder: &Path,
    stem: &str,
    extension: &str,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<PathBuf, AtomicFileError> {
    let stem = &plain_name(stem);
    let first = largest_number(folder, stem, extension).map_or(1, |largest| largest + 1);
    let numbered = |number: u32| folder.join(format!("{stem}-{number:04}.{extension}"));
    let mut temporary = write_temporary(&numbered(first), write)?;
    for number in first..first + MAX_TRIES {
        let path = numbered(number);
        match temporary.persist_noclobber(&path) {
            Ok(_) => {
                sync_folder_of(&path);
                return Ok(path);
            }
            Err(failed) if failed.error.kind() == io::ErrorKind::AlreadyExists => temporary = failed.file,
            Err(failed) => return Err(error(&path, Step::Rename)(failed.error)),
        }
    }
    Err(error(&numbered(first), Step::Rename)(io::ErrorKind::AlreadyExists.into()))
}

/// Removes what killed writes of `path` have left beside it, if it is older than `age`: a younger file may be one that
/// another program is writing. Returns how many there were.
pub fn remove_leftovers(path: &Path, age: Duration) -> usize {
    let (Some(folder), Some(prefix)) = (path.parent(), temporary_prefix(path)) else { return 0 };
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let is_leftover = |entry: &fs::DirEntry| {
        let name = entry.file_name();
        let old = || {
            let modified = entry.metadata().ok()?.modified().ok()?;
            Some(SystemTime::now().duration_since(modified).ok()? >= age)
        };
        name.to_str().is_some_and(|name| name.starts_with(&prefix) && name.ends_with(TEMPORARY_SUFFIX))
            && old().unwrap_or(false)
    };
    entries.flatten().filter(is_leftover).filter(|entry| fs::remove_file(entry.path()).is_ok()).count()
}

fn error(path: &Path, step: Step) -> impl FnOnce(io::Error) -> AtomicFileError {
    let path = path.to_owned();
    move |source| AtomicFileError { path, step, source }
}

fn temporary_prefix(path: &Path) -> Option<String> {
    // Cut, so that a name that is just short enough for the disk does not become one that is too long.
    let name: String = path.file_name()?.to_string_lossy().chars().take(40).collect();
    Some(format!(".{name}."))
}

/// A synced file with the contents, in the folder of `target` and under a name of its own.
fn write_temporary(
    target: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<tempfile::NamedTempFile, AtomicFileError> {
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let prefix = temporary_prefix(target).ok_or_else(|| {
        error(target, Step::Create)(io::Error::new(io::ErrorKind::InvalidInput, "it has no file name"))
    })?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(TEMPORARY_SUFFIX);
    // Temporary files are private by default; these become files for everybody, as the umask allows.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut temporary = builder.tempfile_in(folder).map_err(error(target, Step::Create))?;

    let mut buffered = BufWriter::new(temporary.as_file_mut());
    write(&mut buffered).and_then(|()| buffered.flush()).map_err(error(target, Step::Write))?;
    drop(buffered);
    if let Ok(existing) = fs::metadata(target) {
        // A foreign file system may not know permissions; the contents matter more.
        let _ = temporary.as_file().set_permissions(existing.permissions());
    }
    temporary.as_file().sync_all().map_err(error(target, Step::Sync))?;
    Ok(temporary)
}

/// Brings the new name to the disk. Not all systems can do so, and the file is in place already.
fn sync_folder_of(path: &Path) {
    #[cfg(unix)]
    {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if let Err(error) = fs::File::open(folder).and_then(|folder| folder.sync_all()) {
            log::debug!("cannot sync {}: {error}", folder.display());
        }
    }
    #[cfg(not(unix))]
    let _ = path;
}

/// `name` as the beginning of a file name on every system: what leads to other folders, hides the file or is reserved
/// becomes an underscore, and what would be too long is cut.
fn plain_name(name: &str) -> String {
    let plain = |c: char| if c.is_control() || r#"/\:*?"<>|"#.contains(c) { '_' } else { c };
    let mut plain: String = name.chars().map(plain).take(60).collect();
    // The number brings a dash of its own.
    plain.truncate(plain.trim_end_matches('-').len());
    if plain.starts_with('.') {
        plain.replace_range(..1, "_");
    }
    plain
}

/// The largest number of at most six digits among the folder's files of this name.
fn largest_number(folder: &Path, stem: &str, extension: &str) -> Option<u32> {
    let number = |name: &str| {
        let digits = name.strip_prefix(stem)?.strip_prefix('-')?.strip_suffix(extension)?.strip_suffix('.')?;
        let digits = Some(digits).filter(|digits| digits.len() <= 6 && digits.bytes().all(|b| b.is_ascii_digit()))?;
        digits.parse::<u32>().ok()
    };
    let entries = fs::read_dir(folder).ok()?;
    entries.flatten().filter_map(|entry| number(entry.file_name().to_str()?)).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_made_and_replaced_and_nothing_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        for contents in ["first", "the second", ""] {
            write_atomic(&path, |out| out.write_all(contents.as_bytes())).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), contents);
        }
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[test]
    fn a_file_that_is_not_wanted_in_the_end_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        let write = |text: &'static str, wanted: bool| {
            let written = write_atomic_if(&path, |out| out.write_all(text.as_bytes()), || wanted);
            (written.unwrap(), names(folder.path()), fs::read_to_string(&path).ok())
        };
        assert_eq!(write("first", false), (false, vec![], None));
        assert_eq!(write("second", true), (true, vec!["a.txt".into()], Some("second".into())));
        assert_eq!(write("third", false), (false, vec!["a.txt".into()], Some("second".into())));
    }

    #[test]
    fn the_longest_names_can_be_saved() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a".repeat(255), "é".repeat(127)] {
            // On file systems with shorter names there is nothing to see.
            let path = folder.path().join(&name);
            if fs::write(&path, "old").is_ok() {
                write_atomic(&path, |out| out.write_all(b"new")).unwrap();
                assert_eq!(fs::read_to_string(&path).unwrap(), "new");
            }
        }
        let stem = "\u{1f642}".repeat(300);
        write_numbered(folder.path(), &stem, "png", |_| Ok(())).unwrap();
    }

    #[test]
    fn a_failed_write_keeps_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        fs::write(&path, "old").unwrap();
        let failed = write_atomic(&path, |out| {
            out.write_all(b"half of the ne")?;
            Err(io::Error::other("no more"))
        })
        .unwrap_err();
        assert_eq!((failed.step, &failed.path), (Step::Write, &path));
        assert!(failed.to_string().contains("a.txt"), "{failed}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[test]
    fn folders_that_cannot_be_written_to_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        for bad in [file.join("a.txt"), folder.path().join("missing/a.txt"), PathBuf::from("/"), PathBuf::new()] {
            let failed = write_atomic(&bad, |_| Ok(())).unwrap_err();
            assert_eq!(failed.step, Step::Create, "{}", bad.display());
        }
        let occupied = folder.path().join("folder");
        fs::create_dir(&occupied).unwrap();
        assert_eq!(write_atomic(&occupied, |_| Ok(())).unwrap_err().step, Step::Rename);
        assert_eq!(write_numbered(&file, "a", "png", |_| Ok(())).unwrap_err().step, Step::Create);
        assert_eq!(names(folder.path()), ["file", "folder"]);
    }

    #[cfg(unix)]
    #[test]
    fn read_only_folders_are_errors() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
        // The superuser may write everywhere.
        let is_superuser = fs::write(folder.path().join("probe"), "").is_ok();
        let result = write_atomic(&path, |out| out.write_all(b"new"));
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        if is_superuser {
            result.unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        } else {
            let failed = result.unwrap_err();
            assert_eq!((failed.step, failed.source.kind()), (Step::Create, io::ErrorKind::PermissionDenied));
            assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        }
    }

    #[cfg(unix)]
    #[test]
    fn permissions_and_links_are_kept() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("a.txt"), folder.path().join("link"));
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("a.txt", &link).unwrap();
        write_atomic(&link, |out| out.write_all(b"new")).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        // A new file gets what the umask allows, as any other file does.
        let (ours, plain) = (folder.path().join("ours"), folder.path().join("plain"));
        write_atomic(&ours, |_| Ok(())).unwrap();
        fs::write(&plain, "").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&plain));
    }

    #[test]
    fn numbers_go_on_after_the_largest_and_never_collide() {
        let folder = tempfile::tempdir().unwrap();
        let save = |text: &str| {
            let path = write_numbered(folder.path(), "shot", "png", |out| out.write_all(text.as_bytes())).unwrap();
            path.file_name().unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!((save("a"), save("b")), ("shot-0001.png".into(), "shot-0002.png".into()));
        for other in ["shot-0041.png", "shot-99999999.png", "shot-12x.png", "shot-0050.jpg", "shot.png"] {
            fs::write(folder.path().join(other), "").unwrap();
        }
        assert_eq!(save("c"), "shot-0042.png");
        fs::create_dir(folder.path().join("race")).unwrap();
        let race = folder.path().join("race");
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let race = &race;
                scope.spawn(move || {
                    for i in 0..10 {
                        let text = format!("{thread} {i}");
                        write_numbered(race, "r", "txt", |out| out.write_all(text.as_bytes())).unwrap();
                    }
                });
            }
        });
        let mut texts: Vec<_> = names(&race).iter().map(|name| fs::read_to_string(race.join(name)).unwrap()).collect();
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), 40);
    }

    #[test]
    fn a_name_cannot_leave_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let long = "é".repeat(500);
        for stem in ["../up", "/etc/x", "C:\\x", ".hidden", "a\nb\0", "", &long] {
            let path = write_numbered(&inner, stem, "png", |_| Ok(())).unwrap();
            assert_eq!(path.parent(), Some(&*inner), "{stem}");
            assert!(!path.file_name().unwrap().to_str().unwrap().starts_with('.'), "{stem}");
        }
        assert_eq!(names(&inner).len(), 7);
        let dashed = write_numbered(&inner, "faces-", "png", |_| Ok(())).unwrap();
        assert_eq!(dashed, inner.join("faces-0001.png"));
        assert_eq!(names(folder.path()), ["inner"]);
    }

    #[test]
    fn leftovers_of_killed_writes_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        for name in ["a.json", ".a.json.x1.tmp", ".b.json.x1.tmp", ".a.json.txt"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(remove_leftovers(&path, Duration::from_secs(3600)), 0);
        assert_eq!(remove_leftovers(&path, Duration::ZERO), 1);
        assert_eq!(names(folder.path()), [".a.json.txt", ".b.json.x1.tmp", "a.json"]);
    }
}
