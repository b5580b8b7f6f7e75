//! Any Burn module on several backends: whether it computes the same, as a test.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Bool, DType, Device, Int, Tensor, TensorData};
use burn_capture::{CaptureBackend, TensorId};
use fluxo_models::Tensors;
use fluxo_onnx::{Args, Input, Options, Outputs, Spec};

use crate::artifact::precision;
use crate::compare::{compare_cases, compare_refereed};
use crate::error::{Error, Result};
use crate::graph::{Graph, RUNTIMES};
use crate::publish::io;
use crate::referee::{self, Noise, RUNS, Ruling, explained, nudged, unit};
use crate::report::{Report, Skipped};
use crate::runner::guard::guard;
use crate::runner::{Label, Runner};

/// Where a module runs, and in which element type.
#[derive(Debug, Clone)]
pub struct Place {
    device: Device,
    dtype: DType,
}

/// What a module takes: tensors of every kind, and tuples of them.
pub trait Takes {
    /// The same on the device of `place`, floats in its element type.
    fn placed(&self, place: &Place) -> Self;

    /// Appends each tensor as the next input of a file, of its own shape, and its data.
    fn described(&self, inputs: &mut Vec<(Input, TensorData)>);

    /// The same as the next inputs of a recording.
    fn taken(args: &mut Args, next: &mut usize) -> Self;
}

/// What the file calls the input of this number.
fn input(number: usize) -> String {
    format!("input {number}")
}

/// What outputs are called, in a file and in reports.
fn output(number: usize) -> String {
    format!("output {number}")
}

/// A tensor as an input of a file.
macro_rules! in_files {
    ($kind:ident) => {
        fn described(&self, inputs: &mut Vec<(Input, TensorData)>) {
            let own = Input::$kind(input(inputs.len()), self.dims());
            inputs.push((own, self.to_data()));
        }

        fn taken(args: &mut Args, next: &mut usize) -> Self {
            *next += 1;
            args.$kind(&input(*next - 1))
        }
    };
}

/// A tensor as an output of a file.
macro_rules! out_of_files {
    ($kind:ident) => {
        fn outputs(self, outputs: Outputs, next: &mut usize) -> Outputs {
            *next += 1;
            outputs.$kind(output(*next - 1), self)
        }
    };
}

impl<const D: usize> Takes for Tensor<D> {
    fn placed(&self, place: &Place) -> Self {
        // Through host memory: the devices may be of different backends.
        Tensor::from_data(self.to_data(), (&place.device, place.dtype))
    }

    in_files!(float);
}

impl<const D: usize> Takes for Tensor<D, Int> {
    fn placed(&self, place: &Place) -> Self {
        Tensor::from_data(self.to_data(), &place.device)
    }

    in_files!(int);
}

impl<const D: usize> Takes for Tensor<D, Bool> {
    fn placed(&self, place: &Place) -> Self {
        Tensor::from_data(self.to_data(), &place.device)
    }

    in_files!(bool);
}

/// What a module gives: tensors of every kind, and tuples and lists of them.
pub trait Gives {
    /// The values, in order.
    fn values(self) -> Vec<TensorData>;

    /// Appends each as the next output of a file.
    fn outputs(self, outputs: Outputs, next: &mut usize) -> Outputs;

    /// Which recorded tensors they are, in order, on the capture device; a message where one is on
    /// another.
    fn recorded(&self) -> std::result::Result<Vec<TensorId>, String>;
}

/// Which recorded tensor a tensor on the capture device is.
macro_rules! recorded {
    () => {
        fn recorded(&self) -> std::result::Result<Vec<TensorId>, String> {
            let primitive = self.clone().try_into_primitive::<CaptureBackend>();
            let id = primitive.map(|primitive| vec![primitive.id()]);
            id.map_err(|error| format!("{error:?}"))
        }
    };
}

impl<const D: usize> Gives for Tensor<D> {
    fn values(self) -> Vec<TensorData> {
        vec![self.into_data()]
    }

    recorded!();

    out_of_files!(float);
}

impl<const D: usize> Gives for Tensor<D, Int> {
    fn values(self) -> Vec<TensorData> {
        vec![self.into_data()]
    }

    recorded!();

    out_of_files!(int);
}

impl<const D: usize> Gives for Tensor<D, Bool> {
    fn values(self) -> Vec<TensorData> {
        vec![self.into_data()]
    }

    recorded!();

    out_of_files!(bool);
}

impl<T: Gives> Gives for Vec<T> {
    fn values(self) -> Vec<TensorData> {
        self.into_iter().flat_map(Gives::values).collect()
    }

    fn outputs(self, outputs: Outputs, next: &mut usize) -> Outputs {
        self.into_iter()
            .fold(outputs, |outputs, each| each.outputs(outputs, next))
    }

