//! What becomes of a case: exported, checked, run in every runtime.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use burn::tensor::{Device, TensorData};
use fluxo_onnx::{
    Args, DataType, Error, OnnxModel, Options, Outputs, Target, evaluate, export, operations,
};

use super::TOLERANCE;
use super::common::Runtime;
use super::inputs::{A, Nothing, sets, spec};
use super::judge::{Judge, Tensors};

/// What the runtimes are called, in the order of the table.
pub const RUNTIMES: [&str; 3] = ["ort", "tract", "rten"];

/// What is known of an operation.
#[derive(Default)]
pub struct Row {
    /// Operators in order of first use, by target and opset.
    pub forms: BTreeMap<(&'static str, i64), Vec<&'static str>>,
    /// Whether the forms are those of cases that record nothing else.
    pub alone: bool,
    /// Why it is refused.
    pub reason: Option<String>,
    /// The largest difference in each runtime, and what a runtime said that could not run a case.
    pub runs: BTreeMap<&'static str, (Option<f64>, Option<String>)>,
    /// How many cases there were.
    pub cases: usize,
}

impl Row {
    /// Takes in a difference or a message; the latter is no mistake of the file.
    fn note(&mut self, runtime: &'static str, run: Result<f64, String>) -> Result<(), String> {
        let (worst, message) = self.runs.entry(runtime).or_default();
        match run {
            Ok(gap) if gap <= TOLERANCE => *worst = Some(worst.unwrap_or(0.0).max(gap)),
            Ok(gap) => return Err(format!("{runtime} differs by {gap:e}")),
            Err(text) if runtime == "ort" => return Err(format!("{runtime}: {text}")),
            Err(text) => {
                eprintln!("{runtime}: {text}");
                *message = Some(text);
            }
        }
        Ok(())
    }
}

/// The opsets whose forms are written down.
pub const OPSETS: std::ops::RangeInclusive<i64> = 17..=24;
/// The opset that every runtime runs.
pub const RUN: i64 = 18;
/// What ONNX Runtime runs beside.
const ENDS: [(i64, Target); 3] = [(17, Target::Any), (24, Target::Any), (24, Target::Ort)];

/// Runs a case. The error says which runtime differs.
pub fn measure(
    name: &str,
    run: fn(A) -> Outputs,
    row: &mut Row,
    judge: Option<&mut Judge>,
) -> Result<(), String> {
    row.cases += 1;
    let module = Nothing::new();
    let used = RefCell::new(BTreeSet::new());
    let forward = |_: &Nothing, args: &mut Args| run(A { args, used: &used });
    let say = |error: Error| error.to_string();
    // With data first: that tells the inputs.
    let all = sets();
    let burn = |inputs: &Tensors| evaluate(&module, &Device::flex(), inputs, forward).map_err(say);
    let expected: Vec<_> = all.iter().map(burn).collect::<Result<_, _>>()?;
    let spec = spec(&used.borrow());
    let recorded = operations(&module, &spec, forward).map_err(say)?;
    if !recorded.iter().any(|one| family(one) == name) {
        return Err(format!("it records {recorded:?}"));
    }
    let at = |opset, target| {
        let options = Options {
            opset,
            target,
            ..Options::default()
        };
        export(&module, &spec, &options, forward)
    };
    let model = match at(RUN, Target::Any) {
        Ok(model) => model,
        Err(Error::Unsupported(list)) if list.iter().all(|one| family(&one.operation) == name) => {
            row.reason = list[0].reason.clone();
            return row.reason.is_some().then_some(()).ok_or("no reason".into());
        }
        Err(error) => return Err(say(error)),
    };
    let alone = recorded
        .iter()
        .all(|one| family(one) == name || ["Init", "Base(Empty)"].contains(&&*family(one)));
    if alone && !row.alone {
        row.forms.clear();
        row.alone = true;
    }
    if alone || !row.alone {
        for target in [Target::Any, Target::Ort] {
            for opset in OPSETS {
                let form = row.forms.entry((target.name(), opset)).or_default();
                let Ok(model) = at(opset, target) else {
                    continue;
                };
                for (_, operator) in model.nodes() {
                    if !form.contains(&operator) {
                        form.push(operator);
                    }
                }
            }
        }
    }
    let inputs = all.into_iter().map(|mut set| {
        set.retain(|name, _| used.borrow().contains(name));
        set
    });
    // Burn (flex) hands some booleans back as integers.
    let kinds: BTreeMap<_, _> = model
        .outputs()
        .into_iter()
        .map(|o| (o.name, o.dtype))
        .collect();
    let told = |(name, data): (String, TensorData)| match kinds[&name] {
        DataType::Bool => (name, data.convert::<bool>()),
        _ => (name, data),
    };
    let outputs = expected
        .into_iter()
        .map(|named| named.into_iter().map(told).collect());
    let runs: Vec<(Tensors, Tensors)> = inputs.zip(outputs).collect();
    let mut judge = judge;
    if let Some(judge) = judge.as_mut() {
        for (opset, target) in ENDS {
            let Ok(model) = at(opset, target) else {
                continue; // the table says that there is no form
            };
            let bytes = model.to_bytes().map_err(say)?;
            let ruling = judge.rule(&bytes, &runs);
            let runs = ruling.runs.into_iter().map(|run| row.note("ort", run));
            let wrong = ruling.checker.map(Err).into_iter().chain(runs);
            let wrong: Result<(), String> = wrong.collect();
            wrong.map_err(|text| format!("opset {opset} for {target}: {text}"))?;
        }
    }
    compare(&model, &runs, row, judge)
}

fn compare(
    model: &OnnxModel,
    runs: &[(Tensors, Tensors)],
    row: &mut Row,
    judge: Option<&mut Judge>,
) -> Result<(), String> {
    let bytes = model.to_bytes().map_err(|error| error.to_string())?;
    let mut wrong = Vec::new();
    if let Some(judge) = judge {
        let ruling = judge.rule(&bytes, runs);
        wrong.extend(ruling.checker.map(|text| format!("checker: {text}")));
        let ruled = ruling.runs.into_iter().map(|run| row.note("ort", run));
        wrong.extend(ruled.filter_map(Result::err));
    }
    for (name, runtime) in [("tract", Runtime::Tract), ("rten", Runtime::Rten)] {
        for (inputs, outputs) in runs {
            let given = caught(|| runtime.run(&bytes, model, inputs));
            let run = given.and_then(|given| {
                let gaps = given
                    .iter()
                    .map(|(name, data)| distance(&outputs[name], data));
                gaps.collect::<Result<Vec<f64>, _>>()
            });
            let run = run.map(|gaps| gaps.into_iter().fold(0.0, f64::max));
            wrong.extend(row.note(name, run).err());
        }
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("; "))
    }
}

