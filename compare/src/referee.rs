//! The referee: the model in float64, and how far float32 may lie from it.
//!
//! A fixed tolerance is a guess. The exact outputs are those of the same weights in float64; the
//! noise of a model's own precision is measured: it runs as it is, with every weight moved by a
//! unit of its last place, up or down at random, and with its products added up in another order
//! and its functions approximated, and the largest distance from the exact outputs, row by row, is
//! what rounding explains for this model on these inputs (each product's rounding is a perturbation
//! of that size; Higham, Accuracy and Stability of Numerical Algorithms, 2002, 3.1 and 4.2).

use std::borrow::Cow;
use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::DType;
use fluxo_backends::kernels::Sums;
use fluxo_backends::kernels::unit;
use fluxo_models::{Model, OutputOptions, Probe, Tensors, Weights};
use fluxo_verify::diff::Rounding;
use fluxo_verify::reference::RUNS;
pub use fluxo_verify::reference::{NAME, Noise, Reference, backend};
use rayon::prelude::*;

use crate::Case;
use crate::encoding::{Encoding, Heard};
use crate::error::{Result, zoo};
use crate::inputs::mask::Mask;
use crate::inputs::split;
use crate::precision;
use crate::progress::{Meter, untold};
use crate::runner::backend::Burn;
use fluxo_verify::Mask as _;

/// How many runs measure noise: the plain one, perturbed ones, and one in another order with
/// coarser functions.
pub(crate) const MEASURING: u64 = RUNS + 2;

/// Units of the last place by which the functions of that run err: as much as runtimes' own
/// ([`coarse`](fluxo_backends::kernels::coarse)), whose errors add up to the outputs.
const UNITS: f64 = 4.0;

/// The same where parts are measured one by one: half as much, and norms add up as always, of which
/// a part may be off by many times before it is blamed.
const PART_UNITS: f64 = 2.0;

/// The largest model, in weights, of which a changed copy is held; of larger ones a block's is.
const HELD: usize = 1 << 28;

/// How the model runs.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    weights: Weights,
    /// Which sums are added up in another order, and by how many units functions err, where it is
    /// one of those.
    otherwise: Option<(Sums, f64)>,
}

impl Run {
    /// In float64.
    pub const EXACT: Self = Self {
        weights: Weights::In(DType::F64),
        otherwise: None,
    };

    /// One of the runs that measure the noise of parts.
    pub fn of_parts(number: u64) -> Self {
        let run = Self::measuring(number);
        let otherwise = run.otherwise.map(|_| (Sums::Products, PART_UNITS));
        Self { otherwise, ..run }
    }

    /// One of the runs that measure noise.
    pub fn measuring(number: u64) -> Self {
        let weights = match number {
            seed @ 1..=RUNS => Weights::Moved { seed },
            _ => Weights::AsTheyAre,
        };
        let otherwise = (number > RUNS).then_some((Sums::All, UNITS));
        Self { weights, otherwise }
    }

    /// A pass of which nothing is noted.
    pub fn probe(self) -> Probe {
        let probe = Probe::new(self.weights);
        match self.otherwise {
            Some((sums, units)) => probe.in_sequence(sums).coarse(units),
            None => probe,
        }
    }
}

/// Outputs in float64 on every one of `cases`, and their noise; none where no backend of this build computes in float64.
///
/// The weights are brought into float64, and moved, one block at a time just before it runs: beside
/// `model`, one block's are held. A model of up to 2²⁸ weights that several cases need is brought
/// there whole, once for all of them.
///
/// # Errors
/// When the inputs do not fit the model.
pub fn reference_outputs(
    model: &Model,
    request: OutputOptions,
    cases: &[Case],
) -> Result<Option<Vec<Reference>>> {
    let meter = Meter::new(&untold, 0);
    reference_outputs_telling(model, request, cases, None, &meter)
}

