//! The f32 tensors of a run in one safetensors file, written as they come: the file's layout follows from the number
//! of images, so no more than one image is in memory.

use std::{
    fs::File,
    io::{self, BufWriter, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

/// A tensor of the file: `[rows, row_shape..]`.
#[derive(Debug, Clone)]
pub struct RawTensor {
    /// Its name.
    pub name: &'static str,
    /// Its shape without the first axis.
    pub row_shape: Vec<usize>,
}

/// A safetensors file under way. It appears under its name only when it is complete.
#[derive(Debug)]
pub struct RawFile {
    path: PathBuf,
    file: BufWriter<NamedTempFile>,
    columns: Vec<Column>,
}

#[derive(Debug)]
struct Column {
    name: &'static str,
    row_len: usize,
    next: u64,
    rows_left: u64,
}

/// Why the file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum RawError {
    /// The numbers would not fit into any file.
    #[error("{rows} rows are more than a file can hold")]
    TooLarge {
        /// Number of rows asked for.
        rows: u64,
    },
    /// A row has another length than announced, there are too many rows, or too few.
    #[error("the tensor {name} got a row of {len} values, or {rows_left} rows too few")]
    Row {
        /// The tensor.
        name: &'static str,
        /// Length of the row.
        len: usize,
        /// Rows that were still to come.
        rows_left: u64,
    },
    /// The operating system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl RawFile {
    /// Begins a file with `rows` rows of each tensor.
    ///
    /// # Errors
    /// [`RawError`] if the file cannot be made or the sizes overflow.
    pub fn create(path: &Path, rows: u64, tensors: &[RawTensor]) -> Result<Self, RawError> {
        let too_large = || RawError::TooLarge { rows };
        let mut header = serde_json::Map::new();
        let mut columns = Vec::with_capacity(tensors.len());
        let mut end = 0u64;
        for RawTensor { name, row_shape } in tensors {
            let row_len = row_shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d)).ok_or_else(too_large)?;
            let bytes = (row_len as u64).checked_mul(4).and_then(|b| b.checked_mul(rows)).ok_or_else(too_large)?;
            let begin = end;
            end = begin.checked_add(bytes).ok_or_else(too_large)?;
            let shape: Vec<u64> = std::iter::once(rows).chain(row_shape.iter().map(|d| *d as u64)).collect();
            let entry = serde_json::json!({ "dtype": "F32", "shape": shape, "data_offsets": [begin, end] });
            header.insert((*name).to_owned(), entry);
            columns.push(Column { name, row_len, next: begin, rows_left: rows });
        }
        let mut header = serde_json::Value::Object(header).to_string().into_bytes();
        header.resize(header.len().next_multiple_of(8), b' ');
        let data = 8 + header.len() as u64;
        for column in &mut columns {
            column.next = column.next.checked_add(data).ok_or_else(too_large)?;
        }

        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = BufWriter::new(NamedTempFile::new_in(folder)?);
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(&header)?;
        Ok(Self { path: path.to_owned(), file, columns })
    }

    /// The next row of the tensor `name`; a name that was not announced is ignored.
    ///
    /// # Errors
    /// [`RawError`] if the row has another length than announced or the disk is full.
    pub fn push(&mut self, name: &str, row: &[f32]) -> Result<(), RawError> {
        let Some(column) = self.columns.iter_mut().find(|column| column.name == name) else { return Ok(()) };
        if row.len() != column.row_len || column.rows_left == 0 {
            return Err(RawError::Row { name: column.name, len: row.len(), rows_left: column.rows_left });
        }
        self.file.seek(SeekFrom::Start(column.next))?;
        for value in row {
            self.file.write_all(&value.to_le_bytes())?;
        }
        column.next += row.len() as u64 * 4;
        column.rows_left -= 1;
        Ok(())
    }

    /// Puts the complete file under its name.
    ///
    /// # Errors
    /// [`RawError`] if rows are missing or the disk is full.
    pub fn finish(self) -> Result<(), RawError> {
        if let Some(Column { name, rows_left, .. }) = self.columns.iter().find(|column| column.rows_left > 0) {
            return Err(RawError::Row { name, len: 0, rows_left: *rows_left });
        }
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        readable_by_others(file.as_file())?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        Ok(())
    }
}

/// Temporary files are private at first; a result is an ordinary file.
#[cfg(unix)]
fn readable_by_others(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable_by_others(_: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensors() -> [RawTensor; 2] {
        [RawTensor { name: "ws", row_shape: vec![2, 3] }, RawTensor { name: "image", row_shape: vec![1, 2, 2] }]
    }

    #[test]
    fn the_file_holds_what_was_pushed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("raw.safetensors");
        let mut raw = RawFile::create(&path, 2, &tensors()).unwrap();
        for row in 0..2u8 {
            raw.push("image", &[f32::from(row), 1.5, f32::MIN_POSITIVE, -0.0]).unwrap();
            raw.push("ws", &[f32::from(row); 6]).unwrap();
            raw.push("z", &[1.0]).unwrap();
            assert!(!path.exists());
        }
        raw.finish().unwrap();

        let bytes = std::fs::read(&path).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let mut names = file.names();
        names.sort();
        assert_eq!(names, ["image", "ws"]);
        let (ws, image) = (file.tensor("ws").unwrap(), file.tensor("image").unwrap());
        assert_eq!((ws.shape(), image.shape()), (&[2, 2, 3][..], &[2, 1, 2, 2][..]));
        let values: Vec<f32> =
            image.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
        assert_eq!(values, [0.0, 1.5, f32::MIN_POSITIVE, -0.0, 1.0, 1.5, f32::MIN_POSITIVE, -0.0]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn incomplete_files_do_not_appear() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("raw.safetensors");
        let mut raw = RawFile::create(&path, 1, &tensors()).unwrap();
        assert!(matches!(raw.push("ws", &[0.0; 5]), Err(RawError::Row { len: 5, .. })));
        raw.push("ws", &[0.0; 6]).unwrap();
        assert!(raw.push("ws", &[0.0; 6]).is_err(), "one row too many");
        assert!(matches!(raw.finish(), Err(RawError::Row { name: "image", rows_left: 1, .. })));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(matches!(RawFile::create(&path, u64::MAX / 8, &tensors()), Err(RawError::TooLarge { .. })));
    }
}
