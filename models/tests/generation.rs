//! Generation against transformers' own (tests/fixtures/make_generations.py): batches of unequal
//! prompts, penalties, beams and a checkpoint's rules; and that a batch, the cache and its room
//! change nothing.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use burn::tensor::TensorData;
use fluxo_models::generate::{
    GENERATION_CONFIG, Prompts, Sampling, Start, TokenConstraints, generate_all,
};
use fluxo_models::{Error, Model, NewModelOptions, Preset, Task, tensors};
use serde_json::Value;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures")
}

fn load(checkpoint: &str) -> Model {
    let device = fluxo_backends::device("flex").unwrap();
    Model::load(&fixtures().join(checkpoint), None, &device)
        .unwrap()
        .0
}

fn list(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap()
}

fn sound(checkpoint: &str) -> TensorData {
    let path = fixtures().join(checkpoint).join("reference.safetensors");
    tensors::read(&path).unwrap()["in.input_features"].clone()
}

/// Every case of `generate/{name}.json`, with the cache and without.
fn agrees(name: &str) {
    let path = fixtures().join(format!("generate/{name}.json"));
    let golden: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let checkpoint = golden["checkpoint"].as_str().unwrap();
    let model = load(checkpoint);
    let folder = tempfile::tempdir().unwrap();
    if golden["generation_config"].is_object() {
        let path = folder.path().join(GENERATION_CONFIG);
        std::fs::write(path, golden["generation_config"].to_string()).unwrap();
    }
    let of_checkpoint = Sampling::of_checkpoint(folder.path(), &model).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    assert!(cases.len() >= 3);
    for case in cases {
        let settings = &case["settings"];
        let number = |key: &str| settings[key].as_f64().unwrap_or(1.0);
        let prompts = match case["prompts"].as_array() {
            Some(prompts) => Prompts::Tokens(prompts.iter().map(list).collect()),
            None => Prompts::Sound(sound(checkpoint)),
        };
        for cache in [true, false] {
            let sampling = Sampling {
                repetition_penalty: number("repetition_penalty"),
                beams: number("beams") as usize,
                length_penalty: number("length_penalty"),
                stop: list(&settings["stop"]),
                cache,
                ..of_checkpoint.clone()
            };
            let limit = number("max_new_tokens") as usize;
            let mut streamed = vec![Vec::new(); prompts.count()];
            let note = |row: usize, token| streamed[row].push(token);
            let got = generate_all(&model, &prompts, limit, &sampling, note).unwrap();
            let wanted: Vec<_> = case["texts"].as_array().unwrap().iter().map(list).collect();
            assert_eq!(got, wanted, "{name}, cache: {cache}, {settings}");
            assert_eq!(streamed, wanted, "{name}");
        }
    }
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
    gpt2_writes_as_in_transformers: "gpt2",
    llama_writes_as_in_transformers: "llama",
    mistral_writes_as_in_transformers: "mistral",
    bloom_writes_as_in_transformers: "bloom",
    gemma2_writes_as_in_transformers: "gemma2",
    t5_writes_as_in_transformers: "t5",
    bart_writes_as_in_transformers: "bart",
    marian_writes_as_in_transformers: "marian",
    bart_follows_its_rules: "bart-rules",
    whisper_writes_as_in_transformers: "whisper",
    whisper_hears_the_language: "whisper-rules",
    whisper_is_told_the_language: "whisper-language",
}

/// Prompts of these lengths, out of the first 50 tokens.
fn prompts(lengths: &[usize]) -> Vec<Vec<u32>> {
    let token = |row: usize, at: usize| ((row * 31 + at * 17 + at * at * 5) % 45 + 5) as u32;
    let prompt = |(row, &length): (usize, &usize)| (0..length).map(|at| token(row, at)).collect();
    lengths.iter().enumerate().map(prompt).collect()
}

fn write(model: &Model, prompts: &[Vec<u32>], limit: usize, sampling: &Sampling) -> Vec<Vec<u32>> {
    let prompts = Prompts::Tokens(prompts.to_vec());
    generate_all(model, &prompts, limit, sampling, |_, _| {}).unwrap()
}

