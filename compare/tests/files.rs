//! What exported folders hold beyond one plain file: an encoder and a decoder, towers, taps,
//! fixed sizes.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use burn::tensor::TensorData;

use fluxo_compare::{
    ExportManifest, ExportOptions, OnnxModelFiles, TapChoice, compare, export, files,
    inputs::samples, open,
};
use fluxo_models::{Model, NewModelOptions, OutputOptions, Task};
use fluxo_onnx::file::{Dim, Signature};

fn model(family: &str) -> Model {
    let device = fluxo_backends::device("flex").unwrap();
    Model::new(family, &NewModelOptions::default(), 3, &device).unwrap()
}

/// The dimensions that `input` declares in `file`.
fn dims(file: &Path, input: &str) -> Vec<String> {
    let signature = Signature::read(file).unwrap();
    let port = signature.input(input).unwrap();
    port.dims.iter().flatten().map(Dim::to_string).collect()
}

fn named(taps: &[&str]) -> TapChoice {
    TapChoice::Named(taps.iter().map(ToString::to_string).collect())
}

/// Checkpoint and export, on flex and in the embedded runtimes.
fn agree(model: &Model, exported: &Path) -> fluxo_compare::Report {
    let checkpoint = tempfile::tempdir().unwrap();
    model.save(checkpoint.path()).unwrap();
    let paths = [checkpoint.path().to_path_buf(), exported.to_path_buf()];
    let names = ["flex", "tract", "rten"].map(String::from);
    let mut opened = open::open(&paths, &names, OutputOptions::default()).unwrap();
    let files = open::graph_of(exported).unwrap().unwrap();
    let files: Vec<PathBuf> = files
        .files()
        .iter()
        .map(|file| file.to_path_buf())
        .collect();
    let inputs = samples::fitting(model.config(), &files).unwrap();
    let report = compare(&mut opened.runners, &inputs, None).unwrap();
    assert!(report.agrees() && report.skipped.is_empty(), "{report}");
    report
}

#[test]
fn an_encoders_keys_are_cached_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let exported = export(&model("t5"), dir.path(), &ExportOptions::default()).unwrap();
    let decoder = dir.path().join(files::DECODER);
    assert_eq!(exported.file, decoder);
    assert_eq!(
        dims(&decoder, "past_key_values.1.encoder.value"),
        ["batch", "4", "past_encoder_sequence", "32"]
    );
    let signature = Signature::read(&decoder).unwrap();
    let given = |name: &str| {
        let port = signature.outputs.iter().find(|port| port.name == name);
        let dims = port.unwrap().dims.clone().unwrap();
        dims[2].to_string()
    };
    // Whatever is cached, the whole is given.
    assert_eq!(given("present.1.encoder.value"), "encoder_sequence");
    assert_eq!(given("present.1.decoder.value"), "sequence + past_sequence");
    let report = exported.verification.unwrap();
    let steps = report.pairs.iter().filter_map(|pair| pair.case.as_deref());
    assert!(
        steps.into_iter().any(|case| case.contains("at step")),
        "{report}"
    );
}

/// No file of an earlier export is taken for one of this.
#[test]
fn files_of_an_earlier_export_go() {
    let dir = tempfile::tempdir().unwrap();
    let model = model("marian");
    let whole = ExportOptions {
        cache: false,
        ..ExportOptions::default()
    };
    for (options, count) in [
        (whole.clone(), 1),
        (ExportOptions::default(), 2),
        (whole, 1),
    ] {
        let exported = export(&model, dir.path(), &options).unwrap();
        let written: Vec<&Path> = exported.files.iter().map(|f| f.file.as_path()).collect();
        assert_eq!(written.len(), count);
        assert_eq!(
            OnnxModelFiles::in_folder(dir.path()).unwrap().files(),
            written
        );
        let left = std::fs::read_dir(dir.path().join("onnx")).unwrap();
        assert_eq!(left.count(), count);
        agree(&model, dir.path());
    }
}

