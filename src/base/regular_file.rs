//! Opening files that somebody else made.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

/// The file and its length in bytes; `None` if it is no regular file: a pipe would wait for its other end, and a device may
/// never end.
///
/// # Errors
/// There is no such file, or it may not be read.
pub fn open_regular(path: &Path) -> io::Result<Option<(File, u64)>> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Ok(None);
    }
    Ok(Some((File::open(path)?, metadata.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        assert_eq!(open_regular(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
        fs::write(&path, [1; 5]).unwrap();
        assert_eq!(open_regular(&path).unwrap().map(|(_, len)| len), Some(5));
        assert!(open_regular(folder.path()).unwrap().is_none());
        #[cfg(unix)]
        {
            assert!(open_regular(Path::new("/dev/zero")).unwrap().is_none());
            let socket = folder.path().join("s");
            let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
            assert!(open_regular(&socket).unwrap().is_none());
            let (one, other) = (folder.path().join("one"), folder.path().join("other"));
            std::os::unix::fs::symlink(&one, &other).unwrap();
            std::os::unix::fs::symlink(&other, &one).unwrap();
            assert!(open_regular(&one).is_err(), "links in a circle");
        }
    }
}
