//! Loading holds the weights once: what the files add to that stays small.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, missing_docs)]

use std::io::Write;
use std::path::Path;

use fluxo_models::Model;
use serde_json::{Map, json};

const D_MODEL: usize = 512;
const LAYERS: usize = 4;
const VOCAB: usize = 20_000;

/// Names and shapes of a GPT-2.
fn shapes() -> Vec<(String, Vec<usize>)> {
    let d = D_MODEL;
    let mut shapes = vec![
        ("wte.weight".to_string(), vec![VOCAB, d]),
        ("wpe.weight".to_string(), vec![64, d]),
        ("ln_f.weight".to_string(), vec![d]),
        ("ln_f.bias".to_string(), vec![d]),
    ];
    for layer in 0..LAYERS {
        let parts = [
            ("ln_1", vec![d], d),
            ("attn.c_attn", vec![d, 3 * d], 3 * d),
            ("attn.c_proj", vec![d, d], d),
            ("ln_2", vec![d], d),
            ("mlp.c_fc", vec![d, 4 * d], 4 * d),
            ("mlp.c_proj", vec![4 * d, d], d),
        ];
        for (name, weight, bias) in parts {
            shapes.push((format!("h.{layer}.{name}.weight"), weight));
            shapes.push((format!("h.{layer}.{name}.bias"), vec![bias]));
        }
    }
    shapes
}

/// A checkpoint of them with all weights alike, the table of tokens a second time as the output
/// layer; gives the bytes of the weights, that layer's left out.
fn write(dir: &Path) -> usize {
    let config = json!({
        "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_embd": D_MODEL, "n_head": 8,
        "n_layer": LAYERS, "n_positions": 64, "vocab_size": VOCAB,
    });
    std::fs::write(dir.join("config.json"), config.to_string()).unwrap();
    let (mut header, mut end) = (Map::new(), 0);
    let weights: usize = shapes()
        .iter()
        .map(|(_, shape)| 4 * shape.iter().product::<usize>())
        .sum();
    let head = ("lm_head.weight".to_string(), vec![VOCAB, D_MODEL]);
    for (name, shape) in shapes().into_iter().chain([head]) {
        let start = end;
        end += 4 * shape.iter().product::<usize>();
        let info = json!({"dtype": "F32", "shape": shape, "data_offsets": [start, end]});
        header.insert(name, info);
    }
    let header = serde_json::to_vec(&header).unwrap();
    let file = std::fs::File::create(dir.join("model.safetensors")).unwrap();
    let mut file = std::io::BufWriter::new(file);
    file.write_all(&(header.len() as u64).to_le_bytes())
        .unwrap();
    file.write_all(&header).unwrap();
    for _ in 0..end / 4 {
        file.write_all(&0.01f32.to_le_bytes()).unwrap();
    }
    weights
}

/// A line of the process's status, in bytes.
fn status(key: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<usize>()
        .unwrap()
        * 1024
}

/// The bound, 1.2 times the weights. What is over 1 is one window of the file, the
/// largest tensor's list of places and the allocator's own.
#[test]
fn loading_takes_little_more_than_the_weights() {
    let dir = tempfile::tempdir().unwrap();
    let weights = write(dir.path());
    let device = fluxo_backends::device("flex").unwrap();
    // From here on the peak counts anew.
    if std::fs::write("/proc/self/clear_refs", "5").is_err() {
        println!("skipped: this system does not reset the peak of memory");
        assert!(
            std::env::var("FLUXO_REQUIRE_ALL").is_err(),
            "no /proc/self/clear_refs"
        );
        return;
    }
    let before = status("VmRSS:");
    let (model, report) = Model::load(dir.path(), None, &device).unwrap();
    let peak = status("VmHWM:") - before;
    let ratio = peak as f64 / weights as f64;
    println!(
        "{} parameters: {ratio:.3} times the weights",
        report.parameters
    );
    assert_eq!(4 * report.parameters, weights);
    // It was compared, and is not there twice.
    assert!(
        report
            .tied
            .iter()
            .any(|tied| tied.contains("lm_head.weight (equal to "))
    );
    assert!(ratio < 1.2, "{ratio:.3}");
    drop(model);
}
