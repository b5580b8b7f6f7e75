//! `fluxo run`: outputs, hidden states and taps.

use fluxo_models::tensors;
use fluxo_tests::fixture;

use crate::common::*;

#[test]
fn run_gives_the_references_outputs() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.safetensors");
    let inputs = fixture("hf/bert/reference.safetensors");
    json(&[
        "run",
        text(&fixture("hf/bert")),
        "--inputs",
        text(&inputs),
        "--out",
        text(&out),
        "--hidden-states",
        "--taps",
    ]);
    let outputs = tensors::read(&out).unwrap();
    assert_eq!(outputs["layers.2.h"], outputs["hidden_states.3"]);
    assert_eq!(outputs["layers.0.x"], outputs["hidden_states.0"]);
    assert_eq!(outputs["pooler_output"].shape().to_vec(), [2, 32]);
    let taps = outputs
        .keys()
        .filter(|name| name.starts_with("layers."))
        .count();
    assert_eq!(taps, 3 * 12);
}
