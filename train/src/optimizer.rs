//! AdamW over a whole module, its moments kept by module path.
//!
//! The update is `burn_optim`'s. Its `ModuleOptimizer` keeps moments by parameter number, which
//! is drawn anew in every process and cannot be resumed from; here they are kept by path.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Shape, Tensor, TensorData};
use burn_optim::{
    AdamW, AdamWConfig, AdamWState, AdaptiveMomentumState, DynState, GradientsParams, Optimizer,
};
use fluxo_models::Tensors;

/// AdamW with decoupled weight decay on matrices; vectors (biases, norms) and embedding tables
/// are not decayed.
pub(crate) struct PathAdamW {
    decayed: AdamW,
    plain: AdamW,
    moments: BTreeMap<String, DynState>,
}

impl PathAdamW {
    /// No moments yet; `config`'s decay is for what is decayed at all.
    pub(crate) fn new(config: &AdamWConfig) -> Self {
        Self {
            decayed: config.build(),
            plain: config.clone().with_weight_decay(0.0).build(),
            moments: BTreeMap::new(),
        }
    }

    /// `module` after one step along `gradients` times `scale`, `[1]`; parameters without a gradient
    /// stay as they are.
    pub(crate) fn step<M: Module>(
        &mut self,
        rate: f64,
        module: M,
        gradients: GradientsParams,
        scale: Option<Tensor<1>>,
    ) -> M {
        module.map(&mut Step {
            optimizer: self,
            at: Path::default(),
            rate,
            gradients,
            scale,
        })
    }

    /// The moments of every parameter of `module` that has some: `PATH.moment_1`,
    /// `PATH.moment_2` in the parameter's shape, `PATH.time` as `[1]`.
    pub(crate) fn save<M: Module>(&self, module: &M) -> Tensors {
        let mut visitor = Save {
            optimizer: self,
            at: Path::default(),
            tensors: Tensors::new(),
        };
        module.visit(&mut visitor);
        visitor.tensors
    }

    /// Takes the moments of `tensors` for the parameters of `module`, on `device`.
    ///
    /// # Errors
    /// A reason, when a moment is absent or has another shape than its parameter, or when one
    /// is left over.
    pub(crate) fn load<M: Module>(
        &mut self,
        module: &M,
        tensors: Tensors,
        device: &Device,
    ) -> Result<(), String> {
        let mut visitor = Load {
            at: Path::default(),
            tensors,
            device,
            moments: BTreeMap::new(),
            problem: None,
        };
        module.visit(&mut visitor);
        if let Some(problem) = visitor.problem {
            return Err(problem);
        }
        if let Some(name) = visitor.tensors.keys().next() {
            return Err(format!("`{name}` belongs to no parameter of the model"));
        }
        self.moments = visitor.moments;
        Ok(())
    }
}

/// Where in the module a visit is.
#[derive(Default)]
struct Path {
    names: Vec<String>,
    containers: Vec<String>,
}

impl Path {
    fn enter(&mut self, name: &str, container: &str) {
        self.names.push(name.to_string());
        self.containers.push(container.to_string());
    }

    fn exit(&mut self) {
        self.names.pop();
        self.containers.pop();
    }

    fn name(&self) -> String {
        self.names.join(".")
    }

    /// Whether a parameter of this rank, here, is decayed.
    fn decays(&self, rank: usize) -> bool {
        rank > 1
            && self
                .containers
                .last()
                .is_none_or(|c| c != "Struct:Embedding")
    }
}

struct Step<'a> {
    optimizer: &'a mut PathAdamW,
    at: Path,
    rate: f64,
    gradients: GradientsParams,
    scale: Option<Tensor<1>>,
}

