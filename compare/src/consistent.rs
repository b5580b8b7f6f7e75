//! Any Burn module on several backends: whether it computes the same, as a test.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Bool, DType, Device, Int, Tensor, TensorData};
use fluxo_models::Tensors;

use crate::artifact::precision;
use crate::compare::compare_refereed;
use crate::error::{Error, Result};
use crate::referee::{self, Noise, Ruling, nudged, unit};
use crate::report::Report;
use crate::rounding::Rounding;
use crate::runner::guard::guard;
use crate::runner::{Label, Runner};

/// Perturbed runs beside the plain one, as many as the referee makes of a model.
const RUNS: u64 = 2;

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
}

impl<const D: usize> Takes for Tensor<D> {
    fn placed(&self, place: &Place) -> Self {
        // Through host memory: the devices may be of different backends.
        Tensor::from_data(self.to_data(), (&place.device, place.dtype))
    }
}

impl<const D: usize> Takes for Tensor<D, Int> {
    fn placed(&self, place: &Place) -> Self {
        Tensor::from_data(self.to_data(), &place.device)
    }
}

impl<const D: usize> Takes for Tensor<D, Bool> {
    fn placed(&self, place: &Place) -> Self {
        Tensor::from_data(self.to_data(), &place.device)
    }
}

/// What a module gives: tensors of every kind, and tuples and lists of them.
pub trait Gives {
    /// The values, in order.
    fn values(self) -> Vec<TensorData>;
}

impl<const D: usize> Gives for Tensor<D> {
    fn values(self) -> Vec<TensorData> {
        vec![self.into_data()]
    }
}

impl<const D: usize> Gives for Tensor<D, Int> {
    fn values(self) -> Vec<TensorData> {
        vec![self.into_data()]
    }
}

impl<const D: usize> Gives for Tensor<D, Bool> {
    fn values(self) -> Vec<TensorData> {
        vec![self.into_data()]
    }
}

impl<T: Gives> Gives for Vec<T> {
    fn values(self) -> Vec<TensorData> {
        self.into_iter().flat_map(Gives::values).collect()
    }
}

macro_rules! tuples {
    ($(($($name:ident $index:tt),+))+) => {$(
        impl<$($name: Takes),+> Takes for ($($name,)+) {
            fn placed(&self, place: &Place) -> Self {
                ($(self.$index.placed(place),)+)
            }
        }
        impl<$($name: Gives),+> Gives for ($($name,)+) {
            fn values(self) -> Vec<TensorData> {
                [$(self.$index.values()),+].concat()
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
/// # Errors
/// When a backend is unknown or not here, no backend of this build computes in float64, or the
/// module fails on one.
pub fn consistent<M: Module, G: Gives>(
    module: &M,
    on: &[&str],
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
            let module = module.clone().map(&mut Moved(&place));
            let module = match seed {
                0 => module,
                seed => nudged(module, seed, dtype),
            };
            Ok::<_, std::convert::Infallible>(run(&module, &place).values())
        })?;
        let outputs = outputs.into_iter().enumerate();
        Ok(outputs
            .map(|(i, data)| (format!("output {i}"), data))
            .collect())
    };
    let exact = given(referee::NAME, referee, DType::F64, 0)?;
    let mut noise = Noise::new();
    for seed in 0..=RUNS {
        for (name, data) in given(referee, referee, DType::F32, seed)? {
            if let Some(exact) = exact.get(&name) {
                let noise = noise.entry(name);
                let noise = noise.or_insert_with(|| Rounding::of_output(0.0));
                noise.widen(exact, &data, None);
            }
        }
    }
    let mut runners: Vec<Box<dyn Runner>> = Vec::new();
    for name in on {
        let (backend, dtype) = precision(name);
        let dtype = dtype.unwrap_or(DType::F32);
        runners.push(Box::new(Fixed {
            label: Label::backend(name, backend, dtype),
            outputs: given(name, backend, dtype, 0)?,
        }));
    }
    let ruling = Ruling::new(exact, noise, unit(DType::F32));
    // One alone is compared with float64.
    if let [one] = on {
        let name = format!("{one} again");
        let (backend, dtype) = precision(one);
        let dtype = dtype.unwrap_or(DType::F32);
        let outputs = given(&name, backend, dtype, 0)?;
        runners.push(Box::new(Fixed {
            label: Label::backend(&name, backend, dtype),
            outputs,
        }));
    }
    let case = ("on these inputs".to_string(), Tensors::new());
    compare_refereed(&mut runners, &[case], &[ruling])
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

/// Asserts that a module computes the same on several backends, within the noise of its own
/// rounding, measured against float64.
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Distribution, Tensor};
///
/// let device = fluxo_backends::device("flex").unwrap();
/// let layer = LinearConfig::new(8, 4).init(&device);
/// let x: Tensor<2> = Tensor::random([3, 8], Distribution::Default, &device);
/// fluxo_compare::assert_consistent!(layer, [x], on = ["flex", "ndarray"], |m, x| m.forward(x));
/// ```
///
/// # Panics
/// Where it does not, with the report; and where a backend is not here or the module fails.
#[macro_export]
macro_rules! assert_consistent {
    ($module:expr, [$($input:expr),+ $(,)?], on = [$($on:expr),+ $(,)?], |$m:ident, $($x:ident),+ $(,)?| $body:expr) => {{
        let inputs = ($($input.clone(),)+);
        let report = $crate::consistent::consistent(&$module, &[$($on),+], |$m, place| {
            let ($($x,)+) = $crate::consistent::Takes::placed(&inputs, place);
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
    fn a_module_that_fails_is_an_error() {
        let (module, (ids, _)) = (Small::new(), inputs());
        let failed = consistent(&module, &["flex"], |m: &Small, place| {
            let x = m.embedding.forward(ids.placed(place));
            m.linear.forward(x.reshape([1, 2, 3]))
        });
        let error = failed.unwrap_err().to_string();
        assert!(error.starts_with("float64: it panicked"), "{error}");
        let error = consistent(&module, &["flux"], |m: &Small, place| {
            m.embedding.forward(ids.placed(place))
        });
        assert!(error.unwrap_err().to_string().contains("flux"));
    }
}
