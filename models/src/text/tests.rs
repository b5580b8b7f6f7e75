#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/text")
}

fn ids(value: &Value) -> Vec<u32> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|id| u32::try_from(id.as_u64().unwrap()).unwrap())
        .collect()
}

/// `tests/fixtures/text/generate.py` says where these come from.
#[test]
fn every_layout_reads_as_in_transformers() {
    let golden = std::fs::read(fixtures().join("golden.json")).unwrap();
    let golden: Value = serde_json::from_slice(&golden).unwrap();
    let layouts = golden["cases"].as_object().unwrap();
    assert_eq!(layouts.len(), 9);
    for (name, cases) in layouts {
        let text = Text::from_folder(&fixtures().join(name)).unwrap().unwrap();
        for case in cases.as_array().unwrap() {
            let input = case["text"].as_str().unwrap();
            let tokens = text.encode(input).unwrap();
            assert_eq!(tokens, ids(&case["ids"]), "{name}: {input}");
            let alone = text.encode_without_special(input).unwrap();
            assert_eq!(alone, ids(&case["without_special"]), "{name}: {input}");
            let decoded = text.decode(&tokens).unwrap();
            assert_eq!(
                decoded,
                case["decoded"].as_str().unwrap(),
                "{name}: {input}"
            );
            let mut stream = text.stream();
            let mut joined: String = tokens
                .iter()
                .filter_map(|&token| stream.push(token).unwrap())
                .collect();
            joined.extend(stream.finish().unwrap());
            assert_eq!(joined, decoded);
        }
    }
}

/// The settings beside this one's `tokenizer.json` say something else than the file.
#[test]
fn a_reported_folder_reads_as_in_transformers() {
    let folder = fixtures().join("../reports/tokenizer-settings/bert");
    let told = std::fs::read(folder.join("tokens.json")).unwrap();
    let told: Value = serde_json::from_slice(&told).unwrap();
    let text = Text::from_folder(&folder).unwrap().unwrap();
    let got = text.encode(told["text"].as_str().unwrap());
    assert_eq!(got.unwrap(), ids(&told["ids"]));
}

/// Each setting beside a `tokenizer.json`, for each of transformers' classes:
/// `tests/fixtures/text/make_settings.py` says where these come from.
#[test]
fn every_setting_counts_as_in_transformers() {
    let root = fixtures().join("settings");
    let golden = std::fs::read(root.join("golden.json")).unwrap();
    let golden: Value = serde_json::from_slice(&golden).unwrap();
    let texts = golden["texts"].as_array().unwrap();
    let cases = golden["cases"].as_array().unwrap();
    assert!(cases.len() >= 100);
    let mut wrong = Vec::new();
    for case in cases {
        let (name, files) = (case["tokenizer"].as_str().unwrap(), &case["files"]);
        let dir = tempfile::tempdir().unwrap();
        let whole = root.join(format!("{name}.json"));
        std::fs::copy(whole, dir.path().join(TOKENIZER)).unwrap();
        for (file, content) in files.as_object().unwrap() {
            std::fs::write(dir.path().join(file), content.to_string()).unwrap();
        }
        let text = match Text::from_folder(dir.path()) {
            Ok(text) => text.unwrap(),
            Err(error) => {
                wrong.push(format!("{name} {files}: {error}"));
                continue;
            }
        };
        for (at, input) in texts.iter().enumerate() {
            let input = input.as_str().unwrap();
            let (got, wanted) = (text.encode(input).unwrap(), ids(&case["ids"][at]));
            let decoded = text.decode(&wanted).unwrap();
            if got != wanted || decoded != case["decoded"][at] {
                wrong.push(format!(
                    "{name} {files} {input:?}: {got:?} for {wanted:?}, {decoded:?} for {}",
                    case["decoded"][at]
                ));
            }
            let mut stream = text.stream();
            let pieces = wanted
                .iter()
                .filter_map(|&token| stream.push(token).unwrap());
            let mut joined: String = pieces.collect();
            joined.extend(stream.finish().unwrap());
            if joined != decoded {
                wrong.push(format!(
                    "{name} {files} {input:?}: {joined:?} for {decoded:?}"
                ));
            }
        }
        let without = text.encode_without_special(texts[0].as_str().unwrap());
        if without.unwrap() != ids(&case["without"]) {
            wrong.push(format!("{name} {files}: without special tokens"));
        }
        let pair = text.read(texts[0].as_str().unwrap(), texts[3].as_str());
        let (pair, wanted) = (pair.unwrap(), &case["pair"]);
        if pair.ids != ids(&wanted[0]) || pair.types != ids(&wanted[1]) {
            wrong.push(format!(
                "{name} {files}: {:?} {:?} for {wanted}",
                pair.ids, pair.types
            ));
        }
    }
    let some = &wrong[..wrong.len().min(6)];
    assert!(
        wrong.is_empty(),
        "{} of {}: {some:#?}",
        wrong.len(),
        cases.len()
    );
}