#[test]
fn a_batch_changes_no_row() {
    let prompts = prompts(&[2, 11, 7, 1]);
    for name in ["gpt2", "llama", "mistral", "bloom", "gemma3", "t5", "bart"] {
        let model = load(&format!("hf/{name}"));
        // Some rows end before others, and leave the batch.
        let stop = write(&model, &prompts[..1], 5, &Sampling::default())[0][4..].to_vec();
        for beams in [1, 3] {
            let sampling = Sampling {
                beams,
                stop: stop.clone(),
                ..Sampling::default()
            };
            let together = write(&model, &prompts, 20, &sampling);
            for (prompt, text) in prompts.iter().zip(&together) {
                let alone = write(&model, std::slice::from_ref(prompt), 20, &sampling);
                assert_eq!(alone, std::slice::from_ref(text), "{name}, {beams} beams");
            }
        }
    }
}

/// Over 64 tokens, so that the cache grows twice, and again where rows are of unequal length.
#[test]
fn room_and_padding_agree() {
    for family in ["llama", "gpt2", "bloom", "t5"] {
        let settings = NewModelOptions {
            task: (family == "t5").then_some(Task::Text2TextGeneration),
            preset: Preset::Tiny,
            ..NewModelOptions::default()
        };
        let device = fluxo_backends::device("flex").unwrap();
        let model = Model::new(family, &settings, 3, &device).unwrap();
        let prompts = prompts(&[3, 40]);
        let limit = 150.min(model.config().max_positions() - 40);
        for beams in [1, 2] {
            let with = |cache| Sampling {
                beams,
                cache,
                repetition_penalty: 1.1,
                ..Sampling::default()
            };
            let cached = write(&model, &prompts, limit, &with(true));
            assert_eq!(cached[0].len(), limit);
            let other = write(&model, &prompts, limit, &with(false));
            assert_eq!(cached, other, "{family}");
        }
    }
}

/// Rows whose rotary positions scale with their lengths, some longer than the original
/// sequences from the start, some crossing over on the way.
#[test]
fn a_batch_changes_no_row_where_positions_scale() {
    let prompts = prompts(&[2, 11, 7, 5]);
    for name in ["llama-dynamic", "phi3-longrope-long", "phi3-longrope"] {
        let model = load(&format!("hf/{name}"));
        let limit = 24.min(model.config().max_positions() - 11);
        for cache in [true, false] {
            let sampling = Sampling {
                cache,
                ..Sampling::default()
            };
            let together = write(&model, &prompts, limit, &sampling);
            for (prompt, text) in prompts.iter().zip(&together) {
                let alone = write(&model, std::slice::from_ref(prompt), limit, &sampling);
                assert_eq!(alone, std::slice::from_ref(text), "{name}, cache: {cache}");
            }
        }
    }
}

/// The short factors up to 8 positions, the long ones from there.
#[test]
fn crossing_to_long_positions_starts_over() {
    let model = load("hf/phi3-longrope-long");
    let prompts = prompts(&[5]);
    let with = |cache| Sampling {
        cache,
        ..Sampling::default()
    };
    let cached = write(&model, &prompts, 12, &with(true));
    assert_eq!(cached, write(&model, &prompts, 12, &with(false)));
}

#[test]
fn draws_follow_their_seed_and_differ_by_row() {
    let model = load("hf/llama");
    let prompts = vec![vec![5, 6, 7]; 3];
    let with = |seed| Sampling {
        temperature: 1.5,
        seed,
        ..Sampling::default()
    };
    let texts = write(&model, &prompts, 12, &with(1));
    assert_eq!(texts, write(&model, &prompts, 12, &with(1)));
    assert_ne!(texts, write(&model, &prompts, 12, &with(2)));
    assert_ne!(texts[0], texts[1]);
    let alone = write(&model, &prompts[..1], 12, &with(1));
    assert_eq!(alone[0], texts[0]);
}

