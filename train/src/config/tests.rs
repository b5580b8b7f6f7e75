//! Configurations are read, set, refused and written.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use super::TrainConfig;
use crate::error::Error;

fn config() -> TrainConfig {
    TrainConfig::new("gpt2", vec!["a.txt".into()], Path::new("out"))
}

#[test]
fn a_file_and_new_agree_on_the_defaults() {
    let file: TrainConfig =
        toml::from_str("family = 'gpt2'\ndata = ['a.txt']\nout = 'out'").unwrap();
    assert_eq!(file, config());
}

#[test]
fn keys_are_set_from_text() {
    let mut c = config();
    c.set("learning_rate", "3e-4").unwrap();
    c.set("steps", "7").unwrap();
    c.set("clip", "2").unwrap();
    c.set("betas", "0.8,0.9").unwrap();
    c.set("data", "b.txt, c").unwrap();
    c.set("out", "123").unwrap();
    c.set("model.n_layer", "3").unwrap();
    c.set("model.activation_function", "gelu").unwrap();
    assert_eq!((c.learning_rate, c.steps, c.clip), (3e-4, 7, 2.0));
    assert_eq!(c.betas, [0.8, 0.9]);
    assert_eq!(c.data, [PathBuf::from("b.txt"), "c".into()]);
    assert_eq!(c.out, PathBuf::from("123"));
    assert_eq!(c.model["n_layer"], toml::Value::from(3));
    assert_eq!(c.model["activation_function"], toml::Value::from("gelu"));
}

#[test]
fn wrong_keys_and_values_are_named() {
    let mut c = config();
    let error = c.set("lr", "1").unwrap_err().to_string();
    assert!(error.starts_with("--set lr: unknown field `lr`, expected one of `family`"));
    assert!(
        error.contains("`learning_rate`") && !error.contains('\n'),
        "{error}"
    );
    let error = c.set("steps", "many").unwrap_err().to_string();
    assert!(
        error.starts_with("--set steps: invalid type: string \"many\""),
        "{error}"
    );
    assert_eq!(c, config());
}

#[test]
fn a_bad_file_is_told_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.toml");
    std::fs::write(&path, "family = 'gpt2'\nout = 'o'\nstep = 3\n").unwrap();
    let error = TrainConfig::load(&path).unwrap_err().to_string();
    assert!(error.contains("line 3: unknown field `step`"), "{error}");
    assert!(!error.contains('\n'));
    let error = TrainConfig::of_run(dir.path()).unwrap_err().to_string();
    assert!(error.contains("no run to resume"), "{error}");
}

#[test]
fn what_is_written_is_resolved_and_read_back() {
    let mut c = config();
    c.set("model.n_layer", "3").unwrap();
    let resolved = c.resolved().unwrap();
    assert_eq!(resolved.warmup_steps, Some(100));
    assert_eq!(
        (resolved.eval_every, resolved.checkpoint_every),
        (Some(250), Some(250))
    );
    assert!(resolved.out.is_absolute() && resolved.data[0].is_absolute());
    let text = toml::to_string(&resolved).unwrap();
    assert_eq!(toml::from_str::<TrainConfig>(&text).unwrap(), resolved);
}

#[test]
fn values_out_of_range_are_refused() {
    for (key, value) in [
        ("steps", "0"),
        ("learning_rate", "-1.0"),
        ("learning_rate", "nan"),
        ("min_learning_rate", "1.0"),
        ("betas", "0.9,1.0"),
        ("epsilon", "0.0"),
        ("clip", "inf"),
        ("validation_fraction", "1.0"),
        ("eval_every", "0"),
        ("data", "[]"),
    ] {
        let mut c = config();
        c.set(key, value).unwrap();
        assert!(
            matches!(c.resolved(), Err(Error::Config(_))),
            "{key} = {value}"
        );
    }
}
