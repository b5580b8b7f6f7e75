//! Any Burn module on several backends: whether it computes the same, as a test.

mod tensors;

use burn::module::Module;
use burn::tensor::{DType, TensorData};
use fluxo_backends::kernels::unit;
use fluxo_onnx::{Options, Outputs, Spec};
use fluxo_support::temporary::Folder;

use crate::Tensors;
use crate::compare::{Judging, compare};
use crate::error::{Error, Result, io};
use crate::reference::{self, Noise, RUNS, Reference, explained, nudged};
use crate::report::{Report, Skipped};
use crate::runner::{Label, RUNTIMES, Replay, Runner, guard, load, precision};

pub use tensors::{Gives, Place, Takes};
use tensors::{moved, output};

/// Runs `module` on every backend of `on` (`flex`, `wgpu:1`, `flex:f16`) and in float64, and
/// compares what `run` gives on each. What is allowed is the noise of the module's own rounding
/// on these inputs, as for a model of the zoo ([`reference`](mod@crate::reference)). `run` places its inputs with
/// [`Takes::placed`]; [`assert_consistent!`](crate::assert_consistent) writes that.
///
/// In float64 runs what Burn records of the module, every float widened: what it makes in `forward`
/// or holds outside of its parameters too. A module that reads its tensors cannot be recorded; it is
/// run in float64 itself, and where it makes tensors of another type the backends are compared with
/// each other alone, within the built-in tolerances, and the report says so among what it skipped.
///
/// # Errors
/// When a backend is unknown or not here, no backend of this build computes in float64, or the
/// module fails on one.
pub fn consistent<M: Module, G: Gives>(
    module: &M,
    on: &[&str],
    run: impl Fn(&M, &Place) -> G,
) -> Result<Report> {
    judged(module, on, Vec::new(), run)
}

/// [`consistent`] on given `inputs`, where `on` may name runtimes (`ort`, `tract`, `rten`) beside
/// backends: they run the file that the module exports at the sizes of the inputs.
///
/// # Errors
/// As [`consistent`], when the module does not export, and when a runtime is not here or does not
/// run the file.
pub fn consistent_with<M: Module, T: Takes, G: Gives>(
    module: &M,
    inputs: &T,
    on: &[&str],
    run: impl Fn(&M, T) -> G,
) -> Result<Report> {
    let (runtimes, mut backends): (Vec<&str>, Vec<&str>) =
        on.iter().partition(|name| RUNTIMES.contains(name));
    if backends.is_empty() {
        backends.extend(reference::backend());
    }
    let files = if runtimes.is_empty() {
        Vec::new()
    } else {
        in_runtimes(module, inputs, &runtimes, &run)?
    };
    judged(module, &backends, files, |module, place| {
        run(module, inputs.placed(place))
    })
}

/// What the runtimes make of the module's file on `inputs`.
fn in_runtimes<M: Module, T: Takes, G: Gives>(
    module: &M,
    inputs: &T,
    runtimes: &[&str],
    run: &impl Fn(&M, T) -> G,
) -> Result<Vec<Box<dyn Runner>>> {
    let mut described = Vec::new();
    inputs.described(&mut described);
    let mut spec = Spec::new("module");
    let mut given = Tensors::new();
    for (input, data) in described {
        given.insert(input.name.clone(), data);
        spec = spec.input(input);
    }
    let model = fluxo_onnx::export(module, &spec, &Options::default(), |module, args| {
        run(module, T::taken(args, &mut 0)).outputs(Outputs::new(), &mut 0)
    })?;
    let folder = Folder::new().map_err(|e| io(&std::env::temp_dir(), e))?;
    let file = folder.path().join("model.onnx");
    model.write(&file)?;
    let ran = runtimes.iter().map(|name| -> Result<Box<dyn Runner>> {
        let mut runner = load(name, name, &file)?;
        let outputs = runner.run(&given)?;
        let label = runner.label().clone();
        Ok(Box::new(Replay::given(label, vec![Ok(outputs)])))
    });
    ran.collect()
}

