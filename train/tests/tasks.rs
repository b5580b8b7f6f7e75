//! Each task on data small enough to learn by heart: the loss falls to almost nothing, and the
//! run folder, loaded again, knows the answers. On flex.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::{Device, TensorData};
use fluxo_models::generate::{Sampling, generate};
use fluxo_models::image::ImageProcessor;
use fluxo_models::{Model, OutputOptions, Tensors, tensors};
use fluxo_train::{Error, RunOptions, Summary, TrainConfig, train};
use serde_json::Value;
use tempfile::TempDir;

fn go(config: &TrainConfig, stop: bool, resume: bool) -> Result<Summary, Error> {
    // Burn draws from one generator for the whole process.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let options = RunOptions {
        resume,
        quiet: true,
        stop: Arc::new(AtomicBool::new(stop)),
    };
    train(config, &Device::flex(), &options)
}

/// A run of `family` for `task` on `data`, `set` changed.
fn config(
    dir: &Path,
    family: &str,
    task: &str,
    data: PathBuf,
    set: &[(&str, &str)],
) -> TrainConfig {
    let mut config = TrainConfig::new(family, vec![data], &dir.join(format!("{family}-run")));
    config.task = task.into();
    let sizes: &[(&str, &str)] = match family {
        "gpt2" => &[("n_layer", "2"), ("n_embd", "32"), ("n_head", "2")],
        "bart" => &[
            ("d_model", "32"),
            ("encoder_layers", "2"),
            ("decoder_layers", "2"),
            ("encoder_attention_heads", "2"),
            ("decoder_attention_heads", "2"),
            ("encoder_ffn_dim", "64"),
            ("decoder_ffn_dim", "64"),
        ],
        "t5" => &[
            ("d_model", "32"),
            ("num_layers", "2"),
            ("num_decoder_layers", "2"),
            ("num_heads", "2"),
            ("d_kv", "16"),
            ("d_ff", "64"),
        ],
        _ => &[
            ("hidden_size", "32"),
            ("num_hidden_layers", "2"),
            ("num_attention_heads", "2"),
            ("intermediate_size", "64"),
        ],
    };
    for (key, value) in sizes {
        config.set(&format!("model.{key}"), value).unwrap();
    }
    let common = [
        ("batch_size", "8"),
        ("sequence_length", "24"),
        ("learning_rate", "3e-3"),
        ("eval_batches", "4"),
        ("weight_decay", "0"),
    ];
    for (key, value) in common.iter().chain(set) {
        config.set(key, value).unwrap();
    }
    config
}

/// Trains, looks at the losses and loads the run.
fn learned(config: &TrainConfig, below: f32) -> Model {
    let summary = go(config, false, false).unwrap();
    let (last, best) = (summary.last_loss, summary.best_eval_loss.unwrap());
    let family = &config.family;
    assert!(last < below && best < below, "{family}: {last}, {best}");
    let (model, report) = Model::load(&config.out, None, &Device::flex()).unwrap();
    assert_eq!(model.task().name(), config.task);
    assert!(report.unused.is_empty(), "{:?}", report.unused);
    model
}

/// The number of the largest logit of each row or position.
fn answers(model: &Model, inputs: &Tensors) -> Vec<usize> {
    let outputs = model.run(inputs, &OutputOptions::default()).unwrap();
    let logits = &outputs["logits"];
    let size = *logits.shape().to_vec().last().unwrap();
    let largest = |row: &[f32]| {
        (0..size)
            .max_by(|a, b| row[*a].total_cmp(&row[*b]))
            .unwrap()
    };
    logits
        .as_slice::<f32>()
        .unwrap()
        .chunks(size)
        .map(largest)
        .collect()
}

fn ids(ids: impl IntoIterator<Item = u32>) -> Tensors {
    let ids: Vec<i64> = ids.into_iter().map(i64::from).collect();
    let shape = [1, ids.len()];
    Tensors::from([("input_ids".into(), TensorData::new(ids, shape))])
}

fn dir() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn hidden_letters_are_told_by_those_around_them() {
    let dir = dir();
    let data = dir.path().join("text.txt");
    let line = "stream ";
    fs::write(&data, line.repeat(100)).unwrap();
    let set = [
        ("steps", "700"),
        ("validation_fraction", "0.2"),
        ("sequence_length", "14"),
    ];
    let config = config(dir.path(), "modernbert", "fill-mask", data, &set);
    let model = learned(&config, 0.05);
    let text = line.repeat(2).into_bytes();
    for place in 0..14 {
        // Byte 0 stands for the mask.
        let masked = (0..14).map(|at| if at == place { 0 } else { u32::from(text[at]) });
        assert_eq!(
            answers(&model, &ids(masked))[place],
            usize::from(text[place]),
            "{place}"
        );
    }
}

const WORDS: [(&str, &str); 6] = [
    ("what a fine day", "good"),
    ("I like this", "good"),
    ("lovely", "good"),
    ("how dreadful", "bad"),
    ("I hate it all", "bad"),
    ("what a poor thing", "bad"),
];