/// It reads one text and answers once: there is nothing to go on with.
#[test]
fn a_classifier_that_encodes_and_decodes_is_one_file() {
    let device = fluxo_backends::device("flex").unwrap();
    let settings = NewModelOptions {
        task: Some(Task::TextClassification),
        ..NewModelOptions::default()
    };
    let model = Model::new("bart", &settings, 3, &device).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let exported = export(&model, dir.path(), &ExportOptions::default()).unwrap();
    assert_eq!(exported.files.len(), 1);
    assert_eq!(exported.inputs, ["input_ids", "attention_mask"]);
    agree(&model, dir.path());
}

#[test]
fn texts_and_images_have_towers() {
    let dir = tempfile::tempdir().unwrap();
    let model = model("clip");
    let exported = export(&model, dir.path(), &ExportOptions::default()).unwrap();
    let ports: Vec<_> = exported
        .files
        .iter()
        .map(|file| (file.inputs.join(" "), file.outputs.join(" ")))
        .collect();
    let port = |inputs: &str, outputs: &str| (inputs.to_string(), outputs.to_string());
    let all = "logits_per_image logits_per_text text_embeds image_embeds";
    let wanted = [
        port("input_ids pixel_values attention_mask", all),
        port("input_ids attention_mask", "text_embeds"),
        port("pixel_values", "image_embeds"),
    ];
    assert_eq!(ports, wanted);
    assert_eq!(exported.file, dir.path().join(files::GRAPH));
    agree(&model, dir.path());
}

#[test]
fn taps_become_outputs() {
    let dir = tempfile::tempdir().unwrap();
    let gpt2 = model("gpt2");
    let options = ExportOptions {
        taps: named(&["layers.1.h", "layers.0.t1"]),
        ..ExportOptions::default()
    };
    let exported = export(&gpt2, dir.path(), &options).unwrap();
    let taps = exported
        .outputs
        .iter()
        .filter(|name| name.starts_with("layers."));
    assert_eq!(taps.collect::<Vec<_>>(), ["layers.0.t1", "layers.1.h"]);
    let report = agree(&gpt2, dir.path());
    assert!(report.pairs.iter().any(|pair| pair.output == "layers.1.h"));

    let bart = model("bart");
    let options = ExportOptions {
        taps: TapChoice::All,
        hidden_states: true,
        ..ExportOptions::default()
    };
    let exported = export(&bart, dir.path(), &options).unwrap();
    let known = bart.config().taps();
    for (file, stack) in exported.files.iter().zip(["encoder", "decoder"]) {
        let state = format!("{stack}_hidden_states.0");
        assert!(file.outputs.contains(&state), "{:?}", file.outputs);
        let taps = file.outputs.iter().filter(|name| name.contains(".layers."));
        let wanted = known.iter().filter(|name| name.starts_with(stack));
        assert_eq!(taps.count(), wanted.count());
    }
    agree(&bart, dir.path());

    let options = ExportOptions {
        taps: named(&["layers.0.t9"]),
        ..ExportOptions::default()
    };
    let error = export(&gpt2, dir.path(), &options).unwrap_err().to_string();
    assert!(error.contains("tap `layers.0.t9`"), "{error}");
}