#[test]
fn half_precision_writes_too() {
    let device = fluxo_backends::device("flex").unwrap();
    let folder = fixtures().join("hf/llama");
    let dtype = burn::tensor::DType::F16;
    let (model, _) = Model::load_as(&folder, None, &device, dtype).unwrap();
    for beams in [1, 2] {
        let sampling = Sampling {
            beams,
            ..Sampling::default()
        };
        let texts = write(&model, &prompts(&[3, 5]), 4, &sampling);
        assert!(texts.iter().all(|text| text.len() == 4));
    }
}

fn refusal(model: &Model, prompts: &Prompts, limit: usize, sampling: &Sampling) -> String {
    let error = generate_all(model, prompts, limit, sampling, |_, _| {}).unwrap_err();
    assert!(matches!(error, Error::Input(_)), "{error}");
    error.to_string()
}

#[test]
fn what_cannot_be_is_refused_before_it_runs() {
    let gpt2 = load("hf/gpt2");
    let plain = Sampling::default();
    let says = |prompts: Vec<Vec<u32>>, limit: usize, needle: &str| {
        let said = refusal(&gpt2, &Prompts::Tokens(prompts), limit, &plain);
        assert!(said.contains(needle), "{said}");
    };
    says(vec![vec![1], vec![]], 4, "the prompt is empty");
    says(
        vec![vec![1, 99]],
        4,
        "token 99 is not in the vocabulary of 99",
    );
    says(vec![vec![1]], 65, "64 positions");
    says(vec![vec![1]], usize::MAX, "64 positions");
    says(vec![vec![1; 65]], 0, "64 positions");
    says(vec![vec![1]; 5000], 1, "4096 rows");
    assert!(write(&gpt2, &[], 4, &plain).is_empty());
    assert_eq!(write(&gpt2, &[vec![1]], 64, &plain)[0].len(), 64);

    let one = Prompts::Tokens(vec![vec![1]]);
    let refuses = |sampling: Sampling, needle: &str| {
        let said = refusal(&gpt2, &one, 4, &sampling);
        assert!(said.contains(needle), "{said}");
    };
    let with = |change: &dyn Fn(&mut Sampling)| {
        let mut sampling = Sampling::default();
        change(&mut sampling);
        sampling
    };
    refuses(with(&|s| s.temperature = f64::NAN), "temperature");
    refuses(with(&|s| s.temperature = -1.0), "temperature");
    refuses(with(&|s| s.top_k = Some(0)), "top-k");
    refuses(with(&|s| s.top_p = Some(0.0)), "top-p");
    refuses(with(&|s| s.min_p = Some(1.1)), "min-p");
    refuses(with(&|s| s.repetition_penalty = 0.0), "repetition penalty");
    refuses(
        with(&|s| s.length_penalty = f64::INFINITY),
        "length penalty",
    );
    refuses(with(&|s| s.beams = 0), "beams");
    refuses(with(&|s| s.beams = usize::MAX), "beams");
    let drawn_beams = with(&|s| {
        s.beams = 2;
        s.temperature = 1.0;
    });
    refuses(drawn_beams, "draw nothing");
    refuses(
        with(&|s| s.constraints.never = (0..99).collect()),
        "no token is left",
    );
    let both = with(&|s| {
        s.beams = 2;
        s.constraints.never = (0..99).collect();
    });
    refuses(both, "no token is left");
    refuses(with(&|s| s.constraints.last = vec![99]), "vocabulary");

    let features = Prompts::Sound(sound("hf/whisper"));
    assert!(refusal(&gpt2, &features, 4, &plain).contains("reads no sound"));
    let whisper = load("hf/whisper");
    assert!(refusal(&whisper, &one, 4, &plain).contains("reads sound"));
    assert!(refusal(&whisper, &features, 65, &plain).contains("64 positions"));
    let short = Prompts::Sound(TensorData::new(vec![0f32; 16], [1, 16, 1]));
    assert!(refusal(&whisper, &short, 4, &plain).contains("[batch, 16, 40]"));
    let choice = Sampling {
        constraints: TokenConstraints {
            start: vec![Start::LikeliestOf(vec![1])],
            ..TokenConstraints::default()
        },
        ..Sampling::default()
    };
    assert!(refusal(&whisper, &features, 4, &choice).contains("before there is anything"));
    let bart = load("hf/bart");
    let long = Prompts::Tokens(vec![vec![5; 65]]);
    assert!(refusal(&bart, &long, 4, &plain).contains("encoder's 64 positions"));
    let bert = load("hf/bert");
    assert!(refusal(&bert, &one, 4, &plain).contains("generates no text"));
}