/// A runtime's panic as its message.
fn caught<T>(run: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
    std::panic::set_hook(hook);
    result.unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().cloned();
        let text = text.or(payload.downcast_ref::<&str>().map(|text| text.to_string()));
        Err(text.unwrap_or_else(|| "it panics".into()))
    })
}

/// `Base(Slice)` for `BaseFloat(Slice)`: kinds of elements share a row.
fn family(recorded: &str) -> String {
    let (category, variant) = recorded.split_once('(').unwrap_or((recorded, ""));
    match category {
        "BaseFloat" | "BaseInt" | "BaseBool" => format!("Base({variant}"),
        "NumericFloat" | "NumericInt" => format!("Numeric({variant}"),
        "Init" => "Init".into(),
        _ => recorded.into(),
    }
}

/// The largest absolute difference, over the largest magnitude where that is over 1.
fn distance(wanted: &TensorData, got: &TensorData) -> Result<f64, String> {
    if wanted.shape() != got.shape() {
        return Ok(f64::INFINITY);
    }
    let (mut worst, mut scale) = (0.0f64, 1.0f64);
    for (a, b) in wanted.iter::<f64>().zip(got.iter::<f64>()) {
        let same = a == b || (a.is_nan() && b.is_nan());
        let gap = if same { 0.0 } else { (a - b).abs() };
        worst = if gap.is_nan() {
            f64::INFINITY
        } else {
            worst.max(gap)
        };
        if a.is_finite() {
            scale = scale.max(a.abs());
        }
    }
    Ok(worst / scale)
}
