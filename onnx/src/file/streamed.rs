//! Files of protobuf messages, read without what is skipped: weights are most of a model's file.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use prost::bytes::Buf;

/// A file from its start to its end. What cannot be read is missing at the end.
pub struct Streamed {
    file: BufReader<File>,
    /// Bytes that are left.
    left: u64,
}

impl Streamed {
    /// The file at `path`.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let left = file.metadata()?.len();
        let mut streamed = Self {
            file: BufReader::new(file),
            left,
        };
        streamed.fill();
        Ok(streamed)
    }

    fn fill(&mut self) {
        if self.left > 0 && self.file.fill_buf().map_or(true, <[u8]>::is_empty) {
            self.left = 0;
        }
    }
}

impl Buf for Streamed {
    fn remaining(&self) -> usize {
        usize::try_from(self.left).unwrap_or(usize::MAX)
    }

    fn chunk(&self) -> &[u8] {
        let here = self.file.buffer();
        &here[..here.len().min(self.remaining())]
    }

    fn advance(&mut self, count: usize) {
        let moved = i64::try_from(count).map(|count| self.file.seek_relative(count));
        self.left = match moved {
            Ok(Ok(())) => self.left.saturating_sub(count as u64),
            _ => 0,
        };
        self.fill();
    }
}

/// Copies the bytes `from` to `to` of the file into `into`.
pub fn copy(file: &mut File, from: u64, to: u64, into: &mut dyn io::Write) -> io::Result<()> {
    file.seek(SeekFrom::Start(from))?;
    let copied = io::copy(&mut file.take(to - from), into)?;
    if copied == to - from {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}
