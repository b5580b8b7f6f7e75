//! Scratch.
#![allow(clippy::unwrap_used, missing_docs)]
use fluxo_models::{Model, Request, tensors};
#[test]
fn zoo() {
    let device = fluxo_backends::device(&std::env::var("ON").unwrap_or("flex".into())).unwrap();
    let root = std::env::var("ZOO").unwrap();
    let only = std::env::var("ONLY").unwrap_or_default();
    let mut dirs: Vec<_> = std::fs::read_dir(&root)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    dirs.sort();
    for dir in dirs {
        let name = dir.file_name().unwrap().to_string_lossy().into_owned();
        if !only.is_empty() && !only.split(',').any(|o| o == name) {
            continue;
        }
        if !dir.join("reference.safetensors").exists() {
            continue;
        }
        let (model, report) = match Model::load(&dir, None, &device) {
            Ok(found) => found,
            Err(e) => {
                println!("{name:18} LOAD {e}");
                continue;
            }
        };
        let reference = tensors::read(&dir.join("reference.safetensors")).unwrap();
        let inputs: fluxo_models::Tensors = reference
            .iter()
            .filter(|(n, _)| n.starts_with("in."))
            .map(|(n, d)| (n.clone(), d.clone()))
            .collect();
        let request = Request {
            hidden_states: true,
            taps: false,
        };
        let outputs = match model.run(&inputs, &request) {
            Ok(found) => found,
            Err(e) => {
                println!("{name:18} RUN {e}");
                continue;
            }
        };
        let mask = reference.get("in.attention_mask");
        let mut worst = (0.0f64, String::new());
        let mut missing = vec![];
        for (key, wanted) in reference.iter() {
            let Some(key) = key.strip_prefix("out.") else {
                continue;
            };
            if key == "greedy" {
                continue;
            }
            let Some(got) = outputs.get(key) else {
                missing.push(key);
                continue;
            };
            if got.shape() != wanted.shape() {
                missing.push(key);
                println!("{name} {key} {:?} {:?}", got.shape(), wanted.shape());
                continue;
            }
            let shape = wanted.shape().to_vec();
            let wanted = wanted.as_slice::<f32>().unwrap();
            let got = got.as_slice::<f32>().unwrap();
            let largest = wanted.iter().fold(1.0f64, |m, v| m.max(f64::from(v.abs())));
            let kept: Vec<bool> = match mask {
                _ if mask.is_some()
                    && (!key.starts_with("decoder") && key != "logits"
                        || (key == "logits"
                            && mask.is_some()
                            && !outputs.contains_key("encoder_last_hidden_state"))) =>
                {
                    let mask = mask.unwrap();
                    let rows = mask.shape().to_vec();
                    if shape.len() >= 2 && shape[..2] == rows[..] {
                        let m = mask.as_slice::<i64>().unwrap();
                        let inner: usize = shape[2..].iter().product();
                        m.iter()
                            .flat_map(|k| std::iter::repeat_n(*k != 0, inner))
                            .collect()
                    } else {
                        vec![true; wanted.len()]
                    }
                }
                _ => vec![true; wanted.len()],
            };
            let d = wanted
                .iter()
                .zip(got)
                .zip(&kept)
                .filter(|(_, k)| **k)
                .map(|((a, b), _)| {
                    if b.is_nan() {
                        f64::INFINITY
                    } else {
                        f64::from((a - b).abs())
                    }
                })
                .fold(0.0, f64::max)
                / largest;
            if std::env::var("V").is_ok() {
                println!("    {key} {d:.1e}");
            }
            if d > worst.0 {
                worst = (d, key.to_string());
            }
        }
        println!(
            "{name:18} {:.1e} {} {}{}{}",
            worst.0,
            worst.1,
            if worst.0 > 2e-5 { "BAD" } else { "" },
            if missing.is_empty() {
                String::new()
            } else {
                format!(" missing {missing:?}")
            },
            if report.unused.is_empty() {
                String::new()
            } else {
                format!(" unused {:?}", report.unused)
            }
        );
    }
}