/// [`reference_outputs`], also on files whose weights are of the precisions `declared` ([`Reference::declared`]).
///
/// # Errors
/// As [`reference_outputs`].
pub fn reference_outputs_on(
    model: &Model,
    request: OutputOptions,
    cases: &[Case],
    declared: impl IntoIterator<Item = DType>,
) -> Result<Option<Vec<Reference>>> {
    let Some(mut references) = reference_outputs(model, request, cases)? else {
        return Ok(None);
    };
    for dtype in declared {
        let known =
            |reference: &Reference| reference.declared.iter().any(|(known, _)| *known == dtype);
        if dtype == model.dtype() || references.iter().any(known) {
            continue;
        }
        let rounded = precision::rounded(model, dtype);
        let others = reference_outputs(&rounded, request, cases)?.unwrap_or_default();
        for (reference, other) in references.iter_mut().zip(others) {
            reference.declared.push((dtype, other));
        }
    }
    Ok(Some(references))
}

/// [`reference_outputs`], telling `meter` of each pass; `plain` is what the model as it is gave on the backend
/// that rules ([`backend`]), where that is known.
pub(crate) fn reference_outputs_telling(
    model: &Model,
    request: OutputOptions,
    cases: &[Case],
    mut plain: Option<Vec<&Tensors>>,
    meter: &Meter<'_>,
) -> Result<Option<Vec<Reference>>> {
    let Some(backend) = backend() else {
        return Ok(None);
    };
    let model = model.clone().to_device(&fluxo_backends::device(backend)?);
    let whole = cases.len() > 1 && model.network.num_params() <= HELD;
    let mut heard = None;
    let all = |run: Run, what: &str, heard: &mut Heard| -> Result<Vec<Tensors>> {
        meter.begin(what);
        // Moved weights of the decoder alone: an encoder of sounds takes long, and how it rounds
        // the other runs measure.
        let known = match run.weights {
            Weights::Moved { .. } => heard.clone(),
            _ => None,
        };
        let (model, run) = if whole {
            let weights = Weights::AsTheyAre;
            let model = changed(&model, run.weights);
            (Cow::Owned(model), Run { weights, ..run })
        } else {
            (Cow::Borrowed(&model), run)
        };
        let mut encoding = Encoding::after(known);
        let ran = |(label, inputs): &Case| {
            let ran = encoding.run(&model, &request, &split(inputs).0, Some(run.probe()));
            meter.passed(what, 1);
            ran.map_err(|e| zoo(e).at(label))
        };
        let outputs: Result<_> = cases.iter().map(ran).collect();
        *heard = encoding.into_heard();
        outputs
    };
    let exact = all(Run::EXACT, "float64", &mut heard)?;
    let unit = unit(model.dtype());
    let reference = |exact| Reference::new(exact, Noise::new(), unit);
    let mut references: Vec<Reference> = exact.into_iter().map(reference).collect();
    if let Some(given) = &plain {
        let mut encoding = Encoding::default();
        for ((_, inputs), outputs) in cases.iter().zip(given) {
            encoding.learn(&request, inputs, outputs);
        }
        heard = encoding.into_heard();
    }
    for number in 0..MEASURING {
        let what = format!("rounding, {} of {MEASURING}", number + 1);
        match plain.take_if(|_| number == 0) {
            Some(given) => widen(&mut references, cases, &given)?,
            None => {
                let given = all(Run::measuring(number), &what, &mut heard)?;
                widen(&mut references, cases, &given.iter().collect::<Vec<_>>())?;
            }
        }
    }
    share(&mut references);
    Ok(Some(references))
}

/// Rounding explains as much as each case's `given` outputs lie from the exact ones.
fn widen(references: &mut [Reference], cases: &[Case], given: &[&Tensors]) -> Result<()> {
    for ((reference, given), (_, inputs)) in references.iter_mut().zip(given).zip(cases) {
        let mask = Mask::of(&split(inputs).0)?;
        let Reference { exact, noise, .. } = reference;
        for name in given.keys().filter(|name| exact.contains_key(*name)) {
            let noise = noise.entry(name.clone());
            noise.or_insert_with(|| Rounding::of_output(0.0));
        }
        // Sounds' caches are long, and there are many.
        noise.par_iter_mut().for_each(|(name, noise)| {
            if let (Some(exact), Some(given)) = (exact.get(name), given.get(name)) {
                let kept = mask.of_output(name, exact.shape().as_slice());
                noise.widen(exact, given, kept.as_deref());
            }
        });
    }
    Ok(())
}