#[test]
fn a_copy_needs_all_the_files() {
    for (name, files) in [
        ("bert", &["vocab.txt"][..]),
        (
            "bert-cased",
            &[
                "vocab.txt",
                "added_tokens.json",
                "tokenizer_config.json",
                "special_tokens_map.json",
            ],
        ),
        ("roberta", &["vocab.json", "merges.txt"]),
        ("whole", &["tokenizer.json", "tokenizer_config.json"]),
    ] {
        let dir = fixtures().join(name);
        let text = Text::from_folder(&dir).unwrap().unwrap();
        let files: Vec<_> = files.iter().map(|file| dir.join(file)).collect();
        assert_eq!(text.files(), files);
        let copy = tempfile::tempdir().unwrap();
        for file in text.files() {
            std::fs::copy(file, copy.path().join(file.file_name().unwrap())).unwrap();
        }
        let copied = Text::from_folder(copy.path()).unwrap().unwrap();
        let input = "the <mask> layer [SEP] <extra> END";
        assert_eq!(copied.encode(input).unwrap(), text.encode(input).unwrap());
    }
    let empty = tempfile::tempdir().unwrap();
    assert!(Text::from_folder(empty.path()).unwrap().is_none());
}

/// The error of a folder with these files.
fn error(files: &[(&str, &str)]) -> String {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        std::fs::write(dir.path().join(name), content).unwrap();
    }
    let error = Text::from_folder(dir.path()).unwrap_err().to_string();
    assert!(!error.contains('\n'), "{error}");
    error
}

#[test]
fn what_does_not_fit_together_says_so() {
    let bert = "[UNK]\n[CLS]\n[SEP]\n";
    let vocab = r#"{"<|endoftext|>": 0, "a": 1, "b": 2, "ab": 3}"#;
    for (files, part) in [
        (&[("vocab.txt", "a\nb\n")][..], "`[UNK]`"),
        (
            &[
                ("vocab.txt", bert),
                (
                    "tokenizer_config.json",
                    r#"{"tokenizer_class": "BertJapaneseTokenizer"}"#,
                ),
            ],
            "save_pretrained",
        ),
        (
            &[("vocab.txt", bert), ("tokenizer_config.json", "{")],
            "not JSON",
        ),
        (
            &[("vocab.txt", bert), ("added_tokens.json", r#"{"x": 7}"#)],
            "number 7",
        ),
        (
            &[("vocab.txt", bert), ("added_tokens.json", r#"{"x": "y"}"#)],
            "no number",
        ),
        (
            &[
                ("vocab.txt", bert),
                (
                    "tokenizer_config.json",
                    r#"{"added_tokens_decoder": {"x": {"content": "y"}}}"#,
                ),
            ],
            "`x`",
        ),
        (
            &[("vocab.json", vocab), ("merges.txt", "a b\na c")],
            "line 2: `c`",
        ),
        (
            &[
                ("vocab.json", vocab),
                ("merges.txt", "#version: 0.2\na b b"),
            ],
            "line 2",
        ),
        (&[("vocab.json", vocab), ("merges.txt", "b a")], "`ba`"),
        (
            &[("vocab.json", "[]"), ("merges.txt", "")],
            "not a JSON object",
        ),
        (
            &[("vocab.json", r#"{"a": -1}"#), ("merges.txt", "")],
            "not a vocabulary",
        ),
        (
            &[
                ("vocab.json", vocab),
                ("merges.txt", ""),
                (
                    "tokenizer_config.json",
                    r#"{"tokenizer_class": "CLIPTokenizerFast"}"#,
                ),
            ],
            "CLIPTokenizer",
        ),
        (
            &[
                ("vocab.json", vocab),
                ("merges.txt", ""),
                (
                    "tokenizer_config.json",
                    r#"{"add_bos_token": true, "bos_token": "<x>"}"#,
                ),
            ],
            "`<x>`",
        ),
        (&[("tokenizer.json", "{}")], "not a tokenizer"),
        // The library panics at this one.
        (
            &[(
                "tokenizer.json",
                r#"{"model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": ["a b"]}}"#,
            )],
            "not a tokenizer",
        ),
    ] {
        let error = error(files);
        assert!(error.contains(part), "{files:?}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_bytes_are_a_tokenizer_or_an_error(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        file in prop::sample::select(vec![
            ("bert", "vocab.txt"),
            ("bert-cased", "added_tokens.json"),
            ("bert-cased", "special_tokens_map.json"),
            ("bert-cased", "tokenizer_config.json"),
            ("gpt2", "vocab.json"),
            ("gpt2", "merges.txt"),
            ("whole", "tokenizer.json"),
        ]),
        at in any::<prop::sample::Index>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(fixtures().join(file.0)).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
        }
        // Bytes alone, and bytes within a file that was right.
        let path = dir.path().join(file.1);
        let mut whole = std::fs::read(&path).unwrap();
        let at = at.index(whole.len());
        whole.splice(at..at, bytes.iter().copied().take(3));
        for content in [whole, bytes] {
            std::fs::write(&path, content).unwrap();
            if let Ok(Some(text)) = Text::from_folder(dir.path()) {
                let _ = text.encode("the [MASK] layer é");
            }
        }
    }
}
