//! How `fluxo generate` writes: flags into keys of `generation_config.json`, and what to say of
//! limits and draws.

use anyhow::{Result, ensure};
use fluxo_models::generate::{Habits, Limit, Sampling};
use serde_json::{Map, Value, json};

use crate::args;

/// How many tokens are written where neither the checkpoint nor a flag says it.
pub const USUAL: usize = 64;

/// The keys that the flags set, instead of the checkpoint's.
pub fn asked(args: &args::Habits) -> Result<Map<String, Value>> {
    let mut asked = Map::new();
    let counts = [
        ("max_new_tokens", args.max_new_tokens),
        ("max_length", args.max_length),
        ("min_new_tokens", args.min_new_tokens),
        ("min_length", args.min_length),
        ("no_repeat_ngram_size", args.no_repeat_ngram_size),
        ("num_beams", args.beams),
        ("num_return_sequences", args.num_return_sequences),
        ("top_k", args.top_k),
    ];
    for (key, value) in counts {
        asked.extend(value.map(|value| (key.to_string(), json!(value))));
    }
    let numbers = [
        ("temperature", args.temperature),
        ("top_p", args.top_p),
        ("min_p", args.min_p),
        ("typical_p", args.typical_p),
        ("repetition_penalty", args.repetition_penalty),
        ("length_penalty", args.length_penalty),
    ];
    for (key, value) in numbers {
        if let Some(value) = value {
            let flag = key.replace('_', "-");
            ensure!(value.is_finite(), "--{flag} {value} is no number");
            asked.insert(key.to_string(), json!(value));
        }
    }
    if let Some(when) = &args.early_stopping {
        asked.insert("early_stopping".into(), value(when));
    }
    if let Some(tokens) = &args.suppress_tokens {
        asked.insert("suppress_tokens".into(), json!(tokens.0));
    }
    if !args.stop.is_empty() {
        asked.insert("stop_strings".into(), json!(args.stop));
    }
    // Who names how to draw wants draws, and who names beams wants none.
    let cut = args.top_k.is_some()
        || args.top_p.is_some()
        || args.min_p.is_some()
        || args.typical_p.is_some();
    let draws = match args.temperature {
        Some(temperature) => Some(temperature != 0.0),
        None if cut || args.sample => Some(true),
        None if args.greedy || args.beams.is_some_and(|beams| beams > 1) => Some(false),
        None => None,
    };
    if let Some(draws) = draws {
        asked.insert("do_sample".into(), json!(draws));
        if draws {
            asked.entry("num_beams").or_insert(json!(1));
        }
    }
    for (key, text) in &args.set {
        asked.insert(key.clone(), value(text));
    }
    Ok(asked)
}

/// JSON, or else a string.
fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}

/// What to say of the draws that the checkpoint asks for.
pub fn drawing(sampling: &Sampling) -> String {
    let mut cuts = vec![format!("temperature {}", sampling.temperature)];
    cuts.extend(sampling.top_k.map(|k| format!("top-k {k}")));
    let parts = [
        ("top-p", sampling.top_p),
        ("min-p", sampling.min_p),
        ("typical-p", sampling.typical_p),
        ("top-h", sampling.top_h),
        ("epsilon cut-off", sampling.epsilon_cutoff),
        ("eta cut-off", sampling.eta_cutoff),
    ];
    cuts.extend(
        parts
            .iter()
            .filter_map(|(name, p)| Some(format!("{name} {}", (*p)?))),
    );
    format!(
        "the checkpoint asks for draws ({}), here from seed {}; --greedy takes the likeliest",
        cuts.join(", "),
        sampling.seed
    )
}

/// Why a text ended, as `finish_reason` says it.
pub fn finish_reason(sampling: &Sampling, ids: &[u32], text: Option<&str>) -> &'static str {
    let ended = ids.last().is_some_and(|last| sampling.stop.contains(last));
    let stopped = text.is_some_and(|text| {
        let mut strings = sampling.stop_strings.iter();
        strings.any(|string| text.contains(string.as_str()))
    });
    if ended || stopped { "stop" } else { "length" }
}

/// What to say of a text that ended after `written` tokens for a limit that nobody asked for.
pub fn stopped(habits: &Habits, written: usize) -> Option<String> {
    let why = match habits.limit_of(written) {
        Limit::Asked => return None,
        Limit::Checkpoint(key) => {
            format!("the checkpoint's {key}; --max-new-tokens N sets another")
        }
        Limit::Default => {
            "the default, since neither the checkpoint nor --max-new-tokens says it".into()
        }
        Limit::Positions => "the model has no more positions".into(),
    };
    Some(format!(
        "stopped after {written} tokens, before the text's end: {why}"
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn with(change: &dyn Fn(&mut args::Habits)) -> Value {
        let mut args = args::Habits::default();
        change(&mut args);
        Value::Object(asked(&args).unwrap())
    }

    #[test]
    fn flags_become_keys() {
        assert_eq!(with(&|_| {}), json!({}));
        let cut = with(&|args| args.top_k = Some(5));
        assert_eq!(cut, json!({"top_k": 5, "do_sample": true, "num_beams": 1}));
        let greedy = with(&|args| args.temperature = Some(0.0));
        assert_eq!(greedy, json!({"temperature": 0.0, "do_sample": false}));
        let beams = with(&|args| args.beams = Some(4));
        assert_eq!(beams, json!({"num_beams": 4, "do_sample": false}));
        let set = with(&|args| {
            args.max_new_tokens = Some(3);
            args.set = vec![
                ("max_new_tokens".into(), "null".into()),
                ("language".into(), "german".into()),
                ("eos_token_id".into(), "[1, 2]".into()),
            ];
        });
        let wanted = json!({"max_new_tokens": null, "language": "german", "eos_token_id": [1, 2]});
        assert_eq!(set, wanted);
        let args = args::Habits {
            top_p: Some(f64::NAN),
            ..args::Habits::default()
        };
        let said = asked(&args).unwrap_err().to_string();
        assert!(said.contains("--top-p NaN"), "{said}");
    }

    #[test]
    fn a_text_ends_by_its_end_or_its_length() {
        let sampling = Sampling {
            stop: vec![2],
            stop_strings: vec!["END".into()],
            ..Sampling::default()
        };
        assert_eq!(finish_reason(&sampling, &[5, 2], None), "stop");
        assert_eq!(finish_reason(&sampling, &[2, 5], Some("EN")), "length");
        assert_eq!(finish_reason(&sampling, &[2, 5], Some("the END.")), "stop");
        assert_eq!(finish_reason(&sampling, &[], None), "length");
    }
}
