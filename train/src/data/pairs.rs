//! Pairs of texts, a line each: JSONL (`.jsonl`) and tab-separated values (`.tsv`).
//!
//! A line of JSONL is an object with both fields; others are passed over. A value may be a
//! text, a whole number or a truth value. A line of TSV has the first field, a tab and the
//! second one; a first line that names both fields may exchange them. Nothing in TSV is quoted
//! or escaped: texts with tabs or line breaks need JSONL. Empty lines are passed over.

use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Splits;
use super::text::hexadecimal;
use crate::config::TrainConfig;
use crate::error::{Error, Result};

/// Two texts of one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) first: String,
    pub(crate) second: String,
}

/// All pairs of a run.
#[derive(Debug)]
pub(crate) struct Pairs {
    pub(crate) examples: Splits<Pair>,
    /// SHA-256 over all of them, in hexadecimal.
    pub(crate) digest: String,
}

impl Pairs {
    /// Reads the files of `config`, of folders the JSONL and TSV files in them, for the fields
    /// `fields`.
    ///
    /// # Errors
    /// When a file cannot be read, or a line does not hold both fields: the message names it.
    pub(crate) fn load(config: &TrainConfig, fields: [&str; 2]) -> Result<Self> {
        let mut pairs = Vec::new();
        for path in files(&config.data)? {
            let text = std::fs::read(&path).map_err(Error::io(&path))?;
            let text = String::from_utf8(text).map_err(|e| {
                let before = &e.as_bytes()[..e.utf8_error().valid_up_to()];
                let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
                Error::Data(format!("{}: line {line}: not UTF-8", path.display()))
            })?;
            read(&path, &text, fields, &mut pairs)?;
        }
        let mut digest = Sha256::new();
        for text in pairs.iter().flat_map(|pair| [&pair.first, &pair.second]) {
            digest.update((text.len() as u64).to_le_bytes());
            digest.update(text);
        }
        Ok(Self {
            examples: Splits::of(pairs, config.validation_fraction)?,
            digest: hexadecimal(digest),
        })
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Format {
    Jsonl,
    Tsv,
}

fn format(path: &Path) -> Option<Format> {
    match path.extension()?.to_str()? {
        "jsonl" => Some(Format::Jsonl),
        "tsv" => Some(Format::Tsv),
        _ => None,
    }
}

/// The files at `paths`: those named, and in folders those of the two formats, by name.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        if !path.is_dir() {
            found.push(path.clone());
            continue;
        }
        let entries = std::fs::read_dir(path).map_err(Error::io(path))?;
        let entries = entries.map(|entry| entry.map(|entry| entry.path()));
        let mut inside = entries
            .collect::<std::io::Result<Vec<_>>>()
            .map_err(Error::io(path))?;
        inside.retain(|path| format(path).is_some());
        inside.sort();
        if inside.is_empty() {
            return Err(Error::Data(format!(
                "{}: no .jsonl or .tsv file in it",
                path.display()
            )));
        }
        found.extend(inside);
    }
    Ok(found)
}

