//! `fluxo generate`: greedy, drawn, by beams and in batches.

use fluxo_models::tensors;
use fluxo_tests::fixture;

use crate::common::*;

#[test]
fn generate_writes_the_references_tokens() {
    for family in ["gpt2", "llama"] {
        let reference =
            tensors::read(&fixture(&format!("hf/{family}/reference.safetensors"))).unwrap();
        let all = reference["out.greedy"].as_slice::<i64>().unwrap().to_vec();
        let prompt: Vec<_> = all[..all.len() - 10].iter().map(i64::to_string).collect();
        let model = fixture(&format!("hf/{family}"));
        let got = json(&[
            "generate",
            text(&model),
            "--ids",
            &prompt.join(","),
            "--max-new-tokens",
            "10",
        ]);
        let ids: Vec<_> = got["ids"]
            .as_array()
            .unwrap()
            .iter()
            .map(|id| id.as_i64().unwrap())
            .collect();
        assert_eq!(ids, all[all.len() - 10..]);
        assert!(got["text"].is_null());
    }
}

#[test]
fn sampling_follows_its_seed() {
    let model = fixture("hf/gpt2");
    let with = |seed: &str| {
        json(&[
            "generate",
            text(&model),
            "--ids",
            "5,6",
            "--max-new-tokens",
            "12",
            "--temperature",
            "1.5",
            "--ignore-end",
            "--seed",
            seed,
        ])["ids"]
            .clone()
    };
    assert_eq!(with("1"), with("1"));
    assert_ne!(with("1"), with("2"));
}

/// One batch of prompts gives what each gives alone; beams, draws and the cache are flags.
#[test]
fn prompts_are_written_after_in_batches() {
    let model = fixture("hf/gpt2");
    let generate = |flags: &[&str]| {
        let fixed = [
            "generate",
            text(&model),
            "--max-new-tokens",
            "5",
            "--ignore-end",
        ];
        json(&[&fixed, flags].concat())
    };
    let both = generate(&["--ids", "5,6,7,8", "--ids", "9,10"]);
    for (row, ids) in ["5,6,7,8", "9,10"].into_iter().enumerate() {
        let alone = generate(&["--ids", ids]);
        assert_eq!(both["rows"][row]["ids"], alone["ids"]);
        assert_eq!(alone, generate(&["--ids", ids, "--no-cache"]));
        assert_eq!(
            generate(&["--ids", ids, "--beams", "3"])["ids"]
                .as_array()
                .unwrap()
                .len(),
            5
        );
    }
    let drawn = |seed| {
        generate(&[
            "--ids",
            "5,6",
            "--temperature",
            "3",
            "--min-p",
            "0.01",
            "--seed",
            seed,
        ])
    };
    assert_eq!(drawn("1"), drawn("1"));
    assert_ne!(drawn("1"), drawn("2"));
    refused(
        &["generate", text(&model), "--ids", "1", "--beams", "0"],
        "beam",
    );
    let output = fluxo(&["generate", text(&model), "--ids", "1", "--dtype", "f8"]);
    assert_eq!(output.status.code(), Some(2));
    refused(
        &["generate", text(&fixture("hf/vit")), "--ids", "1"],
        "text-generation",
    );
}

/// A generation_config.json counts where no flag does, a text says why it ended, and what the
/// file cannot have is named.
#[test]
fn a_checkpoints_habits_count_unless_flags_do() {
    let dir = tempfile::tempdir().unwrap();
    for file in ["config.json", "model.safetensors"] {
        std::fs::copy(fixture("hf/gpt2").join(file), dir.path().join(file)).unwrap();
    }
    let write = |habits: &str, flags: &[&str]| {
        std::fs::write(dir.path().join("generation_config.json"), habits).unwrap();
        let model = text(dir.path());
        fluxo(&[&["generate", model, "--ids", "5,6,7", "--json"], flags].concat())
    };
    let read = |output: &std::process::Output| -> serde_json::Value {
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let said = |output: &std::process::Output| String::from_utf8(output.stderr.clone()).unwrap();

    let five = write(r#"{"max_length": 8}"#, &[]);
    assert_eq!(read(&five)["ids"].as_array().unwrap().len(), 5);
    assert_eq!(read(&five)["finish_reason"], "length");
    assert!(said(&five).contains("max_length"), "{}", said(&five));
    let asked = write(r#"{"max_length": 8}"#, &["--max-new-tokens", "3"]);
    assert_eq!(read(&asked)["ids"].as_array().unwrap().len(), 3);
    assert!(said(&asked).is_empty(), "{}", said(&asked));
    let usual = write("{}", &[]);
    assert_eq!(read(&usual)["finish_reason"], "length");
    assert!(said(&usual).contains("stopped after"), "{}", said(&usual));
    let last = &read(&asked)["ids"][2];
    let ended = write(&format!(r#"{{"eos_token_id": {last}}}"#), &[]);
    assert_eq!(read(&ended)["finish_reason"], "stop");
    assert!(said(&ended).is_empty(), "{}", said(&ended));

    let draws = r#"{"do_sample": true, "temperature": 0.5, "max_new_tokens": 4}"#;
    let drawn = write(draws, &[]);
    assert!(said(&drawn).contains("--greedy"), "{}", said(&drawn));
    assert_eq!(read(&drawn), read(&write(draws, &["--seed", "0"])));
    let greedy = write(draws, &["--greedy"]);
    assert!(!said(&greedy).contains("draws"), "{}", said(&greedy));
    assert_eq!(
        read(&greedy)["ids"],
        read(&write("{}", &["--max-new-tokens", "4"]))["ids"]
    );

    let refused = write(r#"{"guidance_scale": 2.0}"#, &[]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        said(&refused).contains("--set guidance_scale=null"),
        "{}",
        said(&refused)
    );
    let out = write(
        r#"{"guidance_scale": 2.0}"#,
        &["--set", "guidance_scale=null"],
    );
    assert_eq!(out.status.code(), Some(0));
    let typo = write("{}", &["--set", "num_beam=2"]);
    assert_eq!(typo.status.code(), Some(2));
    assert!(said(&typo).contains("`num_beam`"), "{}", said(&typo));
}