/// [`consistent`] with more runners.
fn judged<M: Module, G: Gives>(
    module: &M,
    on: &[&str],
    more: Vec<Box<dyn Runner>>,
    run: impl Fn(&M, &Place) -> G,
) -> Result<Report> {
    let none = || Error::Unavailable {
        runner: reference::NAME.to_string(),
        reason: "float64 needs the feature `flex` or `ndarray`".to_string(),
    };
    let referee = reference::backend().ok_or_else(none)?;
    let given = |name: &str, backend: &str, dtype: DType, seed: u64| -> Result<Tensors> {
        let device = fluxo_backends::device(backend)?;
        let place = Place { device, dtype };
        let outputs = guard(name, || {
            let module = moved(module, &place);
            let module = match seed {
                0 => module,
                seed => nudged(module, seed, dtype),
            };
            Ok::<_, std::convert::Infallible>(run(&module, &place).values())
        })?;
        Ok(named(outputs))
    };
    let mut runners: Vec<Box<dyn Runner>> = Vec::new();
    let mut add = |name: &str, on: &str| -> Result<()> {
        let (backend, dtype) = precision(on);
        let dtype = dtype.unwrap_or(DType::F32);
        let label = Label::backend(name, backend, dtype);
        let outputs = given(name, backend, dtype, 0)?;
        runners.push(Box::new(Replay::given(label, vec![Ok(outputs)])));
        Ok(())
    };
    for name in on {
        add(name, name)?;
    }
    // One alone is compared with float64.
    if let ([one], true) = (on, more.is_empty()) {
        add(&format!("{one} again"), one)?;
    }
    runners.extend(more);
    let case = ("on these inputs".to_string(), Tensors::new());
    let exact = in_double(module, &run).or_else(|recorded| {
        let itself = given(reference::NAME, referee, DType::F64, 0);
        itself.map_err(|_| recorded)
    });
    let exact = match exact {
        Ok(exact) => exact,
        Err(reason) => {
            let mut report = compare(&mut runners, &[case], &Judging::default())?;
            report.skipped.push(Skipped {
                runner: reference::NAME.to_string(),
                reason: format!("{reason}; the backends are compared with each other alone"),
            });
            return Ok(report);
        }
    };
    let mut noise = Noise::new();
    for seed in 0..=RUNS {
        explained(
            &mut noise,
            &exact,
            &given(referee, referee, DType::F32, seed)?,
        );
    }
    let reference = Reference::new(exact, noise, unit(DType::F32));
    compare(&mut runners, &[case], &Judging::measured(&[reference]))
}

/// Outputs by their numbers.
fn named(outputs: Vec<TensorData>) -> Tensors {
    let outputs = outputs.into_iter().enumerate();
    let named = outputs.map(|(i, data)| (output(i), data));
    named.collect()
}

/// What `run` gives in float64, recorded and run on flex; or why that cannot be.
#[cfg(feature = "flex")]
fn in_double<M: Module, G: Gives>(
    module: &M,
    run: &impl Fn(&M, &Place) -> G,
) -> std::result::Result<Tensors, String> {
    let outputs = fluxo_onnx::in_double(|device| {
        let place = Place {
            device: device.clone(),
            dtype: DType::F32,
        };
        run(&moved(module, &place), &place).recorded()
    });
    outputs.map(named).map_err(|error| error.to_string())
}

/// Only flex runs what was recorded.
#[cfg(not(feature = "flex"))]
fn in_double<M: Module, G: Gives>(
    _: &M,
    _: &impl Fn(&M, &Place) -> G,
) -> std::result::Result<Tensors, String> {
    Err("a recording runs with the feature `flex`".to_string())
}

