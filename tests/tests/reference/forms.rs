//! Every folder in other operator sets, for other targets, in other types and with its weights in a
//! file beside, in the runtimes that these are for.

use burn::tensor::DType;
use fluxo_compare::diff::tolerance::HALF;
use fluxo_compare::runner::{Runner, backend::Burn};
use fluxo_compare::{ExportOptions, OnnxModelFiles, Target, compare, inputs::samples};
use fluxo_models::{Model, OutputOptions};

use crate::cases::Case;
use crate::{Outcome, RUNTIMES, bound, here, zoo};

/// A form of the file.
pub struct Form {
    /// What it is called in the trial's name.
    pub name: String,
    options: ExportOptions,
    dtype: DType,
    runtimes: Vec<&'static str>,
}

/// Every operator set, target and type, and weights in a file beside.
pub fn all() -> Vec<Form> {
    let plain = |name: String, runtimes: &[&'static str]| Form {
        name,
        options: ExportOptions {
            verify: false,
            ..ExportOptions::default()
        },
        dtype: DType::F32,
        runtimes: runtimes.to_vec(),
    };
    let mut forms = Vec::new();
    for opset in 17..=24 {
        let mut form = plain(format!("opset {opset}"), &RUNTIMES);
        form.options.opset = opset;
        forms.push(form);
    }
    let targets = [
        (Target::Ort, vec!["ort"]),
        (Target::Tract, vec!["tract"]),
        (Target::Rten, vec!["rten"]),
    ];
    for (target, runtimes) in targets {
        let mut form = plain(format!("for {target}"), &runtimes);
        form.options.opset = target.opset();
        form.options.target = target;
        forms.push(form);
    }
    let mut half = plain("float16".into(), &RUNTIMES);
    half.dtype = DType::F16;
    let mut brain = plain("bfloat16".into(), &["ort"]);
    brain.dtype = DType::BF16;
    let mut beside = plain("weights beside".into(), &RUNTIMES);
    beside.options.external_over = 0;
    forms.extend([half, brain, beside]);
    forms
}

/// The form's file in its runtimes against Burn on flex, at sizes that no trace had.
pub fn agrees(case: &'static Case, form: &Form) -> Outcome {
    let say = |e: fluxo_compare::Error| e.to_string();
    let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
    let model = case.model_as(form.dtype);
    let options = case.options(form.options.clone());
    fluxo_compare::export(&model, dir.path(), &options).map_err(|e| e.to_string())?;
    let graph = OnnxModelFiles::in_folder(dir.path()).ok_or("nothing was exported")?;
    // Weights in bfloat16 are computed with in 32 bits.
    let (reference, tolerance): (Model, _) = match form.dtype {
        DType::F16 => (model, HALF),
        DType::BF16 => (model.in_precision(DType::F32), bound("ort")),
        _ => (model, bound("ort")),
    };
    let reference = Burn::new("flex", &reference, "flex", OutputOptions::default()).map_err(say)?;
    let mut runners: Vec<Box<dyn Runner>> = vec![Box::new(reference)];
    for name in form.runtimes.iter().filter(|name| here(name).is_ok()) {
        runners.push(graph.load(name, name).map_err(say)?);
    }
    let config = case.config();
    let longest = samples::longest(&config);
    for (batch, seq) in [(1, 1), (1, 17), (3, 2), (2, 9), (4, 3)] {
        let inputs = samples::inputs(&config, batch, seq.min(longest));
        let report = compare(&mut runners, &inputs, Some(tolerance)).map_err(say)?;
        if !report.agrees() || report.runners.len() != runners.len() {
            return Err(format!("batch {batch}, sequence {seq}:\n{report}"));
        }
        let own = report.pairs.iter().filter(|pair| pair.a == "flex");
        let worst = own.map(|pair| pair.scaled).fold(0.0, f64::max);
        zoo::note(case, &form.name, worst);
    }
    Ok(())
}

/// Whether some runtime of the form is here.
pub fn needs(form: &Form) -> Outcome {
    let mut missing = form.runtimes.iter().map(|name| here(name));
    let first = missing.next().unwrap_or(Ok(()));
    if missing.any(|other| other.is_ok()) {
        Ok(())
    } else {
        first
    }
}