/// The first position is read (bert), the last one (gpt2), or that of the end token (bart).
#[test]
fn labels_of_texts_are_learned() {
    let dir = dir();
    let tsv = dir.path().join("data.tsv");
    let lines = WORDS
        .map(|(text, label)| format!("{text}\t{label}\n"))
        .concat();
    fs::write(&tsv, lines.repeat(5)).unwrap();
    for family in ["bert", "gpt2", "bart"] {
        let set = [("steps", "80"), ("validation_fraction", "0.2")];
        let config = config(dir.path(), family, "text-classification", tsv.clone(), &set);
        let model = learned(&config, 0.05);
        let labels = &model.raw().0["id2label"];
        assert_eq!(
            (&labels["0"], &labels["1"]),
            (&"bad".into(), &"good".into())
        );
        assert_eq!(model.raw().0["label2id"]["good"], 1);
        for (text, label) in WORDS {
            let mut tokens = model.text().unwrap().encode(text).unwrap();
            if family == "bart" {
                tokens.push(2); // its end token
            }
            let answer = answers(&model, &ids(tokens))[0].to_string();
            assert_eq!(labels[&answer], label, "{family}: {text}");
        }
    }
}

#[test]
fn texts_are_written_for_texts() {
    let pairs = [
        ("one", "uno"),
        ("two", "due"),
        ("three", "tre"),
        ("four", "quattro"),
    ];
    let dir = dir();
    let jsonl = dir.path().join("data.jsonl");
    let lines = pairs.map(|(a, b)| format!("{{\"source\": \"{a}\", \"target\": \"{b}\"}}\n"));
    fs::write(&jsonl, lines.concat().repeat(5)).unwrap();
    for family in ["t5", "bart"] {
        let set = [
            ("steps", "400"),
            ("validation_fraction", "0.2"),
            ("learning_rate", "1e-2"),
        ];
        let config = config(
            dir.path(),
            family,
            "text2text-generation",
            jsonl.clone(),
            &set,
        );
        let model = learned(&config, 0.05);
        for (source, target) in pairs {
            let text = model.text().unwrap();
            let source = text.encode(source).unwrap();
            let written = generate(&model, &source, 20, &Sampling::default(), |_| {}).unwrap();
            let written = text.decode(&written).unwrap();
            let written = written.trim_end_matches(|c: char| c.is_control());
            assert_eq!(written, target, "{family}");
        }
    }
}

#[test]
fn labels_of_images_are_learned() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/images");
    let dir = dir();
    let classes = [
        ("grey", "grey.png"),
        ("noise", "noise.jpg"),
        ("print", "cmyk.jpg"),
    ];
    for (class, file) in classes {
        let folder = dir.path().join("images").join(class);
        fs::create_dir_all(&folder).unwrap();
        let ending = Path::new(file).extension().unwrap().to_string_lossy();
        for copy in 0..4 {
            fs::copy(fixtures.join(file), folder.join(format!("{copy}.{ending}"))).unwrap();
        }
    }
    let set = [
        ("steps", "100"),
        ("validation_fraction", "0.25"),
        ("model.image_size", "16"),
    ];
    let data = dir.path().join("images");
    let config = config(dir.path(), "vit", "image-classification", data, &set);
    let model = learned(&config, 0.05);
    let processor = ImageProcessor::load(&config.out).unwrap().unwrap();
    for (class, file) in classes {
        let pixels = processor.read(&fixtures.join(file)).unwrap();
        let answer = answers(&model, &Tensors::from([("pixel_values".into(), pixels)]))[0];
        assert_eq!(model.raw().0["id2label"][&answer.to_string()], class);
    }
    assert!(!model.raw().0.contains_key("fluxo_text"));

    // What the run goes on from is whole too, and it goes on.
    let last = config.out.join("last");
    assert!(ImageProcessor::load(&last).unwrap().is_some());
    let mut more = config.clone();
    more.set("steps", "102").unwrap();
    assert_eq!(go(&more, false, true).unwrap().steps, 102);
}

/// Masks too are drawn from the seed and the step alone.
/// What one update learned from: the loss, the norm of its gradient, and AdamW's first moments,
/// which after one step are a tenth of the gradient.
fn one_update(config: &TrainConfig, batch_size: usize, accumulation: usize) -> (f32, f32, Tensors) {
    let mut config = config.clone();
    config
        .out
        .set_extension(format!("{batch_size}x{accumulation}"));
    config.batch_size = batch_size;
    config.accumulation = accumulation;
    let summary = go(&config, false, false).unwrap();
    let metrics = fs::read_to_string(config.out.join("metrics.jsonl")).unwrap();
    let line: Value = serde_json::from_str(metrics.lines().next().unwrap()).unwrap();
    let norm = line["gradient_norm"].as_f64().unwrap() as f32;
    let mut moments = tensors::read(&config.out.join("last/optimizer.safetensors")).unwrap();
    moments.retain(|name, _| name.ends_with(".moment_1"));
    (summary.first_loss, norm, moments)
}

