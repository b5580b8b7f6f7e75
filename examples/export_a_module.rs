//! Any Burn module to ONNX: a small classifier of our own, with an open batch size.
//!
//! cargo run -p fluxo-examples --example export_a_module

use burn::module::Module;
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Tensor, activation::gelu};
use fluxo_onnx::{Dim, Input, Options, Outputs, Spec, export};

#[derive(Module, Debug)]
struct Classifier {
    norm: LayerNorm,
    hidden: Linear,
    output: Linear,
}

impl Classifier {
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let x = gelu(self.hidden.forward(self.norm.forward(x))); // [batch, 32]
        self.output.forward(x) // [batch, 3]
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = fluxo_backends::device("flex")?;
    let classifier = Classifier {
        norm: LayerNormConfig::new(8).init(&device),
        hidden: LinearConfig::new(8, 32).init(&device),
        output: LinearConfig::new(32, 3).init(&device),
    };
    let spec = Spec::new("classifier").input(Input::float("x", ["batch".into(), Dim::Fixed(8)]));
    let model = export(&classifier, &spec, &Options::default(), |module, args| {
        Outputs::new().float("scores", module.forward(args.float::<2>("x")))
    })?;
    let folder = std::env::temp_dir().join("fluxo-examples");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("classifier.onnx");
    model.write(&path)?;
    for output in model.outputs() {
        println!("{} {:?} -> {}", output.name, output.dims, path.display());
    }
    Ok(())
}
