//! Every family of the zoo, with each of its heads, can be trained: on flex, in the tiny preset.
#![allow(clippy::unwrap_used)]

#[path = "../../../models/tests/common/inputs.rs"]
mod inputs;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{DType, Device, Gradients, Tensor};
use burn_optim::{AdamConfig, GradientsParams};
use fluxo_models::{AnyRank, Batch, Model, Network, NewModelOptions, Taps, Task, catalog};

use inputs::waves;

/// Every family with each of its heads.
fn models() -> impl Iterator<Item = (String, Model)> {
    let classes = catalog::FAMILIES
        .iter()
        .flat_map(|family| family.tasks().map(move |task| (family.name, task)));
    classes.map(|(family, task)| (format!("{family} {task}"), model(family, task, &[])))
}

fn model(family: &str, task: Task, set: &[(&str, &str)]) -> Model {
    let settings = NewModelOptions {
        set: set
            .iter()
            .map(|(k, v)| (k.to_string(), v.to_string()))
            .collect(),
        task: Some(task),
        ..NewModelOptions::default()
    };
    Model::new(family, &settings, 3, &Device::flex()).unwrap()
}

fn batch(model: &Model, device: &Device) -> Batch {
    let inputs = inputs::inputs(model.config());
    fluxo_models::inputs::batch(&inputs, model.config(), device, DType::F32).unwrap()
}

/// How far every output is from values that have nothing to do with it: a mean square each.
fn loss(network: &Network, batch: Batch) -> Tensor<1> {
    fn off<const D: usize>(output: Tensor<D>) -> Tensor<1> {
        let wanted = Tensor::from_data(waves(&output.dims()), &output.device());
        (output - wanted).square().mean()
    }
    let output = network.forward(batch, &mut Taps::off());
    let losses = output
        .named(network)
        .into_iter()
        .filter_map(|(name, output)| match output {
            _ if name.starts_with("present.") => None,
            AnyRank::Two(output) => Some(off(output)),
            AnyRank::Three(output) => Some(off(output)),
            AnyRank::Four(_) => None,
        });
    losses.reduce(|a, b| a + b).unwrap()
}

/// What is wrong with the gradients of a network's parameters.
struct Check<'a> {
    gradients: &'a Gradients,
    /// Whether every position has a part in the loss.
    reads_all: bool,
    path: Vec<String>,
    checked: usize,
    problems: Vec<String>,
}

impl ModuleVisitor for Check<'_> {
    fn enter_module(&mut self, name: &str, _kind: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _kind: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.checked += 1;
        let path = self.path.join(".");
        let Some(gradient) = param.val().grad(self.gradients) else {
            return self.problems.push(format!("{path} has none"));
        };
        let largest: f32 = gradient.abs().max().into_scalar();
        // What is added to every key changes each score of a query alike, and softmax does not
        // see it: of a key's bias (where nothing rotates or norms it) rounding is all there is.
        // And of the last layer's experts the few positions that are read may use none.
        let may_be_zero =
            path.ends_with("key.bias") || (path.contains("experts") && !self.reads_all);
        if !largest.is_finite() || (largest == 0.0 && !may_be_zero) {
            self.problems.push(format!("{path} has {largest}"));
        }
    }
}

#[test]
fn every_parameter_has_a_gradient() {
    let device = Device::flex().autodiff();
    let mut tried = 0;
    for (name, model) in models() {
        let network = model.network.clone().train();
        let gradients = loss(&network, batch(&model, &device)).backward();
        let mut check = Check {
            gradients: &gradients,
            reads_all: model.network.answers_positions() || model.config().head.is_none(),
            path: Vec::new(),
            checked: 0,
            problems: Vec::new(),
        };
        network.visit(&mut check);
        assert!(check.problems.is_empty(), "{name}: {:?}", check.problems);
        assert!(check.checked > 20, "{name}: {}", check.checked);
        tried += 1;
    }
    assert!(tried >= 100, "only {tried} were tried");
}

#[test]
fn a_few_steps_lower_the_loss() {
    let device = Device::flex().autodiff();
    for (name, model) in models() {
        let mut network = model.network.clone().train();
        let mut adam = AdamConfig::new().init();
        let mut losses = Vec::new();
        for _ in 0..4 {
            let loss = loss(&network, batch(&model, &device));
            losses.push(loss.clone().into_scalar::<f32>());
            let gradients = GradientsParams::from_grads(loss.backward(), &network);
            network = adam.step(1e-5, network, gradients);
        }
        assert!(losses[3] < losses[0], "{name}: {losses:?}");
    }
}
