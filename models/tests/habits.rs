//! Every key of generation_config.json against transformers' own `generate`
//! (tests/fixtures/make_habits.py): absent, in the file, asked for by the call, taken back by it,
//! and in config.json; and what each cut leaves of given scores.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fluxo_models::generate::{
    GENERATION_CONFIG, Habits, Limit, Meaning, Prompts, Sampling, distribution, generate_all, keys,
};
use fluxo_models::{Model, tensors};
use serde_json::{Map, Value, json};

/// How many tokens transformers writes where nothing says how many.
const USUAL: usize = 20;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures")
}

fn golden(name: &str) -> Value {
    let path = fixtures().join(format!("habits/{name}.json"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The checkpoint with `keys` in its config.json, and `generation` as its generation_config.json.
fn folder(checkpoint: &str, keys: &Value, generation: &Value) -> tempfile::TempDir {
    let (from, to) = (fixtures().join(checkpoint), tempfile::tempdir().unwrap());
    let config = std::fs::read(from.join("config.json")).unwrap();
    let mut config: Map<String, Value> = serde_json::from_slice(&config).unwrap();
    config.extend(keys.as_object().unwrap().clone());
    let text = Value::Object(config).to_string();
    std::fs::write(to.path().join("config.json"), text).unwrap();
    let weights = "model.safetensors";
    std::fs::copy(from.join(weights), to.path().join(weights)).unwrap();
    if generation.is_object() {
        std::fs::write(to.path().join(GENERATION_CONFIG), generation.to_string()).unwrap();
    }
    to
}

fn load(folder: &Path) -> Model {
    let device = fluxo_backends::device("flex").unwrap();
    Model::load(folder, None, &device).unwrap().0
}

fn list(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap()
}

/// Every case of `habits/{name}.json`.
fn agrees(name: &str) {
    let golden = golden(name);
    let checkpoint = golden["checkpoint"].as_str().unwrap();
    // Cases of one configuration share a model.
    let mut models: BTreeMap<String, Model> = BTreeMap::new();
    let (mut ran, mut wrong) = (0, Vec::new());
    for case in golden["cases"].as_array().unwrap() {
        let folder = folder(checkpoint, &case["config"], &case["generation_config"]);
        let model = models
            .entry(case["config"].to_string())
            .or_insert_with(|| load(folder.path()));
        let prompts = match &case["prompt"] {
            Value::Null => {
                let path = fixtures().join(checkpoint).join("reference.safetensors");
                let sound = tensors::read(&path).unwrap()["in.input_features"].clone();
                let mut shape = sound.shape().to_vec();
                let row = shape.iter().skip(1).product();
                shape[0] = 1;
                let first: Vec<f32> = sound.iter::<f32>().take(row).collect();
                Prompts::Sound(burn::tensor::TensorData::new(first, shape))
            }
            prompt => Prompts::Tokens(vec![list(prompt)]),
        };
        let asked = case["asked"].as_object().unwrap();
        let habits = Habits::of_checkpoint(folder.path(), model, asked, USUAL);
        let habits = habits.unwrap_or_else(|error| panic!("{case}: {error}"));
        let limit = habits.max_new_tokens;
        let got = generate_all(model, &prompts, limit, &habits.sampling, |_, _| {});
        let wanted: Vec<_> = case["texts"].as_array().unwrap().iter().map(list).collect();
        ran += 1;
        match got {
            Ok(got) if got == wanted => {}
            got => wrong.push(format!("{}: {got:?} for {wanted:?}, {case}", case["case"])),
        }
    }
    assert!(ran >= 60, "{ran}");
    let some = &wrong[..wrong.len().min(4)];
    assert!(
        wrong.is_empty(),
        "{name}, {} of {ran}: {some:#?}",
        wrong.len()
    );
}

macro_rules! golden {
    ($($test:ident: $name:literal,)*) => {
        $(#[test]
        fn $test() {
            agrees($name);
        })*
    };
}

golden! {
    gpt2_has_its_habits: "gpt2",
    llama_has_its_habits: "llama",
    t5_has_its_habits: "t5",
    bart_has_its_habits: "bart",
    whisper_has_its_habits: "whisper",
}

/// The probabilities that draws follow, for given scores. transformers' own come from float64
/// and are rounded to nine places.
#[test]
fn draws_follow_transformers_distributions() {
    let golden = golden("distributions");
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 44);
    let folder = folder("hf/gpt2", &json!({}), &Value::Null);
    let model = load(folder.path());
    for case in cases {
        std::fs::write(
            folder.path().join(GENERATION_CONFIG),
            case["generation_config"].to_string(),
        )
        .unwrap();
        let sampling = Sampling::of_checkpoint(folder.path(), &model).unwrap();
        let scores = case["scores"].as_array().unwrap().iter();
        let scores: Vec<f32> = scores
            .map(|score| {
                score
                    .as_f64()
                    .map_or(f32::NEG_INFINITY, |score| score as f32)
            })
            .collect();
        let got = distribution(&scores, &sampling).unwrap();
        let tokens: Vec<u32> = got.iter().map(|(token, _)| *token).collect();
        let settings = &case["generation_config"];
        assert_eq!(tokens, list(&case["tokens"]), "{settings}");
        for ((_, got), wanted) in got.iter().zip(case["probabilities"].as_array().unwrap()) {
            assert!((got - wanted.as_f64().unwrap()).abs() < 2e-9, "{settings}");
        }
    }
}

fn habits(checkpoint: &str, generation: Value, asked: Value) -> Result<Habits, String> {
    let folder = folder(checkpoint, &json!({}), &generation);
    let asked = asked.as_object().unwrap();
    let model = load(folder.path());
    Habits::of_checkpoint(folder.path(), &model, asked, 64).map_err(|e| e.to_string())
}

/// What a call asks for counts, whatever the file says; a length that it names takes away the
/// file's other one.
#[test]
fn what_is_asked_for_counts() {
    let file = json!({"do_sample": true, "temperature": 0.6, "top_p": 0.9, "max_new_tokens": 9});
    let own = habits("hf/llama", file.clone(), json!({})).unwrap();
    assert!(own.draws);
    let sampling = &own.sampling;
    assert_eq!((sampling.temperature, sampling.top_k), (0.6, Some(50)));
    assert_eq!(sampling.top_p, Some(0.9));
    assert_eq!(
        (own.max_new_tokens, own.limit),
        (9, Limit::Checkpoint("max_new_tokens"))
    );
    let asked = json!({"do_sample": false, "max_length": 30});
    let greedy = habits("hf/llama", file, asked).unwrap();
    assert!(!greedy.draws);
    assert_eq!(
        (greedy.sampling.temperature, greedy.sampling.top_p),
        (0.0, None)
    );
    assert_eq!(
        (greedy.sampling.max_length, greedy.limit),
        (Some(30), Limit::Asked)
    );
    assert_eq!(greedy.limit_of(25), Limit::Asked);
    let silent = habits("hf/llama", json!({}), json!({})).unwrap();
    assert_eq!((silent.max_new_tokens, silent.limit), (64, Limit::Default));
    assert_eq!(silent.limit_of(64), Limit::Default);
    assert_eq!(silent.limit_of(60), Limit::Positions);
    // Draws that only a call asks for are from all tokens.
    let drawn = habits("hf/llama", json!({}), json!({"do_sample": true})).unwrap();
    assert_eq!(
        (drawn.sampling.temperature, drawn.sampling.top_k),
        (1.0, None)
    );
}

/// Whisper's texts go up to `max_length` behind what they start from, and not beyond its 64
/// positions.
#[test]
fn whisper_writes_to_its_length() {
    let with = |length: usize| {
        habits(
            "hf/whisper",
            json!({"decoder_start_token_id": 3, "max_length": length}),
            json!({}),
        )
        .unwrap()
    };
    assert_eq!(with(20).sampling.max_length, Some(21));
    assert_eq!(with(20).limit_of(20), Limit::Checkpoint("max_length"));
    assert_eq!(with(448).sampling.max_length, Some(64));
    assert_eq!(with(448).limit_of(63), Limit::Positions);
}

/// What would change the text and is not there is refused by its name, and can be taken away.
#[test]
fn unknown_habits_are_refused_by_name() {
    for (key, value) in [
        ("penalty_alpha", json!(0.6)),
        ("guidance_scale", json!(1.5)),
        ("constraints", json!([])),
        ("force_words_ids", json!([[1]])),
        ("watermarking_config", json!({"bias": 2.0})),
        ("max_time", json!(1.0)),
        ("dola_layers", json!("low")),
        ("token_healing", json!(true)),
    ] {
        let file = json!({key: value});
        let said = habits("hf/gpt2", file.clone(), json!({})).unwrap_err();
        assert!(
            said.contains(&format!("`{key}`")) && said.contains("--set"),
            "{said}"
        );
        habits("hf/gpt2", file, json!({key: null})).unwrap();
    }
    let groups = json!({"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.5});
    assert!(
        habits("hf/gpt2", groups, json!({}))
            .unwrap_err()
            .contains("num_beam_groups")
    );
    let drawn_beams = json!({"num_beams": 4, "do_sample": true});
    assert!(
        habits("hf/gpt2", drawn_beams, json!({}))
            .unwrap_err()
            .contains("num_beams")
    );
    let times = json!({"return_timestamps": true});
    assert!(
        habits("hf/whisper", times, json!({}))
            .unwrap_err()
            .contains("return_timestamps")
    );
    // Without effect they are let through.
    let idle = json!({"guidance_scale": 1.0, "num_beam_groups": 2, "penalty_alpha": 0.0,
                      "diversity_penalty": 1.0, "token_healing": false, "max_time": null});
    habits("hf/gpt2", idle, json!({})).unwrap();
    let typo = habits("hf/gpt2", json!({}), json!({"num_beam": 4})).unwrap_err();
    assert!(typo.contains("`num_beam`"), "{typo}");
    for (key, value) in [
        ("repetition_penalty", json!("much")),
        ("min_length", json!(1.5)),
        ("do_sample", json!(1)),
        ("early_stopping", json!("always")),
        ("sequence_bias", json!([[1, 2.0]])),
        ("exponential_decay_length_penalty", json!([1])),
        ("stop_strings", json!([1])),
    ] {
        let said = habits("hf/gpt2", json!({key: value}), json!({})).unwrap_err();
        assert!(said.contains(&format!("`{key}` must hold")), "{said}");
    }
}

/// A string ends the text where the last token completes it, also one of two tokens; in the
/// prompt it ends nothing.
#[test]
fn strings_end_texts() {
    let folder = folder("hf/gpt2", &json!({}), &json!({"max_new_tokens": 12}));
    let vocab: Map<String, Value> = (0..99).map(|id| (format!("w{id}."), json!(id))).collect();
    let tokenizer = json!({
        "added_tokens": [], "pre_tokenizer": {"type": "WhitespaceSplit"},
        "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "w0."},
    });
    std::fs::write(folder.path().join("tokenizer.json"), tokenizer.to_string()).unwrap();
    // GPT-2's own class would read other parts into it.
    let plain = json!({"tokenizer_class": "PreTrainedTokenizerFast"}).to_string();
    std::fs::write(folder.path().join("tokenizer_config.json"), plain).unwrap();
    let model = load(folder.path());
    let write = |stop: Value, beams: usize| {
        let asked = json!({"stop_strings": stop, "num_beams": beams, "no_repeat_ngram_size": 1});
        let asked = asked.as_object().unwrap();
        let habits = Habits::of_checkpoint(folder.path(), &model, asked, 64).unwrap();
        let prompts = Prompts::Tokens(vec![vec![5, 6, 7]]);
        let limit = habits.max_new_tokens;
        let texts = generate_all(&model, &prompts, limit, &habits.sampling, |_, _| {});
        texts.unwrap().remove(0)
    };
    let free = write(json!([]), 1);
    assert_eq!(free.len(), 12);
    let both = format!("w{}. w{}.", free[2], free[3]);
    assert_eq!(write(json!(both), 1), free[..4]);
    let part = json!(["none", format!("{}. ", free[5])]);
    assert_eq!(write(part, 1), free[..7]);
    assert_eq!(write(json!("w6. w7."), 1), free);
    // Of beams a text that ends goes no further either.
    let beams = write(json!([]), 2);
    let ended = write(json!(format!("w{}. w{}.", beams[2], beams[3])), 2);
    assert!(ended == beams[..4] || !ended.windows(2).any(|two| two == &beams[2..4]));
    let bare = habits("hf/gpt2", json!({"stop_strings": "x"}), json!({})).unwrap();
    let model = load(&fixtures().join("hf/gpt2"));
    let prompts = Prompts::Tokens(vec![vec![5]]);
    let said = generate_all(&model, &prompts, 2, &bare.sampling, |_, _| {}).unwrap_err();
    assert!(said.to_string().contains("tokenizer"), "{said}");
}

/// Draws of one prompt differ, and the first is that of the prompt alone.
#[test]
fn a_prompt_may_have_several_draws() {
    let model = load(&fixtures().join("hf/llama"));
    let prompts = Prompts::Tokens(vec![vec![5, 6, 7], vec![9, 10]]);
    let with = |texts| Sampling {
        temperature: 2.0,
        num_return_sequences: texts,
        ..Sampling::default()
    };
    let write = |texts| generate_all(&model, &prompts, 8, &with(texts), |_, _| {}).unwrap();
    let three = write(3);
    assert_eq!(three.len(), 6);
    assert_eq!(three[0], write(1)[0]);
    assert_ne!(three[0], three[1]);
    let greedy = Sampling {
        num_return_sequences: 2,
        ..Sampling::default()
    };
    let said = generate_all(&model, &prompts, 8, &greedy, |_, _| {}).unwrap_err();
    assert!(said.to_string().contains("2 texts a prompt"), "{said}");
}

fn report(name: &str) -> PathBuf {
    fixtures().join("reports").join(name)
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Reports of checkpoints whose habits were not followed, with transformers' texts.
#[test]
fn reported_habits_are_followed() {
    for case in ["min_new_tokens", "repetition_penalty"] {
        let folder = report("generation-habits").join(case);
        let (model, golden) = (load(&folder), read(&folder.join("greedy.json")));
        let sampling = Sampling::of_checkpoint(&folder, &model).unwrap();
        let prompts = Prompts::Tokens(vec![list(&golden["prompt"])]);
        let limit = golden["max_new_tokens"].as_u64().unwrap() as usize;
        let got = generate_all(&model, &prompts, limit, &sampling, |_, _| {}).unwrap();
        assert_eq!(got, [list(&golden["ids"])], "{case}");
    }
}

/// A report of unequal prompts under rotary positions that scale with the length: each row's
/// text is what transformers writes for the row alone.
#[test]
fn reported_rows_are_written_as_alone() {
    let folder = report("rope-length-batch/llama-dynamic");
    let model = load(&folder);
    let cases = read(&folder.join("prompts.json"));
    for case in cases.as_array().unwrap() {
        let rows = case["rows"].as_array().unwrap().iter().map(list).collect();
        let sampling = Sampling {
            stop: vec![case["end"].as_u64().unwrap() as u32],
            ..Sampling::default()
        };
        let got = generate_all(&model, &Prompts::Tokens(rows), 12, &sampling, |_, _| {}).unwrap();
        let alone: Vec<_> = case["alone"].as_array().unwrap().iter().map(list).collect();
        assert_eq!(got, alone);
    }
}

/// Every key that transformers has is one that is known here, and docs/generation.md says what is
/// made of it; what is refused is tried in `unknown_habits_are_refused_by_name`.
#[test]
fn every_key_is_known_and_told() {
    let docs = fixtures().join("../../docs/generation.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    let known: BTreeMap<_, _> = keys().collect();
    for (key, usual) in read(&fixtures().join("habits/keys.json"))
        .as_object()
        .unwrap()
    {
        assert!(known.contains_key(key.as_str()), "{key}");
        // Its default is nothing to refuse.
        habits("hf/gpt2", json!({}), json!({key: usual})).unwrap();
    }
    for (key, meaning) in known {
        let said = match meaning {
            Meaning::Read => "| read",
            Meaning::Refused => "| refused",
            Meaning::Idle => "| change nothing",
        };
        let name = format!("`{key}`");
        let mut lines = docs.lines().filter(|line| line.contains(&name));
        assert!(lines.any(|line| line.contains(said)), "{key}");
    }
}
