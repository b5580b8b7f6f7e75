//! `--task`: another head than the checkpoint's own, on every verb that loads one.

use fluxo_models::tensors;
use fluxo_tests::fixture;
use serde_json::json;

use crate::common::*;

#[test]
fn each_verb_that_loads_takes_a_task() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_string();
    let (gpt2, bert) = (fixture("hf/gpt2"), fixture("hf/bert-mlm"));
    let (gpt2, bert) = (text(&gpt2), text(&bert));
    let inputs = fixture("hf/gpt2/reference.safetensors");
    let task = ["--task", "feature-extraction"];
    let with = |args: &[&str]| json(&[args, &task].concat());

    assert_eq!(with(&["info", gpt2])["task"], task[1]);
    let out = at("out");
    with(&["run", gpt2, "--inputs", text(&inputs), "--out", &out]);
    let plain = tensors::read(&dir.path().join("out")).unwrap();
    assert!(plain.contains_key("last_hidden_state") && !plain.contains_key("logits"));
    with(&[
        "run",
        gpt2,
        "--dtype",
        "f16",
        "--inputs",
        text(&inputs),
        "--out",
        &out,
    ]);
    let half = tensors::read(&dir.path().join("out")).unwrap();
    assert!(half.keys().eq(plain.keys()));

    for more in [&[][..], &["--isolate"], &["--locate"]] {
        let args = [&["compare", gpt2, "--on", "flex,ndarray"], more].concat();
        let report = with(&args);
        assert_eq!(report["verdict"], "agree", "{args:?}");
        let names: Vec<_> = report["pairs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| &pair["output"])
            .collect();
        assert!(names.contains(&&json!("last_hidden_state")), "{names:?}");
        assert!(!names.contains(&&json!("logits")), "{names:?}");
    }

    with(&["inspect", bert, "--ids", "1,2,3"]);
    let (export, ids) = (at("export"), ["--ids", "7,8", "--max-new-tokens", "2"]);
    with(&["export", bert, "--out", &export]);
    let bart = fixture("hf/bart-classify");
    let generate = ["generate", text(&bart), "--task", "text2text-generation"];
    assert_eq!(
        json(&[&generate[..], &ids].concat()),
        json(&[&["generate", text(&bart)], &ids[..]].concat())
    );

    // A family without such a head, and files that are what they are.
    refused(
        &["inspect", gpt2, "--ids", "1", "--task", "fill-mask"],
        "has no head for fill-mask",
    );
    let reference = fixture("hf/bert-mlm/reference.safetensors");
    let run = ["run", &export, "--inputs", text(&reference), "--out", &out];
    let compare = ["compare", &export, "--on", "tract,rten"];
    for args in [&run[..], &compare, &["info", &export]] {
        refused(
            &[args, &task].concat(),
            "to choose feature-extraction, give --task to the export",
        );
    }
}