    fn recorded(&self) -> std::result::Result<Vec<TensorId>, String> {
        let all: std::result::Result<Vec<_>, _> = self.iter().map(Gives::recorded).collect();
        Ok(all?.concat())
    }
}

macro_rules! tuples {
    ($(($($name:ident $index:tt),+))+) => {$(
        impl<$($name: Takes),+> Takes for ($($name,)+) {
            fn placed(&self, place: &Place) -> Self {
                ($(self.$index.placed(place),)+)
            }
            fn described(&self, inputs: &mut Vec<(Input, TensorData)>) {
                $(self.$index.described(inputs);)+
            }
            fn taken(args: &mut Args, next: &mut usize) -> Self {
                ($($name::taken(args, next),)+)
            }
        }
        impl<$($name: Gives),+> Gives for ($($name,)+) {
            fn values(self) -> Vec<TensorData> {
                [$(self.$index.values()),+].concat()
            }
            fn outputs(self, outputs: Outputs, next: &mut usize) -> Outputs {
                $(let outputs = self.$index.outputs(outputs, next);)+
                outputs
            }
            fn recorded(&self) -> std::result::Result<Vec<TensorId>, String> {
                Ok([$(self.$index.recorded()?),+].concat())
            }
        }
    )+};
}

tuples! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
}

/// Runs `module` on every backend of `on` (`flex`, `wgpu:1`, `flex:f16`) and in float64, and
/// compares what `run` gives on each. What is allowed is the noise of the module's own rounding
/// on these inputs, as for a model of the zoo ([`referee`]). `run` places its inputs with
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
        backends.extend(referee::backend());
    }
    let files = match runtimes.is_empty() {
        true => Vec::new(),
        false => in_runtimes(module, inputs, &runtimes, &run)?,
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
    let folder = tempfile::tempdir().map_err(|e| io(&std::env::temp_dir(), e))?;
    let file = folder.path().join("model.onnx");
    model.write(&file)?;
    let ran = runtimes.iter().map(|name| -> Result<Box<dyn Runner>> {
        let mut runner = Graph::Whole(file.clone()).load(name, name)?;
        let outputs = runner.run(&given)?;
        let label = runner.label().clone();
        Ok(Box::new(Fixed { label, outputs }))
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
        runner: referee::NAME.to_string(),
        reason: "float64 needs the feature `flex` or `ndarray`".to_string(),
    };
    let referee = referee::backend().ok_or_else(none)?;
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
        runners.push(Box::new(Fixed {
            label: Label::backend(name, backend, dtype),
            outputs: given(name, backend, dtype, 0)?,
        }));
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
        let itself = given(referee::NAME, referee, DType::F64, 0);
        itself.map_err(|_| recorded)
    });
    let exact = match exact {
        Ok(exact) => exact,
        Err(reason) => {
            let mut report = compare_cases(&mut runners, &[case], None)?;
            report.skipped.push(Skipped {
                runner: referee::NAME.to_string(),
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
    let ruling = Ruling::new(exact, noise, unit(DType::F32));
    compare_refereed(&mut runners, &[case], &[ruling])
}

/// `module` as it is when it does not train, on the device of `place` and in its element type: a
/// fresh copy of what it shares between its clones.
fn moved<M: Module>(module: &M, place: &Place) -> M {
    let module = module.valid().map(&mut Moved(place));
    module.to_device(&place.device)
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

/// What a module gave somewhere.
struct Fixed {
    label: Label,
    outputs: Tensors,
}

impl Runner for Fixed {
    fn label(&self) -> &Label {
        &self.label
    }

    fn run(&mut self, _: &Tensors) -> Result<Tensors> {
        Ok(self.outputs.clone())
    }
}

/// Moves every tensor of a module to a place.
struct Moved<'a>(&'a Place);

impl ModuleMapper for Moved<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, value, mapper) = param.consume();
        Param::from_mapped_value(id, value.placed(self.0), mapper)
    }

    fn map_int<const D: usize>(&mut self, param: Param<Tensor<D, Int>>) -> Param<Tensor<D, Int>> {
        let (id, value, mapper) = param.consume();
        Param::from_mapped_value(id, value.placed(self.0), mapper)
    }

    fn map_bool<const D: usize>(
        &mut self,
        param: Param<Tensor<D, Bool>>,
    ) -> Param<Tensor<D, Bool>> {
        let (id, value, mapper) = param.consume();
        Param::from_mapped_value(id, value.placed(self.0), mapper)
    }
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
/// fluxo_compare::assert_consistent!(layer, [x], on = ["flex", "ndarray", "tract"], |m, x| m.forward(x));
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
            .standings
            .iter()
            .find(|s| s.runner == "ndarray")
            .unwrap();
        assert!(wrong.error < crate::verdict::CPU, "{report}");
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
        assert_eq!(report.runners[0], referee::NAME);
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
        assert_eq!(said.runner, referee::NAME);
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
