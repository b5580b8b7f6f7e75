//! A module as a list of steps, each of which reads earlier values.

use std::rc::Rc;

use burn::module::{Module, Param};
use burn::nn::conv::{Conv1d, Conv2d, ConvTranspose1d};
use burn::nn::{BatchNorm, Embedding, GroupNorm, LayerNorm, Linear, RmsNorm};
use burn::tensor::{Device, Tensor};
use fluxo_onnx::{Args, Dim, Input, Kind, Outputs, Spec};

use super::value::{Rank, Value};

/// What the steps read besides values.
#[derive(Module, Debug, Default)]
pub struct Weights {
    pub linears: Vec<Linear>,
    pub layer_norms: Vec<LayerNorm>,
    pub rms_norms: Vec<RmsNorm>,
    pub group_norms: Vec<GroupNorm>,
    pub batch_norms: Vec<BatchNorm>,
    pub conv1d: Vec<Conv1d>,
    pub conv2d: Vec<Conv2d>,
    pub transposed: Vec<ConvTranspose1d>,
    pub tables: Vec<Embedding>,
    pub vectors: Vec<Param<Tensor<1>>>,
    /// `[64, width]`, of which positions are sliced.
    pub positions: Vec<Param<Tensor<2>>>,
}

/// Computes a value from its operands.
pub type Run = Rc<dyn Fn(&Weights, &Device, Vec<Value>) -> Value>;

/// One operation.
#[derive(Clone)]
pub struct Step {
    /// The operation's own name, for counts.
    pub name: &'static str,
    /// Burn code, `$0` for the first operand.
    pub code: String,
    pub operands: Vec<usize>,
    /// Whether it only moves elements: what is bit for bit the same everywhere stays so.
    pub moves: bool,
    pub run: Run,
}

/// A module: values are the inputs and then the steps' results, in order.
#[derive(Clone)]
pub struct Program {
    pub inputs: Vec<Input>,
    /// Smallest sizes.
    pub minima: Vec<(String, usize)>,
    pub weights: Weights,
    pub steps: Vec<Step>,
    pub outputs: Vec<usize>,
}

impl Program {
    pub fn spec(&self) -> Spec {
        let mut spec = Spec::new("random");
        for input in &self.inputs {
            spec = spec.input(input.clone());
        }
        for (name, min) in &self.minima {
            // Tables of positions have 64 rows.
            spec = spec.size_min(name, *min).size_max(name, 64);
        }
        spec
    }

    /// Which values the outputs depend on.
    pub fn live(&self) -> Vec<bool> {
        let first = self.inputs.len();
        let mut live = vec![false; first + self.steps.len()];
        self.outputs.iter().for_each(|output| live[*output] = true);
        for (index, step) in self.steps.iter().enumerate().rev() {
            if live[first + index] {
                step.operands
                    .iter()
                    .for_each(|operand| live[*operand] = true);
            }
        }
        live
    }

    /// Without the steps that no output depends on.
    pub fn pruned(mut self) -> Self {
        let live = self.live();
        let first = self.inputs.len();
        let mut moved: Vec<usize> = (0..first).collect();
        let mut steps = Vec::new();
        for (index, mut step) in self.steps.into_iter().enumerate() {
            moved.push(first + steps.len());
            if live[first + index] {
                step.operands
                    .iter_mut()
                    .for_each(|operand| *operand = moved[*operand]);
                steps.push(step);
            }
        }
        self.outputs
            .iter_mut()
            .for_each(|output| *output = moved[*output]);
        self.steps = steps;
        self
    }

    /// Every value, from the inputs' values; `after` may change each step's result.
    pub fn values(
        &self,
        weights: &Weights,
        device: &Device,
        mut values: Vec<Value>,
        mut after: impl FnMut(Value) -> Value,
    ) -> Vec<Value> {
        for step in &self.steps {
            let operands = step.operands.iter().map(|index| values[*index].clone());
            let value = (step.run)(weights, device, operands.collect());
            values.push(after(value));
        }
        values
    }

    /// What is exported.
    pub fn forward(&self, weights: &Weights, args: &mut Args) -> Outputs {
        let given = self.inputs.iter().map(|input| take(args, input)).collect();
        let device = args.device();
        let values = self.values(weights, &device, given, |value| value);
        let mut outputs = Outputs::new();
        for (index, output) in self.outputs.iter().enumerate() {
            outputs = put(outputs, &format!("y{index}"), values[*output].clone());
        }
        outputs
    }

    /// The program as Burn code.
    pub fn code(&self) -> String {
        let mut text = String::new();
        for (index, input) in self.inputs.iter().enumerate() {
            let dims: Vec<String> = input.dims.iter().map(Dim::to_string).collect();
            let kind = match input.kind {
                Kind::Float => "",
                Kind::Int => ", Int",
                Kind::Bool => ", Bool",
            };
            let (rank, dims) = (dims.len(), dims.join(", "));
            text += &format!(
                "v{index}: Tensor<{rank}{kind}>; // {} [{dims}]\n",
                input.name
            );
        }
        for (index, step) in self.steps.iter().enumerate() {
            let mut code = step.code.clone();
            for (slot, operand) in step.operands.iter().enumerate() {
                code = code.replace(&format!("${slot}"), &format!("v{operand}"));
            }
            text += &format!("let v{} = {code};\n", self.inputs.len() + index);
        }
        let outputs: Vec<String> = self.outputs.iter().map(|o| format!("v{o}")).collect();
        text + &format!("({}) // minima {:?}\n", outputs.join(", "), self.minima)
    }
}

fn take(args: &mut Args, input: &Input) -> Value {
    let name = &input.name;
    macro_rules! ranks {
        ($take:ident) => {
            match input.dims.len() {
                1 => args.$take::<1>(name).into(),
                2 => args.$take::<2>(name).into(),
                3 => args.$take::<3>(name).into(),
                _ => args.$take::<4>(name).into(),
            }
        };
    }
    match input.kind {
        Kind::Float => ranks!(float),
        Kind::Int => ranks!(int),
        Kind::Bool => ranks!(bool),
    }
}

fn put(outputs: Outputs, name: &str, value: Value) -> Outputs {
    macro_rules! ranks {
        ($rank:expr, $put:ident) => {
            match $rank {
                Rank::R1(t) => outputs.$put(name, t),
                Rank::R2(t) => outputs.$put(name, t),
                Rank::R3(t) => outputs.$put(name, t),
                Rank::R4(t) => outputs.$put(name, t),
            }
        };
    }
    match value {
        Value::F(rank) => ranks!(rank, float),
        Value::I(rank) => ranks!(rank, int),
        Value::B(rank) => ranks!(rank, bool),
    }
}
