//! One tensor of a checkpoint, and its values as 32-bit floats.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::{DType, TensorData};
use half::f16;
use half::slice::HalfFloatSliceExt;

use super::{one_line, shown};
use crate::error::{Error, Result};
use crate::files;

/// Values handed over at a time: 4 MiB of them.
const PIECE: usize = 1 << 20;

/// An open file of weights. It stays open, so that what was checked is what is read.
#[derive(Debug)]
pub(super) struct Source {
    pub path: PathBuf,
    pub file: File,
    /// Bytes in the file when it was opened.
    pub length: u64,
}

impl Source {
    pub fn open(path: &Path) -> Result<Self> {
        let (file, length) = files::open(path)?;
        let start = files::map_part(&file, path, 0, length.min(64) as usize)?;
        if start.starts_with(b"version https://git-lfs") {
            return Err(Error::malformed(
                path,
                "stands for a file that was not downloaded; run `git lfs pull` in its folder",
            ));
        }
        Ok(Self {
            path: path.to_path_buf(),
            file,
            length,
        })
    }
}

/// A tensor in a file.
#[derive(Debug)]
pub struct Entry {
    source: Arc<Source>,
    name: String,
    shape: Vec<usize>,
    dtype: DType,
    /// Where its first element stands, in bytes.
    start: u64,
    /// Elements from one index of each axis to the next; none where they follow each other.
    strides: Option<Vec<usize>>,
}

impl Entry {
    /// The tensor whose elements stand in `source` from byte `start` on, `strides` elements
    /// apart along each axis, all within the next `room` bytes. A reason where they do not.
    pub(super) fn new(
        source: &Arc<Source>,
        name: &str,
        dtype: DType,
        shape: Vec<usize>,
        strides: Option<Vec<usize>>,
        (start, room): (u64, u64),
    ) -> std::result::Result<Self, String> {
        let strides = strides.filter(|strides| !follow_each_other(&shape, strides));
        let needed = match &strides {
            None => elements(&shape),
            Some(strides) => extent(&shape, strides),
        }
        .and_then(|count| count.checked_mul(dtype.size()))
        .and_then(|bytes| u64::try_from(bytes).ok());
        let whole = needed.is_some_and(|bytes| bytes <= room)
            && start
                .checked_add(room)
                .is_some_and(|end| end <= source.length)
            && elements(&shape).is_some();
        if !whole {
            return Err(format!(
                "tensor {} has shape {}, which is more than its {room} bytes hold; download the \
                 file again",
                shown(name),
                one_line(&format!("{shape:?}"))
            ));
        }
        Ok(Self {
            source: source.clone(),
            name: name.to_string(),
            shape,
            dtype,
            start,
            strides,
        })
    }

    /// Its sizes, outermost first; none for a scalar.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The type that its elements are stored in.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Calls `sink(first, values)` with consecutive pieces of the tensor in row-major order, as
    /// 32-bit floats; `first` is the index of the piece's first element. A piece has at most
    /// 2^20 values, and no more than that is in memory at a time.
    ///
    /// # Errors
    /// When the elements are not floats, or the file changed since it was opened.
    pub fn read(&self, sink: &mut dyn FnMut(usize, &[f32])) -> Result<()> {
        self.check_floats()?;
        let count: usize = self.shape.iter().product();
        let mut values = Vec::with_capacity(count.min(PIECE));
        for first in (0..count).step_by(PIECE) {
            values.clear();
            self.piece(first, PIECE.min(count - first), &mut values)?;
            sink(first, &values);
        }
        Ok(())
    }