impl ModuleMapper for Step<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.at.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.at.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, value, mapper) = param.consume();
        let Some(mut gradient) = self.gradients.remove::<D>(id) else {
            return Param::from_mapped_value(id, value, mapper);
        };
        if let Some(scale) = &self.scale {
            gradient = gradient * scale.clone().unsqueeze();
        }
        let path = self.at.name();
        let moments = self
            .optimizer
            .moments
            .remove(&path)
            .map(|m| m.downcast::<AdamWState<D>>());
        let adam = if self.at.decays(D) {
            &self.optimizer.decayed
        } else {
            &self.optimizer.plain
        };
        let requires = value.is_require_grad();
        let (value, moments) = adam.step(self.rate, value.inner(), gradient, moments);
        if let Some(moments) = moments {
            self.optimizer
                .moments
                .insert(path, DynState::create(moments, D));
        }
        let value = value.autodiff().set_require_grad(requires);
        Param::from_mapped_value(id, value, mapper)
    }
}

struct Save<'a> {
    optimizer: &'a PathAdamW,
    at: Path,
    tensors: Tensors,
}

impl ModuleVisitor for Save<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.at.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.at.exit();
    }

    fn visit_float<const D: usize>(&mut self, _param: &Param<Tensor<D>>) {
        let path = self.at.name();
        let Some(state) = self.optimizer.moments.get(&path) else {
            return;
        };
        let momentum = &state.downcast_ref::<AdamWState<D>>().momentum;
        self.tensors
            .insert(format!("{path}.moment_1"), momentum.moment_1.to_data());
        self.tensors
            .insert(format!("{path}.moment_2"), momentum.moment_2.to_data());
        let time = TensorData::from([momentum.time as i64]);
        self.tensors.insert(format!("{path}.time"), time);
    }
}

struct Load<'a> {
    at: Path,
    tensors: Tensors,
    device: &'a Device,
    moments: BTreeMap<String, DynState>,
    problem: Option<String>,
}

impl Load<'_> {
    fn moment<const D: usize>(&mut self, name: &str, shape: &Shape) -> Result<Tensor<D>, String> {
        let data = self
            .tensors
            .remove(name)
            .ok_or_else(|| format!("`{name}` is missing"))?;
        if data.shape() != shape {
            return Err(format!(
                "`{name}` is {}, its parameter {shape}",
                data.shape()
            ));
        }
        Ok(Tensor::from_data(data, self.device))
    }

    fn state<const D: usize>(&mut self, path: &str, shape: &Shape) -> Result<DynState, String> {
        let name = format!("{path}.time");
        let time = self
            .tensors
            .remove(&name)
            .ok_or_else(|| format!("`{name}` is missing"))?;
        let time = match time.as_slice::<i64>() {
            Ok(&[time]) => usize::try_from(time).map_err(|e| format!("`{name}`: {e}"))?,
            _ => return Err(format!("`{name}` is not one i64")),
        };
        let momentum = AdaptiveMomentumState {
            time,
            moment_1: self.moment::<D>(&format!("{path}.moment_1"), shape)?,
            moment_2: self.moment::<D>(&format!("{path}.moment_2"), shape)?,
            max_moment_2: None,
        };
        Ok(DynState::create(AdamWState { momentum }, D))
    }
}

