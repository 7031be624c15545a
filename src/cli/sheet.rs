//! Many images side by side in one.

use std::str::FromStr;

/// Longest side of a sheet in pixels: beyond it viewers give up, and so does the memory.
const MAX_SIDE: usize = 16_384;

/// Columns and rows, as in `4x2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GridSize {
    /// Images in a row.
    pub columns: usize,
    /// Rows.
    pub rows: usize,
}

impl GridSize {
    /// Number of images that have room.
    pub fn cells(self) -> u64 {
        self.columns as u64 * self.rows as u64
    }
}

impl FromStr for GridSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let sides = text.split_once(['x', 'X']).and_then(|(c, r)| Some((c.parse().ok()?, r.parse().ok()?)));
        match sides {
            Some((columns @ 1..=1024, rows @ 1..=1024)) => Ok(Self { columns, rows }),
            _ => Err("it must be COLUMNSxROWS, each between 1 and 1024, e.g. 4x2".to_owned()),
        }
    }
}

/// A sheet under way; cells that are never filled stay transparent.
#[derive(Debug)]
pub struct Sheet {
    grid: GridSize,
    cell: usize,
    filled: usize,
    rgba: Vec<u8>,
}

/// Why there is no such sheet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a sheet of {columns}x{rows} images of {cell} pixels would be longer than {MAX_SIDE} pixels: choose a smaller --grid"
)]
pub struct SheetTooLarge {
    columns: usize,
    rows: usize,
    cell: usize,
}

impl Sheet {
    /// An empty sheet for square images with a side of `cell` pixels.
    ///
    /// # Errors
    /// [`SheetTooLarge`] if a side would have more than 16384 pixels.
    pub fn new(grid: GridSize, cell: usize) -> Result<Self, SheetTooLarge> {
        let GridSize { columns, rows } = grid;
        let too_large = SheetTooLarge { columns, rows, cell };
        let side = |n: usize| n.checked_mul(cell).filter(|side| *side <= MAX_SIDE);
        let (Some(width), Some(height)) = (side(columns), side(rows)) else { return Err(too_large) };
        Ok(Self { grid, cell, filled: 0, rgba: vec![0; width * height * 4] })
    }

    /// Width and height in pixels.
    pub fn size(&self) -> [u32; 2] {
        // Both fit: `new` keeps them at or below MAX_SIDE.
        [(self.grid.columns * self.cell) as u32, (self.grid.rows * self.cell) as u32]
    }

    /// The pixels, row by row.
    pub fn rgba(&self) -> &[u8] {
        &self.rgba
    }

    /// Puts an image (`cell * cell` pixels of RGBA) into the next free cell, row by row; ignored when all are taken.
    pub fn push(&mut self, image: &[u8]) {
        let (column, row) = (self.filled % self.grid.columns, self.filled / self.grid.columns);
        let (line, stride) = (self.cell * 4, self.grid.columns * self.cell * 4);
        for (y, pixels) in image.chunks_exact(line).take(self.cell).enumerate() {
            let start = (row * self.cell + y) * stride + column * line;
            if let Some(target) = self.rgba.get_mut(start..start + line) {
                target.copy_from_slice(pixels);
            }
        }
        self.filled += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_go_row_by_row() {
        let mut sheet = Sheet::new("2x3".parse().unwrap(), 2).unwrap();
        for value in 1..=5 {
            sheet.push(&[value; 16]);
        }
        assert_eq!(sheet.size(), [4, 6]);
        let corner = |column: usize, row: usize| sheet.rgba()[(row * 2 * 4 + column * 2) * 4];
        assert_eq!(
            [corner(0, 0), corner(1, 0), corner(0, 1), corner(1, 1), corner(0, 2), corner(1, 2)],
            [1, 2, 3, 4, 5, 0]
        );
        let last = sheet.rgba().to_vec();
        sheet.push(&[6; 16]);
        sheet.push(&[7; 16]);
        assert_eq!(sheet.rgba().iter().filter(|v| **v == 7).count(), 0, "no cell is left for a seventh");
        assert_ne!(sheet.rgba(), last);
    }

    #[test]
    fn sizes_are_checked() {
        for text in ["", "4", "4x", "x4", "0x4", "4x0", "4x-1", "4x4x4", "1025x1", "99999999999999999999x1"] {
            assert!(text.parse::<GridSize>().is_err(), "{text}");
        }
        assert_eq!("16x1".parse(), Ok(GridSize { columns: 16, rows: 1 }));
        assert!(Sheet::new(GridSize { columns: 16, rows: 1 }, 1024).is_ok());
        assert!(Sheet::new(GridSize { columns: 17, rows: 1 }, 1024).is_err());
    }
}
