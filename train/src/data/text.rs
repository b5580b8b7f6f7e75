//! Text files as token numbers, a part of each held back for evaluation.

use std::path::{Path, PathBuf};

use fluxo_models::Text;
use sha2::{Digest, Sha256};

use super::{Row, Split};
use crate::config::TrainConfig;
use crate::error::{Error, Result};

/// The text of a run: what is trained on, and what is evaluated on.
pub(crate) struct Corpus {
    pub(crate) train: Blocks,
    pub(crate) validation: Blocks,
    /// SHA-256 over both, in hexadecimal: a resumed run must see the same text.
    pub(crate) digest: String,
}

/// A row of tokens that blocks are cut from; `u8` for bytes keeps large texts small.
pub(crate) struct Blocks {
    tokens: Tokens,
    /// Tokens in a block.
    length: usize,
}

enum Tokens {
    Bytes(Vec<u8>),
    Ids(Vec<u32>),
}

impl Corpus {
    /// Reads `config`'s files as `text` says, in blocks of `length` tokens.
    ///
    /// # Errors
    /// When a file cannot be read, is not UTF-8 for a tokenizer or holds the byte `refused`, or
    /// when there is too little text for one block.
    pub(crate) fn load(
        config: &TrainConfig,
        text: &Text,
        length: usize,
        refused: Option<u8>,
    ) -> Result<Self> {
        let text = Some(text).filter(|text| !text.is_bytes());
        let (mut train, mut validation) = match text {
            None => (Tokens::Bytes(vec![]), Tokens::Bytes(vec![])),
            Some(_) => (Tokens::Ids(vec![]), Tokens::Ids(vec![])),
        };
        for path in files(&config.data)? {
            let bytes = std::fs::read(&path).map_err(Error::io(&path))?;
            if let Some(at) = bytes.iter().position(|byte| Some(*byte) == refused) {
                let line = 1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count();
                return Err(Error::Data(format!(
                    "{}: line {line}: it holds the byte {}, which stands for the mask; leave the \
                     file out, or give a tokenizer",
                    path.display(),
                    bytes[at]
                )));
            }
            let held = (bytes.len() as f64 * config.validation_fraction) as usize;
            let cut = bytes.len() - held;
            match text {
                None => {
                    train.push_bytes(&bytes[..cut]);
                    validation.push_bytes(&bytes[cut..]);
                }
                Some(text) => {
                    let all = std::str::from_utf8(&bytes).map_err(|e| {
                        Error::Data(format!(
                            "{}: not UTF-8 at byte {}; convert it, or train on bytes (no tokenizer)",
                            path.display(),
                            e.valid_up_to()
                        ))
                    })?;
                    let (head, tail) = all.split_at(all.floor_char_boundary(cut));
                    train.push_ids(text.encode(head)?);
                    validation.push_ids(text.encode(tail)?);
                }
            }
        }
        let mut digest = Sha256::new();
        for part in [&train, &validation] {
            digest.update((part.len() as u64).to_le_bytes());
            part.feed(&mut digest);
        }
        let digest = hexadecimal(digest);
        let blocks = |tokens: Tokens, part: &str, mend: &str| match tokens.len() {
            0 if part == "training" => Err(Error::Data(format!(
                "there is no text in {}; name a text file that is not empty",
                config
                    .data
                    .iter()
                    .map(|p| p.display().to_string())
                    .collect::<Vec<_>>()
                    .join(", ")
            ))),
            n if n < length => Err(Error::Data(format!(
                "{n} tokens for {part}, and one block takes {length}; {mend}"
            ))),
            _ => Ok(Blocks { tokens, length }),
        };
        Ok(Self {
            train: blocks(
                train,
                "training",
                "give more text or a shorter sequence_length",
            )?,
            validation: blocks(
                validation,
                "evaluation",
                "give more text, a larger validation_fraction or a shorter sequence_length",
            )?,
            digest,
        })
    }

    /// The blocks of `rows`.
    pub(crate) fn blocks(&self, split: Split, rows: &[Row]) -> Vec<Vec<i64>> {
        let blocks = self.of(split);
        rows.iter().map(|row| blocks.block(row.example)).collect()
    }