impl ModuleVisitor for Load<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.at.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.at.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let path = self.at.name();
        // A parameter that never had a gradient has no moments.
        let any = ["time", "moment_1", "moment_2"];
        if !any
            .iter()
            .any(|field| self.tensors.contains_key(&format!("{path}.{field}")))
        {
            return;
        }
        match self.state::<D>(&path, &param.lazy_shape()) {
            Ok(state) => {
                self.moments.insert(path, state);
            }
            Err(problem) => {
                self.problem.get_or_insert(problem);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use burn::nn::{Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig};

    #[derive(Module, Debug)]
    struct Tiny {
        table: Embedding,
        norm: LayerNorm,
        linear: Linear,
    }

    fn tiny(device: &Device) -> Tiny {
        Tiny {
            table: EmbeddingConfig::new(5, 3).init(device),
            norm: LayerNormConfig::new(3).init(device),
            linear: LinearConfig::new(3, 2).init(device),
        }
    }

    fn values<const D: usize>(param: &Param<Tensor<D>>) -> Vec<f32> {
        param.val().to_data().as_slice().unwrap().to_vec()
    }

    fn all(m: &Tiny) -> Vec<Vec<f32>> {
        vec![
            values(&m.table.weight),
            values(&m.norm.gamma),
            values(&m.linear.weight),
            values(m.linear.bias.as_ref().unwrap()),
        ]
    }

    fn gradients(m: &Tiny, shift: i64) -> GradientsParams {
        let device = m.linear.weight.val().device();
        let ids = Tensor::from_data([[shift, 1, 2]], &device);
        let out = m.linear.forward(m.norm.forward(m.table.forward(ids)));
        GradientsParams::from_grads(out.square().sum().backward(), m)
    }

    #[test]
    fn resumed_moments_give_the_same_weights() {
        let device = Device::flex().autodiff();
        let config = AdamWConfig::new().with_weight_decay(0.1);
        let mut straight = PathAdamW::new(&config);
        let mut m = tiny(&device);
        let half = Tensor::from_floats([0.5], &device.clone().inner());
        for shift in [0, 3] {
            let g = gradients(&m, shift);
            m = straight.step(0.01, m, g, Some(half.clone()));
        }
        let saved = straight.save(&m);
        assert_eq!(saved["table.weight.time"].as_slice::<i64>().unwrap(), &[2]);
        let mut resumed = PathAdamW::new(&config);
        resumed
            .load(&m, saved.clone(), &device.clone().inner())
            .unwrap();

        let (a, b) = (gradients(&m, 4), gradients(&m, 4));
        let a = straight.step(0.01, m.clone(), a, None);
        let b = resumed.step(0.01, m.clone(), b, None);
        assert_ne!(all(&a), all(&m));
        assert_eq!(all(&a), all(&b));

        let mut missing = saved.clone();
        missing.remove("linear.weight.moment_2");
        let error = resumed.load(&m, missing, &device).unwrap_err();
        assert_eq!(error, "`linear.weight.moment_2` is missing");
        let mut odd = saved.clone();
        odd.insert(
            "linear.weight.moment_2".into(),
            TensorData::from([[1.0f32]]),
        );
        assert!(
            resumed
                .load(&m, odd, &device)
                .unwrap_err()
                .contains("its parameter")
        );
        let mut foreign = saved;
        foreign.insert("head.time".into(), TensorData::from([1i64]));
        assert!(
            resumed
                .load(&m, foreign, &device)
                .unwrap_err()
                .contains("`head.time`")
        );
    }

    #[test]
    fn decay_is_for_matrices_only() {
        let device = Device::flex().autodiff();
        let m = tiny(&device);
        let mut zero = GradientsParams::new();
        let inner = device.clone().inner();
        zero.register::<2>(m.table.weight.id, Tensor::zeros([5, 3], &inner));
        zero.register::<1>(m.norm.gamma.id, Tensor::zeros([3], &inner));
        zero.register::<2>(m.linear.weight.id, Tensor::zeros([3, 2], &inner));
        zero.register::<1>(
            m.linear.bias.as_ref().unwrap().id,
            Tensor::zeros([2], &inner),
        );
        let mut adam = PathAdamW::new(&AdamWConfig::new().with_weight_decay(0.5));
        let before = all(&m);
        let after = all(&adam.step(0.5, m, zero, None));
        assert_eq!(
            [&after[0], &after[1], &after[3]],
            [&before[0], &before[1], &before[3]]
        );
        // 1 - 0.5 * 0.5, exact in float32.
        let decayed: Vec<f32> = before[2].iter().map(|w| w * 0.75).collect();
        assert_eq!(after[2], decayed);
    }
}