    /// Whether `other` holds the same values in the same shape. Both are read a piece at a time up
    /// to the first that differs, and not at all where they are one tensor under two names.
    ///
    /// # Errors
    /// As [`Entry::read`].
    pub(crate) fn equals(&self, other: &Self) -> Result<bool> {
        self.check_floats()?;
        other.check_floats()?;
        if self.shape != other.shape {
            return Ok(false);
        }
        let place = |entry: &Self| (entry.start, entry.dtype, entry.strides.clone());
        if Arc::ptr_eq(&self.source, &other.source) && place(self) == place(other) {
            return Ok(true);
        }
        let count: usize = self.shape.iter().product();
        let (mut mine, mut its) = (Vec::new(), Vec::new());
        for first in (0..count).step_by(PIECE) {
            let length = PIECE.min(count - first);
            mine.clear();
            its.clear();
            self.piece(first, length, &mut mine)?;
            other.piece(first, length, &mut its)?;
            if mine != its {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// All of its elements, in the type that they are stored in.
    ///
    /// # Errors
    /// When they do not follow each other in the file, or the file changed since it was opened.
    pub(crate) fn data(&self) -> Result<TensorData> {
        let count: usize = self.shape.iter().product();
        if self.strides.is_some() {
            let reason = format!("tensor {} is a part of a larger one", shown(&self.name));
            return Err(Error::malformed(&self.source.path, reason));
        }
        let bytes = match count {
            0 => Vec::new(),
            _ => self.map(0, count)?[..count * self.dtype.size()].to_vec(),
        };
        Ok(TensorData::from_bytes_vec(
            bytes,
            self.shape.clone(),
            self.dtype,
        ))
    }

    fn check_floats(&self) -> Result<()> {
        if !self.dtype.is_float() {
            return Err(Error::malformed(
                &self.source.path,
                format!(
                    "tensor {} holds {:?}, and weights must be floats of 16, 32 or 64 bits",
                    shown(&self.name),
                    self.dtype
                ),
            ));
        }
        Ok(())
    }

    /// Appends the `length` elements from number `first` on, in row-major order, to `values`.
    fn piece(&self, first: usize, length: usize, values: &mut Vec<f32>) -> Result<()> {
        let size = self.dtype.size();
        match &self.strides {
            None => {
                let map = self.map(first, length)?;
                widen(self.dtype, &map[..length * size], values);
            }
            Some(strides) => {
                let bytes = self.gathered(strides, first, length)?;
                widen(self.dtype, &bytes, values);
            }
        }
        Ok(())
    }

    /// The bytes of `length` elements out of their storage: of a transposed matrix, or a part of
    /// a larger one.
    fn gathered(&self, strides: &[usize], first: usize, length: usize) -> Result<Vec<u8>> {
        let size = self.dtype.size();
        let map = self.map(0, extent(&self.shape, strides).unwrap_or(0))?;
        // The index of the first, and where it stands.
        let (mut index, mut at, mut rest) = (vec![0; self.shape.len()], 0, first);
        for axis in (0..index.len()).rev() {
            index[axis] = rest % self.shape[axis];
            at += index[axis] * strides[axis];
            rest /= self.shape[axis];
        }
        let mut bytes = Vec::with_capacity(length * size);
        for _ in 0..length {
            bytes.extend_from_slice(&map[at * size..][..size]);
            // The next index: the last axis counts fastest.
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                at += strides[axis];
                if index[axis] < self.shape[axis] {
                    break;
                }
                at -= self.shape[axis] * strides[axis];
                index[axis] = 0;
            }
        }
        Ok(bytes)
    }

    /// Maps `count` stored elements from the `first` on.
    fn map(&self, first: usize, count: usize) -> Result<memmap2::Mmap> {
        let size = self.dtype.size();
        let offset = self.start + (first * size) as u64;
        files::map_part(&self.source.file, &self.source.path, offset, count * size)
    }
}

/// Elements in `shape`, where that many could be in memory.
fn elements(shape: &[usize]) -> Option<usize> {
    let count = shape.iter().try_fold(1, |n: usize, d| n.checked_mul(*d))?;
    (count <= isize::MAX as usize / size_of::<f64>()).then_some(count)
}

/// Elements from a tensor's first to its last in storage, both included.
fn extent(shape: &[usize], strides: &[usize]) -> Option<usize> {
    if shape.len() != strides.len() {
        return None;
    }
    if shape.contains(&0) {
        return Some(0);
    }
    shape.iter().zip(strides).try_fold(1, |n: usize, (d, s)| {
        n.checked_add((d - 1).checked_mul(*s)?)
    })
}

/// Whether `strides` are those of a row-major tensor without gaps.
fn follow_each_other(shape: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1_usize;
    shape.len() == strides.len()
        && shape.iter().zip(strides).rev().all(|(&d, &s)| {
            let fits = d <= 1 || s == expected;
            expected = expected.saturating_mul(d.max(1));
            fits
        })
}

/// Appends the little-endian elements in `bytes` to `values`.
fn widen(dtype: DType, bytes: &[u8], values: &mut Vec<f32>) {
    match dtype {
        DType::F64 => {
            let (elements, _) = bytes.as_chunks();
            values.extend(elements.iter().map(|b| f64::from_le_bytes(*b) as f32));
        }
        DType::F16 => {
            // By slices: one at a time, the conversion would look for the instruction each time.
            let mut block = [f16::ZERO; 1024];
            let (elements, _) = bytes.as_chunks();
            for part in elements.chunks(block.len()) {
                for (half, b) in block.iter_mut().zip(part) {
                    *half = f16::from_le_bytes(*b);
                }
                let old = values.len();
                values.resize(old + part.len(), 0.0);
                block[..part.len()].convert_to_f32_slice(&mut values[old..]);
            }
        }
        DType::BF16 => {
            let (elements, _) = bytes.as_chunks();
            let upper = |b: &[u8; 2]| u32::from(u16::from_le_bytes(*b)) << 16;
            values.extend(elements.iter().map(|b| f32::from_bits(upper(b))));
        }
        _ => {
            let (elements, _) = bytes.as_chunks();
            values.extend(elements.iter().map(|b| f32::from_le_bytes(*b)));
        }
    }
}