/// transformers#34191: each pass counts by its answers, so an update is that of the same rows in
/// one pass, also where passes have few answers and many.
#[test]
fn an_update_is_the_same_however_its_rows_are_dealt_out() {
    let dir = dir();
    let write = |name: &str, text: String| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    // Targets of 1 to 23 letters and an end.
    let pairs = (0..24).map(|i| {
        let target = "abcdefghijklmnopqrstuvwxyz".get(..i + 1).unwrap_or("z");
        format!("{{\"source\": \"{i}\", \"target\": \"{target}\"}}\n")
    });
    let pairs = write("pairs.jsonl", pairs.collect());
    let labels = (0..24).map(|i| format!("{}\t{}\n", "word ".repeat(1 + i % 4), i % 3));
    let labels = write("labels.tsv", labels.collect());
    let text = write("text.txt", "each layer writes into the stream\n".repeat(40));
    let runs = [
        ("t5", "text2text-generation", &pairs),
        ("gpt2", "text-generation", &text),
        ("bert", "fill-mask", &text),
        ("bert", "text-classification", &labels),
    ];
    for (family, task, data) in runs {
        let set = [
            ("steps", "1"),
            ("validation_fraction", "0.2"),
            ("clip", "0"),
        ];
        let home = dir.path().join(task);
        let config = config(&home, family, task, data.clone(), &set);
        let whole = one_update(&config, 8, 1);
        for (batch_size, accumulation) in [(1, 8), (4, 2)] {
            let parts = one_update(&config, batch_size, accumulation);
            let said = format!("{family} {task} {batch_size} x {accumulation}");
            // Sums in another order: a few roundings of float32.
            let near = |a: f32, b: f32, scale: f32| (a - b).abs() <= 4e-6 * scale;
            assert!(
                near(parts.0, whole.0, whole.0),
                "{said}: {} {}",
                parts.0,
                whole.0
            );
            assert!(
                near(parts.1, whole.1, whole.1),
                "{said}: {} {}",
                parts.1,
                whole.1
            );
            assert!(parts.2.keys().eq(whole.2.keys()), "{said}");
            let values =
                |tensors: &Tensors, name: &str| tensors[name].iter::<f32>().collect::<Vec<f32>>();
            let largest = |values: &[f32]| values.iter().fold(0.0_f32, |most, v| most.max(v.abs()));
            let most = whole.2.keys().map(|name| largest(&values(&whole.2, name)));
            let most = most.fold(0.0, f32::max);
            for name in whole.2.keys() {
                let (a, b) = (values(&parts.2, name), values(&whole.2, name));
                let worst = a.iter().zip(&b).map(|(a, b)| a - b).collect::<Vec<_>>();
                assert!(largest(&worst) <= 4e-6 * most, "{said}: {name} is off");
            }
        }
    }
}

#[test]
fn a_resumed_run_hides_the_same_letters() {
    let dir = dir();
    let data = dir.path().join("text.txt");
    fs::write(&data, "the stream carries what was written ".repeat(40)).unwrap();
    let set = [("steps", "3"), ("validation_fraction", "0.2")];
    let straight = config(dir.path(), "bert", "fill-mask", data, &set);
    let whole = go(&straight, false, false).unwrap();
    let mut resumed = straight.clone();
    resumed.out = dir.path().join("resumed");
    for step in 0..3 {
        go(&resumed, true, step > 0).unwrap();
    }
    let again = go(&resumed, false, true).unwrap();
    assert_eq!(
        (again.last_loss, again.best_eval_loss),
        (whole.last_loss, whole.best_eval_loss)
    );
}

#[test]
fn what_a_task_cannot_use_is_refused_with_the_mend() {
    let dir = dir();
    let tsv = dir.path().join("data.tsv");
    fs::write(&tsv, "a\tx\nb\ty\nc\tz\n").unwrap();
    let refused = |family: &str, task: &str, set: &[(&str, &str)]| {
        let config = config(dir.path(), family, task, tsv.clone(), set);
        let error = go(&config, false, false).unwrap_err().to_string();
        assert!(!config.out.exists(), "{error}");
        assert!(!error.contains('\n'), "{error}");
        error
    };
    for (family, task, set, wanted) in [
        (
            "whisper",
            "automatic-speech-recognition",
            None,
            "cannot be trained; text-generation, ",
        ),
        (
            "clip",
            "zero-shot-image-classification",
            None,
            "cannot be trained",
        ),
        (
            "gpt2",
            "fill-mask",
            Some(("sequence_length", "4")),
            "gpt2 has no head for fill-mask",
        ),
        (
            "bert",
            "text-classification",
            None,
            "takes 0 for evaluation",
        ),
        (
            "bert",
            "text-classification",
            Some(("sequence_length", "900")),
            "over the model's 128",
        ),
        (
            "bart",
            "text2text-generation",
            Some(("model.eos_token_id", "300")),
            "eos_token_id is 300",
        ),
        ("vit", "image-classification", None, "data.tsv"),
    ] {
        let fraction = set.map(|_| ("validation_fraction", "0.4"));
        let given: Vec<_> = fraction.into_iter().chain(set).collect();
        let error = refused(family, task, &given);
        assert!(error.contains(wanted), "{error}");
    }
}