/// Asserts that a module computes the same on several backends and in several runtimes (`ort`,
/// `tract`, `rten`: they run the file that it exports), within the noise of its own rounding, measured
/// against float64.
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Distribution, Tensor};
///
/// let device = fluxo_backends::device("flex").unwrap();
/// let layer = LinearConfig::new(8, 4).init(&device);
/// let x: Tensor<2> = Tensor::random([3, 8], Distribution::Default, &device);
/// fluxo_verify::assert_consistent!(layer, [x], on = ["flex", "ndarray", "tract"], |m, x| m.forward(x));
/// ```
///
/// # Panics
/// Where it does not, with the report; and where a backend is not here or the module fails.
#[macro_export]
macro_rules! assert_consistent {
    ($module:expr, [$($input:expr),+ $(,)?], on = [$($on:expr),+ $(,)?], |$m:ident, $($x:ident),+ $(,)?| $body:expr) => {{
        let inputs = ($($input.clone(),)+);
        let report = $crate::consistent::consistent_with(&$module, &inputs, &[$($on),+], |$m, inputs| {
            let ($($x,)+) = inputs;
            $body
        });
        match report {
            Ok(report) => assert!(report.agrees(), "the module is not the same everywhere\n{report}"),
            Err(error) => panic!("{error}"),
        }
    }};
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use burn::nn::{Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig};
    use burn::tensor::activation::{gelu, softmax};
    use burn::tensor::{Bool, Int, Tensor};

    use super::*;

    #[derive(Module, Debug)]
    struct Small {
        embedding: Embedding,
        norm: LayerNorm,
        linear: Linear,
    }

    impl Small {
        fn new() -> Self {
            let device = fluxo_backends::device("flex").unwrap();
            Self {
                embedding: EmbeddingConfig::new(11, 8).init(&device),
                norm: LayerNormConfig::new(8).init(&device),
                linear: LinearConfig::new(8, 5).init(&device),
            }
        }

        fn forward(
            &self,
            ids: Tensor<2, Int>,
            mask: Tensor<2, Bool>,
        ) -> (Tensor<3>, Tensor<2, Int>) {
            let x = self.norm.forward(self.embedding.forward(ids)); // [batch, seq, 8]
            let x = softmax(gelu(self.linear.forward(x)), 2); // [batch, seq, 5]
            let x = x.mask_fill(mask.unsqueeze_dim(2), 0.0);
            let best = x.clone().argmax(2).squeeze_dim(2);
            (x, best)
        }
    }

    fn inputs() -> (Tensor<2, Int>, Tensor<2, Bool>) {
        let device = fluxo_backends::device("flex").unwrap();
        let ids = Tensor::<1, Int>::arange(0..10, &device).reshape([2, 5]);
        (ids.clone(), ids.lower_elem(3))
    }

    #[test]
    fn a_module_of_every_kind_of_tensor_agrees() {
        let (module, (ids, mask)) = (Small::new(), inputs());
        assert_consistent!(
            module,
            [ids, mask],
            on = ["flex", "ndarray"],
            |m, ids, mask| m.forward(ids, mask)
        );
        assert_consistent!(
            module,
            [ids, mask],
            on = ["ndarray", "tract"],
            |m, ids, mask| m.forward(ids, mask)
        );
        assert_consistent!(module, [ids], on = ["rten"], |m, ids| vec![
            m.embedding.forward(ids)
        ]);
        assert_consistent!(module, [ids, mask], on = ["flex:f16"], |m, ids, mask| m
            .forward(ids, mask)
            .0);
    }

    #[test]
    fn what_one_backend_does_otherwise_is_found() {
        let (module, (ids, mask)) = (Small::new(), inputs());
        let report = consistent(&module, &["flex", "ndarray"], |m: &Small, place| {
            let (ids, mask) = (ids.clone(), mask.clone()).placed(place);
            let (x, _) = m.forward(ids, mask);
            let other = place.device == fluxo_backends::device("ndarray").unwrap();
            // Under any fixed tolerance, and hundreds of times the noise of these few sums.
            if other && place.dtype == DType::F32 {
                x * 1.00001
            } else {
                x
            }
        });
        let report = report.unwrap();
        assert!(!report.agrees(), "{report}");
        let wrong = report
            .assessments
            .iter()
            .find(|s| s.runner == "ndarray")
            .unwrap();
        assert!(wrong.error < crate::diff::tolerance::CPU, "{report}");
    }

    #[test]
    fn what_a_module_makes_or_holds_beside_its_parameters_is_widened_too() {
        use burn::nn::{GruConfig, LstmConfig, PositionalEncodingConfig, RotaryEncodingConfig};
        use burn::tensor::Distribution;
        let device = fluxo_backends::device("flex").unwrap();
        let x: Tensor<3> = Tensor::random([2, 5, 8], Distribution::Default, &device);
        let lstm = LstmConfig::new(8, 8, true).init(&device);
        assert_consistent!(lstm, [x], on = ["flex", "ndarray"], |m, x| m
            .forward(x, None)
            .0);
        let gru = GruConfig::new(8, 8, true).init(&device);
        assert_consistent!(gru, [x], on = ["flex", "ndarray"], |m, x| m
            .forward(x, None));
        let places = PositionalEncodingConfig::new(8).init(&device);
        assert_consistent!(places, [x], on = ["flex", "ndarray"], |m, x| m.forward(x));
        let rotary = RotaryEncodingConfig::new(16, 8).init(&device);
        assert_consistent!(rotary, [x], on = ["flex", "ndarray"], |m, x| m.forward(x));
        let linear = LinearConfig::new(8, 8).init(&device);
        let report = consistent(&linear, &["flex", "ndarray"], |m: &Linear, place| {
            let x = m.forward(x.placed(place));
            let ones = Tensor::<3>::ones(x.dims(), &x.device());
            x + ones
        });
        let report = report.unwrap();
        assert!(report.agrees() && report.skipped.is_empty(), "{report}");
        assert_eq!(report.runners[0], reference::NAME);
    }

    #[test]
    fn a_module_that_reads_its_tensors_is_judged_without_float64() {
        let device = fluxo_backends::device("flex").unwrap();
        let linear = LinearConfig::new(4, 4).init(&device);
        let x = Tensor::<2>::from_floats([[1.0, -2.0, 3.0, 0.5]], &device);
        let report = |off: f32| {
            let run = |m: &Linear, place: &Place| {
                let x = m.forward(x.placed(place));
                let largest = x.clone().abs().max().into_scalar::<f32>();
                let ones = Tensor::<2>::ones(x.dims(), (&x.device(), DType::F32));
                let other = place.device == fluxo_backends::device("ndarray").unwrap();
                (x + ones) * if other { largest + off } else { largest }
            };
            consistent(&linear, &["flex", "ndarray"], run).unwrap()
        };
        let fair = report(0.0);
        assert!(fair.agrees(), "{fair}");
        assert_eq!(fair.runners, ["flex", "ndarray"]);
        let said = &fair.skipped[0];
        assert_eq!(said.runner, reference::NAME);
        assert!(
            said.reason.contains("compared with each other alone"),
            "{}",
            said.reason
        );
        assert!(!report(0.01).agrees());
    }

    #[test]
    fn a_module_that_fails_is_an_error() {
        let (module, (ids, _)) = (Small::new(), inputs());
        let failed = consistent(&module, &["flex"], |m: &Small, place| {
            let x = m.embedding.forward(ids.placed(place));
            m.linear.forward(x.reshape([1, 2, 3]))
        });
        let error = failed.unwrap_err().to_string();
        assert!(error.starts_with("flex: it panicked"), "{error}");
        let error = consistent(&module, &["flux"], |m: &Small, place| {
            m.embedding.forward(ids.placed(place))
        });
        assert!(error.unwrap_err().to_string().contains("flux"));
    }
}