/// What rounding explains in half of an output's rows it explains wherever that output is: of a single
/// token there are few rows to tell it from.
fn share(references: &mut [Reference]) {
    let mut even: BTreeMap<String, f64> = BTreeMap::new();
    for (name, noise) in references.iter().flat_map(|reference| &reference.noise) {
        let most = even.entry(name.clone()).or_default();
        *most = most.max(noise.even());
    }
    for noise in references.iter_mut().map(|reference| &mut reference.noise) {
        for (name, noise) in noise {
            *noise = noise.clone().with_even(even[name]);
        }
    }
}

/// `model` with all its weights as a pass would have them.
fn changed(model: &Model, weights: Weights) -> Model {
    let mut model = model.clone();
    match weights {
        Weights::AsTheyAre => model,
        Weights::In(dtype) => model.in_precision(dtype),
        Weights::Moved { .. } => {
            model.network = model.network.map(&mut Probe::new(weights));
            model
        }
    }
}

/// The referee itself: `model` in float64; none where no backend of this build computes in it.
///
/// # Errors
/// When the backend finds no device.
pub fn runner(model: &Model, request: OutputOptions) -> Result<Option<Burn>> {
    let exact = |backend| Burn::in_precision(NAME, model, backend, request, DType::F64);
    backend().map(exact).transpose()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use fluxo_models::NewModelOptions;

    use burn::module::{ModuleMapper, Param};
    use burn::tensor::Tensor;

    use super::*;
    use crate::compare_refereed;
    use crate::inputs::samples;
    use crate::runner::Runner;
    use fluxo_verify::diff::Off;

    fn model() -> Model {
        let device = fluxo_backends::device("flex").unwrap();
        Model::new("bert", &NewModelOptions::default(), 5, &device).unwrap()
    }

    /// Multiplies every weight that is a vector.
    struct Scaled(f32);

    impl ModuleMapper for Scaled {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let (id, value, mapper) = param.consume();
            let value = if D == 1 { value * self.0 } else { value };
            Param::from_mapped_value(id, value, mapper)
        }
    }

    /// `model` beside itself with its vectors scaled, judged by the referee of `model`.
    fn judged(model: &Model, scale: f32) -> crate::Report {
        let mut other = model.clone();
        other.network = other.network.map(&mut Scaled(scale));
        let inputs = samples::inputs(model.config(), 3, 17);
        let cases = [("here".to_string(), inputs)];
        let references = reference_outputs(model, OutputOptions::default(), &cases)
            .unwrap()
            .unwrap();
        let runner = |name: &str, model: &Model| -> Box<dyn Runner> {
            Box::new(Burn::new(name, model, "flex", OutputOptions::default()).unwrap())
        };
        let mut runners = [runner("one", model), runner("other", &other)];
        compare_refereed(&mut runners, &cases, &references).unwrap()
    }

    #[test]
    fn noise_is_a_few_units_of_the_last_place() {
        let model = model();
        let cases = [("here".to_string(), samples::inputs(model.config(), 3, 17))];
        let reference = reference_outputs(&model, OutputOptions::default(), &cases)
            .unwrap()
            .unwrap();
        assert_eq!(reference.len(), 1);
        assert_eq!(reference[0].exact["last_hidden_state"].dtype(), DType::F64);
        let given = model.run(&cases[0].1, &OutputOptions::default()).unwrap();
        for (output, noise) in &reference[0].noise {
            let exact = &reference[0].exact[output];
            let off = noise.worst(exact, &given[output], None, |noise| noise);
            let Off { scaled, noise } = off.unwrap();
            // It is one of the runs that were measured with. A unit of the last place is 1.2e-7;
            // two layers add a few.
            assert!(scaled <= noise, "{output}: {scaled:e} of {noise:e}");
            assert!((1e-7..3e-6).contains(&noise), "{output}: {noise:e}");
        }
    }

    #[test]
    fn what_rounding_does_not_explain_is_found_under_any_fixed_tolerance() {
        let model = model();
        assert!(judged(&model, 1.0).agrees());
        let report = judged(&model, 1.0 + 5e-6);
        assert!(!report.agrees(), "{report}");
        // The fixed tolerance of 2e-5 would have let it pass.
        assert!(
            report.worst().unwrap().scaled < fluxo_verify::diff::tolerance::CPU,
            "{report}"
        );
        let wrong = |pair: &&fluxo_verify::report::Pair| pair.a == NAME && !pair.agrees;
        assert!(
            report
                .pairs
                .iter()
                .filter(wrong)
                .all(|pair| pair.b == "other")
        );
    }
}
