//! `fluxo run`: its answers beside those of transformers' pipelines.
//!
//! `tests/fixtures/make_answers.py` says where these come from.

use std::fs;
use std::path::Path;

use fluxo_tests::fixture;
use serde_json::Value;

use crate::common::*;

/// Float32 in another order: probabilities, and norms of some units.
const CLOSE: f64 = 1e-5;

fn reference(name: &str) -> Value {
    let path = fixture(&format!("answers/{name}.json"));
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The checkpoint of a reference with keys of its configuration set and files beside it.
fn prepared(reference: &Value, set: &Value) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let from = fixture(reference["checkpoint"].as_str().unwrap());
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
    }
    for (name, value) in reference["files"].as_object().unwrap() {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, value.to_string()).unwrap();
    }
    let path = dir.path().join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for (key, value) in set.as_object().unwrap() {
        config[key] = value.clone();
    }
    fs::write(path, config.to_string()).unwrap();
    dir
}

/// Where `given` differs from `right`, which may have less; `None` where it does not.
fn differs(given: &Value, right: &Value, place: &str) -> Option<String> {
    let told = || Some(format!("{place}: {given} and not {right}"));
    match (given, right) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64()?, b.as_f64()?);
            if (a - b).abs() <= CLOSE { None } else { told() }
        }
        (Value::Array(given), Value::Array(right)) if given.len() == right.len() => {
            let pairs = given.iter().zip(right).enumerate();
            let mut found = pairs.filter_map(|(i, (a, b))| differs(a, b, &format!("{place}[{i}]")));
            found.next()
        }
        (Value::Object(given), Value::Object(right)) => {
            let mut found = right.iter().filter_map(|(key, right)| {
                let given = given.get(key).unwrap_or(&Value::Null);
                differs(given, right, &format!("{place}.{key}"))
            });
            found.next()
        }
        _ if given == right => None,
        _ => told(),
    }
}

fn ask(dir: &Path, args: &Value) -> Value {
    let args: Vec<String> = args.as_array().unwrap().iter().map(said).collect();
    let args = args.iter().map(String::as_str);
    json(
        &["run", text(dir)]
            .into_iter()
            .chain(args)
            .collect::<Vec<_>>(),
    )
}

/// An argument; what is among the fixtures is named so.
fn said(arg: &Value) -> String {
    let arg = arg.as_str().unwrap();
    match arg.strip_prefix("fixture:") {
        Some(path) => text(&fixture(path)).to_string(),
        None => arg.to_string(),
    }
}

fn check(name: &str) {
    let reference = reference(name);
    for case in reference["cases"].as_array().unwrap() {
        let dir = prepared(&reference, &case["set"]);
        let given = ask(dir.path(), &case["args"]);
        let difference = differs(&given["answers"], &case["answers"], name);
        assert_eq!(difference, None, "{}", case["args"]);
    }
}

macro_rules! as_in_transformers {
    ($($test:ident: $name:literal),* $(,)?) => {
        $(#[test] fn $test() { check($name); })*
    };
}

as_in_transformers! {
    labels_of_texts_and_of_pairs: "bert-labels",
    one_label_is_a_probability_or_a_number: "bert-one",
    tokens_for_masks: "bert-mask",
    tokens_for_masks_among_bytes: "roberta-mask",
    answers_in_long_and_short_texts: "bert-asks",
    answers_among_bytes: "roberta-asks",
    entities: "bert-entities",
    entities_among_bytes: "roberta-entities",
    vectors_of_the_pooler: "bert-vectors",
    vectors_as_modules_say: "bert-means",
    next_tokens: "gpt2-next",
    texts_of_an_encoder_decoder: "bart-writes",
    labels_of_images: "vit-labels",
    texts_for_images: "clip-nearest",
}

/// What transformers answers, an exported folder answers too, asked the same way.
#[test]
fn exported_folders_answer_as_transformers_does() {
    for name in [
        "bert-labels",
        "bert-mask",
        "bert-asks",
        "bert-entities",
        "bert-means",
        "gpt2-next",
        "bart-writes",
        "vit-labels",
        "clip-nearest",
    ] {
        let reference = reference(name);
        let case = &reference["cases"][0];
        let dir = prepared(&reference, &case["set"]);
        let out = dir.path().join("exported");
        json(&["export", text(dir.path()), "--out", text(&out)]);
        let given = ask(&out, &case["args"]);
        let difference = differs(&given["answers"], &case["answers"], name);
        assert_eq!(difference, None, "{}", case["args"]);
    }
}

/// Every reference has a test.
#[test]
fn every_answer_is_asked_for() {
    let files = fs::read_dir(fixture("answers")).unwrap();
    let names = files.map(|entry| entry.unwrap().path());
    let names = names.filter(|path| path.extension().is_some_and(|e| e == "json"));
    let here = include_str!("answers.rs");
    for path in names {
        let name = path.file_stem().unwrap().to_str().unwrap().to_string();
        assert!(here.contains(&format!("\"{name}\",")), "{name}");
    }
}