#[test]
fn sizes_may_be_fixed() {
    let dir = tempfile::tempdir().unwrap();
    let fixed = |sizes: &[(&str, usize)]| ExportOptions {
        static_sizes: sizes
            .iter()
            .map(|(name, size)| (name.to_string(), *size))
            .collect(),
        ..ExportOptions::default()
    };
    let bert = model("bert");
    let exported = export(&bert, dir.path(), &fixed(&[("batch", 1), ("sequence", 8)])).unwrap();
    assert_eq!(dims(&exported.file, "attention_mask"), ["1", "8"]);
    agree(&bert, dir.path());
    // A decoder that reads a token at a time.
    let gpt2 = model("gpt2");
    let exported = export(&gpt2, dir.path(), &fixed(&[("sequence", 1)])).unwrap();
    assert_eq!(dims(&exported.file, "input_ids"), ["batch", "1"]);
    agree(&gpt2, dir.path());
    let t5 = model("t5");
    let sizes = [("batch", 2), ("encoder_sequence", 12), ("sequence", 1)];
    let exported = export(&t5, dir.path(), &fixed(&sizes)).unwrap();
    let encoded = dims(&exported.file, "encoder_hidden_states");
    assert_eq!(encoded, ["2", "12", "128"]);
    agree(&t5, dir.path());

    let refused = |model: &Model, sizes: &[(&str, usize)]| {
        let options = fixed(sizes);
        export(model, dir.path(), &options).unwrap_err().to_string()
    };
    let error = refused(&bert, &[("bach", 1)]);
    assert!(
        error.contains("`bach`") && error.contains("batch, sequence"),
        "{error}"
    );
    assert!(refused(&bert, &[("batch", 0)]).contains("`batch` of 0"));
    let longest = bert.config().max_positions();
    let error = refused(&bert, &[("sequence", longest + 1)]);
    assert!(
        error.contains(&format!("has {longest} positions")),
        "{error}"
    );
    let longest = gpt2.config().max_positions();
    let error = refused(&gpt2, &[("sequence", longest + 1)]);
    assert!(
        error.contains(&format!("has {longest} positions")),
        "{error}"
    );
}

/// Positions that were given, and those that are counted where none are.
#[test]
fn positions_are_an_input_where_that_is_asked() {
    let options = ExportOptions {
        position_ids: true,
        ..ExportOptions::default()
    };
    for family in ["gpt2", "llama", "roberta", "clip"] {
        let model = model(family);
        let dir = tempfile::tempdir().unwrap();
        let exported = export(&model, dir.path(), &options).unwrap();
        assert!(exported.inputs.contains(&"position_ids".to_string()));
        assert_eq!(
            dims(&exported.file, "position_ids"),
            ["batch", "sequence"],
            "{family}"
        );
        let read = ExportManifest::read(dir.path()).unwrap();
        assert!(read.options.position_ids);
        let graph = open::graph_of(dir.path()).unwrap().unwrap();
        let mut runner = graph.load("rten", "rten").unwrap();
        let mut inputs = samples::inputs(model.config(), 2, 6);
        let mask = TensorData::new(vec![1_i64, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1], [2, 6]);
        inputs.insert("attention_mask".into(), mask);
        let output = match family {
            "clip" => "text_embeds",
            _ => "logits",
        };
        let mut seen: Vec<Vec<f32>> = Vec::new();
        for given in [None, Some([3_i64, 5, 2, 7, 4, 6, 7, 2, 6, 5, 3, 4])] {
            if let Some(given) = given {
                let given = TensorData::new(given.to_vec(), [2, 6]);
                inputs.insert("position_ids".into(), given);
            }
            let wanted = model.run(&inputs, &OutputOptions::default()).unwrap();
            let found = runner.run(&inputs).unwrap();
            let [wanted, found] = [wanted, found].map(|outputs| {
                let values = outputs[output].as_slice::<f32>().unwrap();
                // The first row, and the last position of the second.
                let first = values.len() / 2;
                let last = values.len() - values.len() / 2 / 6;
                [&values[..first], &values[last..]].concat()
            });
            let far = wanted.iter().zip(&found).map(|(a, b)| (a - b).abs());
            // Sums of these widths in another order.
            let far = far.fold(0f32, f32::max);
            assert!(far < 2e-5, "{family}: {far:e}");
            seen.push(found);
        }
        assert_ne!(seen[0], seen[1], "{family}");
    }
    for (family, reason) in [
        ("t5", "counts its own"),
        ("bart", "counts its own"),
        ("bloom", "has none"),
        ("vit", "has none"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let error = export(&model(family), dir.path(), &options).unwrap_err();
        assert!(error.to_string().contains(reason), "{family}: {error}");
    }
}