    /// How many tokens each of them has.
    pub(crate) fn lengths(&self, split: Split, rows: &[Row]) -> impl Iterator<Item = usize> {
        std::iter::repeat_n(self.of(split).length, rows.len())
    }

    fn of(&self, split: Split) -> &Blocks {
        match split {
            Split::Training => &self.train,
            Split::Evaluation => &self.validation,
        }
    }
}

impl Blocks {
    /// Where a block may start.
    pub(crate) fn places(&self) -> usize {
        self.tokens.len() - self.length + 1
    }

    /// At most `count` places of blocks, spread evenly from the first token to the last.
    pub(crate) fn spread(&self, count: usize) -> Vec<usize> {
        let last = self.tokens.len() - self.length;
        let count = count.min(self.tokens.len() / self.length).max(1);
        (0..count).map(|i| last * i / (count - 1).max(1)).collect()
    }

    fn block(&self, start: usize) -> Vec<i64> {
        let range = start..start + self.length;
        match &self.tokens {
            Tokens::Bytes(all) => all[range].iter().map(|&t| i64::from(t)).collect(),
            Tokens::Ids(all) => all[range].iter().map(|&t| i64::from(t)).collect(),
        }
    }
}

impl Tokens {
    fn push_bytes(&mut self, bytes: &[u8]) {
        if let Self::Bytes(all) = self {
            all.extend_from_slice(bytes);
        }
    }

    fn push_ids(&mut self, ids: Vec<u32>) {
        if let Self::Ids(all) = self {
            all.extend(ids);
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Bytes(all) => all.len(),
            Self::Ids(all) => all.len(),
        }
    }

    fn feed(&self, digest: &mut Sha256) {
        match self {
            Self::Bytes(all) => digest.update(all),
            Self::Ids(all) => all.iter().for_each(|id| digest.update(id.to_le_bytes())),
        }
    }
}

/// What was fed to `digest`, in hexadecimal.
pub(crate) fn hexadecimal(digest: Sha256) -> String {
    let bytes = digest.finalize();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The files at `paths`: those named, and in folders all that look like text, by name.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = vec![];
    for path in paths {
        if path.is_dir() {
            walk(path, &mut found)?;
        } else {
            found.push(path.clone());
        }
    }
    Ok(found)
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let entries = std::fs::read_dir(folder).map_err(Error::io(folder))?;
    let mut entries = entries
        .collect::<std::io::Result<Vec<_>>>()
        .map_err(Error::io(folder))?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let kind = entry.file_type().map_err(Error::io(&path))?;
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if hidden {
            continue;
        }
        // Links are not followed: they may lead round in a circle.
        if kind.is_dir() {
            walk(&path, found)?;
        } else if kind.is_file() && is_text(&path)? {
            found.push(path);
        }
    }
    Ok(())
}