#[test]
fn scores_that_are_no_numbers_are_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let folder = fixtures().join("hf/llama");
    let config = "config.json";
    std::fs::copy(folder.join(config), dir.path().join(config)).unwrap();
    let mut weights = tensors::read(&folder.join("model.safetensors")).unwrap();
    weights.insert(
        "model.norm.weight".into(),
        TensorData::new(vec![f32::NAN; 32], [32]),
    );
    tensors::write(&dir.path().join("model.safetensors"), &weights).unwrap();
    let device = fluxo_backends::device("flex").unwrap();
    let Ok((model, _)) = Model::load(dir.path(), None, &device) else {
        return; // refused even earlier
    };
    let one = Prompts::Tokens(vec![vec![1]]);
    let said = refusal(&model, &one, 4, &Sampling::default());
    assert!(said.contains("not numbers"), "{said}");
}

#[test]
fn rules_are_read_from_the_checkpoint() {
    let read = |checkpoint: &str, text: Option<&str>| {
        let dir = tempfile::tempdir().unwrap();
        if let Some(text) = text {
            std::fs::write(dir.path().join(GENERATION_CONFIG), text).unwrap();
        }
        Sampling::of_checkpoint(dir.path(), &load(checkpoint)).map_err(|e| e.to_string())
    };
    // Without the file, config.json's.
    let plain = read("hf/llama", None).unwrap();
    assert_eq!((plain.stop, plain.temperature), (vec![2], 0.0));
    let marian = read("hf/marian", None).unwrap();
    assert_eq!(marian.stop, [0]);
    assert_eq!(marian.constraints.start, [Start::Token(98)]);
    // With it, its own and nothing else.
    let text = r#"{"eos_token_id": [7, 8], "temperature": 0.6, "top_p": 0.9, "do_sample": true,
                   "suppress_tokens": [-1, 3], "bad_words_ids": [[7], [4, 5]]}"#;
    let own = read("hf/llama", Some(text)).unwrap();
    assert_eq!(own.stop, [7, 8]);
    assert_eq!((own.temperature, own.top_p, own.beams), (0.6, Some(0.9), 1));
    let beams = read("hf/llama", Some(r#"{"temperature": 0.6, "num_beams": 4}"#)).unwrap();
    assert_eq!((beams.temperature, beams.beams), (0.0, 4));
    assert!(beams.stop.is_empty());
    assert_eq!(own.constraints.never, [3]);
    assert_eq!(own.constraints.bad_words, [[4, 5]]);
    let english = read(
        "hf/whisper",
        Some(r#"{"forced_decoder_ids": [[1, 9]], "no_timestamps_token_id": 9}"#),
    );
    let tokens = |numbers: &[u32]| {
        numbers
            .iter()
            .copied()
            .map(Start::Token)
            .collect::<Vec<_>>()
    };
    assert_eq!(english.unwrap().constraints.start, tokens(&[3, 9]));
    for (text, needle) in [
        ("{", "generation_config.json"),
        (
            r#"{"eos_token_id": "end"}"#,
            "`eos_token_id` must hold token numbers",
        ),
        (r#"{"eos_token_id": 1.5}"#, "`eos_token_id`"),
        (r#"{"bad_words_ids": 3}"#, "`bad_words_ids`"),
        (
            r#"{"forced_decoder_ids": [[2, 9]]}"#,
            "`forced_decoder_ids`",
        ),
        (r#"{"language": "german"}"#, "`lang_to_id`"),
    ] {
        let said = read("hf/whisper", Some(text)).unwrap_err();
        assert!(said.contains(needle), "{said}");
    }
}