/// Adds the pairs of `text`, the contents of the file at `path`, to `pairs`.
fn read(path: &Path, text: &str, fields: [&str; 2], pairs: &mut Vec<Pair>) -> Result<()> {
    let format = format(path).ok_or_else(|| {
        let path = path.display();
        Error::Data(format!(
            "{path}: the format is unknown; name the file .jsonl or .tsv"
        ))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let [first, second] = fields;
    let mut exchanged = false;
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let problem = |reason: String| {
            Error::Data(format!("{}: line {}: {reason}", path.display(), number + 1))
        };
        let pair = match format {
            Format::Jsonl => object(line, fields).map_err(problem)?,
            Format::Tsv => {
                let columns: Vec<&str> = line.split('\t').collect();
                if number == 0 && (columns == [first, second] || columns == [second, first]) {
                    exchanged = columns[0] == second;
                    continue;
                }
                let [a, b] = columns[..] else {
                    return Err(problem(format!(
                        "{} tabs, and there must be one, between `{first}` and `{second}`",
                        columns.len() - 1
                    )));
                };
                if exchanged { [b, a] } else { [a, b] }.map(str::to_string)
            }
        };
        for (value, field) in pair.iter().zip(fields) {
            if value.trim().is_empty() {
                return Err(problem(format!("`{field}` is empty")));
            }
        }
        let [first, second] = pair;
        pairs.push(Pair { first, second });
    }
    Ok(())
}

/// The values of `fields` in the JSON object `line`.
fn object(line: &str, fields: [&str; 2]) -> std::result::Result<[String; 2], String> {
    let value: Value = serde_json::from_str(line).map_err(|e| format!("not JSON ({e})"))?;
    let Value::Object(object) = value else {
        return Err("not a JSON object".into());
    };
    let text = |field: &str| match object.get(field) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(value) if value.is_i64() || value.is_boolean() => Ok(value.to_string()),
        Some(_) => Err(format!("`{field}` is neither a text nor a whole number")),
        None => Err(format!("there is no `{field}`")),
    };
    Ok([text(fields[0])?, text(fields[1])?])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const FIELDS: [&str; 2] = ["text", "label"];

    fn parse(name: &str, text: &str) -> Result<Vec<(String, String)>> {
        let mut pairs = Vec::new();
        read(Path::new(name), text, FIELDS, &mut pairs)?;
        Ok(pairs
            .into_iter()
            .map(|pair| (pair.first, pair.second))
            .collect())
    }

    #[test]
    fn both_formats_give_the_same_pairs() {
        let wanted = [
            ("so good".to_string(), "1".to_string()),
            ("bad".into(), "true".into()),
        ];
        let jsonl = "\u{feff}{\"text\": \"so good\", \"label\": 1, \"more\": []}\r\n\n\
                     {\"label\": true, \"text\": \"bad\"}\n";
        assert_eq!(parse("a.jsonl", jsonl).unwrap(), wanted);
        assert_eq!(parse("a.tsv", "so good\t1\nbad\ttrue").unwrap(), wanted);
        assert_eq!(
            parse("a.tsv", "text\tlabel\nso good\t1\r\nbad\ttrue\n").unwrap(),
            wanted
        );
        assert_eq!(
            parse("a.tsv", "label\ttext\n1\tso good\ntrue\tbad\n").unwrap(),
            wanted
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (name, text, wanted) in [
            ("a.jsonl", "{}\n", "a.jsonl: line 1: there is no `text`"),
            (
                "a.jsonl",
                "\n{\"text\": 1.5}",
                "line 2: `text` is neither a text nor",
            ),
            ("a.jsonl", "[1]", "line 1: not a JSON object"),
            ("a.jsonl", "{\"text\":", "line 1: not JSON (EOF"),
            (
                "a.tsv",
                "a\tb\nc",
                "a.tsv: line 2: 0 tabs, and there must be one, between `text`",
            ),
            ("a.tsv", "a\tb\tc", "line 1: 2 tabs"),
            ("a.tsv", "a\t ", "line 1: `label` is empty"),
            (
                "a.csv",
                "a,b",
                "a.csv: the format is unknown; name the file .jsonl or .tsv",
            ),
        ] {
            let error = parse(name, text).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn files_are_found_and_their_digest_is_of_what_they_hold() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &[u8]| std::fs::write(dir.path().join(name), text).unwrap();
        let load = || {
            let mut config = TrainConfig::new("bert", vec![dir.path().into()], dir.path());
            config.validation_fraction = 0.5;
            Pairs::load(&config, FIELDS)
        };
        let error = load().unwrap_err().to_string();
        assert!(error.contains("no .jsonl or .tsv file in it"), "{error}");
        write("b.tsv", b"x\t1\ny\t2\n");
        write("notes.txt", b"no pairs");
        let first = load().unwrap();
        assert_eq!(first.examples.evaluation[0].first, "y");
        write("a.jsonl", b"{\"text\": \"w\", \"label\": 1}\n");
        let second = load().unwrap();
        assert_eq!(second.examples.training[0].first, "w");
        assert_ne!(first.digest, second.digest);
        write("a.jsonl", b"{\"text\": \"w\",\n \xff");
        let error = load().unwrap_err().to_string();
        assert!(error.contains("a.jsonl: line 2: not UTF-8"), "{error}");
    }
}
