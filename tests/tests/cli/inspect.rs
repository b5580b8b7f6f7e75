//! `fluxo inspect`: the shares of layers.

use fluxo_tests::fixture;

use crate::common::*;

#[test]
fn inspect_shows_shares_that_sum_to_one() {
    let report = json(&["inspect", text(&fixture("hf/gpt2")), "--ids", "3,1,4,1,5"]);
    let layers = report["layers"].as_array().unwrap();
    let sum: f64 = layers
        .iter()
        .map(|l| l["attention_share"].as_f64().unwrap() + l["feed_forward_share"].as_f64().unwrap())
        .sum::<f64>()
        + report["embedding_share"].as_f64().unwrap();
    assert!((sum - 1.0).abs() < 1e-5, "{sum}"); // taps are float32
}