/// Whether the file's first bytes hold no zero byte, as text never does.
fn is_text(path: &Path) -> Result<bool> {
    use std::io::Read;
    let mut first = Vec::new();
    let file = std::fs::File::open(path).map_err(Error::io(path))?;
    file.take(8192)
        .read_to_end(&mut first)
        .map_err(Error::io(path))?;
    Ok(!first.contains(&0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn config(dir: &Path, sequence_length: usize) -> TrainConfig {
        let mut c = TrainConfig::new("gpt2", vec![dir.into()], Path::new("out"));
        c.sequence_length = sequence_length;
        c.validation_fraction = 0.25;
        c
    }

    fn load(config: &TrainConfig) -> Result<Corpus> {
        Corpus::load(config, &Text::bytes(), config.sequence_length + 1, None)
    }

    #[test]
    fn the_end_of_every_file_is_held_back() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("b.txt"), "defgDEFG").unwrap();
        std::fs::write(dir.path().join("a.txt"), "abcX").unwrap();
        std::fs::write(dir.path().join(".hidden"), "no").unwrap();
        std::fs::write(dir.path().join("picture"), [1u8, 0, 2]).unwrap();
        std::fs::create_dir(dir.path().join("c")).unwrap();
        std::fs::write(dir.path().join("c/d.txt"), "0123").unwrap();
        let c = load(&config(dir.path(), 1)).unwrap();
        let text = |blocks: &Blocks| match &blocks.tokens {
            Tokens::Bytes(all) => String::from_utf8(all.clone()).unwrap(),
            Tokens::Ids(_) => unreachable!(),
        };
        assert_eq!(text(&c.train), "abcdefgDE012");
        assert_eq!(text(&c.validation), "XFG3");
        let again = load(&config(dir.path(), 2)).unwrap();
        assert_eq!(c.digest, again.digest);
        std::fs::write(dir.path().join("a.txt"), "abXc").unwrap();
        assert_ne!(c.digest, load(&config(dir.path(), 1)).unwrap().digest);
    }

    #[test]
    fn blocks_are_spread_from_end_to_end_and_drawn_from_everywhere() {
        let blocks = Blocks {
            tokens: Tokens::Bytes((0..100).collect()),
            length: 5,
        };
        assert_eq!(blocks.spread(3), [0, 47, 95]);
        assert_eq!(blocks.spread(1000).len(), 20);
        assert_eq!(blocks.places(), 96);
        let corpus = Corpus {
            train: blocks,
            validation: Blocks {
                tokens: Tokens::Ids(vec![7; 9]),
                length: 9,
            },
            digest: String::new(),
        };
        let rows: Vec<Row> = (0..2000).map(|step| Row::drawn(1, step, 0, 96)).collect();
        let drawn = corpus.blocks(Split::Training, &rows);
        assert!(drawn.iter().all(|block| block.len() == 5));
        let starts: std::collections::BTreeSet<i64> = drawn.iter().map(|b| b[0]).collect();
        // 96 places, 2000 draws: one of them unseen has probability under 1e-7.
        assert_eq!(starts, (0..96).collect());
        let evaluated = [Row::evaluated(1, 0)];
        assert_eq!(corpus.blocks(Split::Evaluation, &evaluated), [[7; 9]]);
    }

    #[test]
    fn too_little_text_is_told_with_the_mend() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.txt");
        let load = |length| super::tests::load(&config(dir.path(), length));
        std::fs::write(&file, "").unwrap();
        let error = load(4).err().unwrap().to_string();
        assert!(error.contains("there is no text in"), "{error}");
        std::fs::write(&file, "12345678").unwrap();
        let error = load(6).err().unwrap().to_string();
        assert!(
            error.contains("6 tokens for training, and one block takes 7"),
            "{error}"
        );
        let error = load(4).err().unwrap().to_string();
        assert!(error.contains("2 tokens for evaluation"), "{error}");
        let mut missing = config(dir.path(), 4);
        missing.data = vec![dir.path().join("none.txt")];
        let error = super::tests::load(&missing).err().unwrap().to_string();
        assert!(error.contains("none.txt"), "{error}");
    }

    #[test]
    fn a_tokenizer_reads_each_part_of_a_file_by_itself() {
        let dir = tempfile::tempdir().unwrap();
        let tokenizer = dir.path().join("tokenizer.json");
        std::fs::write(
            &tokenizer,
            r#"{"version": "1.0", "added_tokens": [], "pre_tokenizer": {"type": "Whitespace"},
                "model": {"type": "WordLevel", "unk_token": "?",
                          "vocab": {"?": 0, "ein": 1, "Maß": 2}}}"#,
        )
        .unwrap();
        let text = Text::from_file(&tokenizer).unwrap();
        let mut c = config(dir.path(), 1);
        c.data = vec![dir.path().join("a.txt")];
        // Of 13 bytes the last 3 are held back, which begins inside of ß: it moves with them.
        std::fs::write(&c.data[0], "ein Ma Maß ?").unwrap();
        let corpus = Corpus::load(&c, &text, 2, None).unwrap();
        let ids = |blocks: &Blocks| match &blocks.tokens {
            Tokens::Ids(ids) => ids.clone(),
            Tokens::Bytes(_) => unreachable!(),
        };
        assert_eq!(ids(&corpus.train), [1, 0, 0]);
        assert_eq!(ids(&corpus.validation), [0, 0]);
        std::fs::write(&c.data[0], b"ein \xff").unwrap();
        let error = Corpus::load(&c, &text, 2, None).err().unwrap().to_string();
        assert!(error.contains("a.txt: not UTF-8 at byte 4"), "{error}");
    }
}
