//! Every head of every family as an ONNX file: the tiny model of each family and task, with
//! fresh weights. Against transformers' own outputs see the reference set in `tests/`.
#![allow(clippy::unwrap_used)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use fluxo_compare::runner::{Runner, backend::Burn};
use fluxo_compare::{ExportOptions, OnnxModelFiles, compare, export, inputs::samples, open};
use fluxo_models::catalog::FAMILIES;
use fluxo_models::{Model, NewModelOptions, OutputOptions, Task};

#[test]
fn every_head_of_every_family_exports() {
    let heads: Vec<(&str, Task)> = FAMILIES
        .iter()
        .flat_map(|family| family.tasks().map(|task| (family.name, task)))
        .collect();
    assert!(heads.len() > 2 * FAMILIES.len());
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, |n| n.get()) {
            scope.spawn(|| {
                while let Some(&(family, task)) = heads.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(reason) = exports(family, task) {
                        let reason = format!("{family} for {task}: {reason}");
                        wrong.lock().unwrap().push(reason);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn exports(family: &str, task: Task) -> Result<(), String> {
    let device = fluxo_backends::device("flex").unwrap();
    let settings = NewModelOptions {
        task: Some(task),
        ..NewModelOptions::default()
    };
    let model = Model::new(family, &settings, 5, &device).map_err(|e| e.to_string())?;
    let dir = tempfile::tempdir().unwrap();
    let exported = export(&model, dir.path(), &ExportOptions::default());
    let exported = exported.map_err(|e| e.to_string())?;
    let report = exported.verification.unwrap();
    let ran = ["flex", "tract", "rten"].map(String::from);
    if !ran.iter().all(|name| report.runners.contains(name)) || !report.skipped.is_empty() {
        return Err(report.to_string());
    }
    let found = open::runtimes();
    if !found.iter().any(|r| r.name == "ort" && r.usable) {
        return Ok(()); // the reference set says that it is missing
    }
    let flex = Burn::new("flex", &model, "flex", OutputOptions::default());
    let graph = OnnxModelFiles::in_folder(dir.path()).unwrap();
    let ort = graph.load("ort", "ort").map_err(|e| e.to_string())?;
    let mut runners: [Box<dyn Runner>; 2] = [Box::new(flex.unwrap()), ort];
    let inputs = samples::inputs(model.config(), 2, 7);
    let report = compare(&mut runners, &inputs, None).map_err(|e| e.to_string())?;
    if report.agrees() {
        Ok(())
    } else {
        Err(report.to_string())
    }
}
