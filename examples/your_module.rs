//! A module of your own, as a project has it: a saved record, several inputs of which one is
//! optional, several outputs. Exported in 32 and in 16 bits, its weights beside the file, and held
//! to float64 in the runtimes and on the backends that are here.
//!
//! cargo run -p fluxo-examples --example your_module

use burn::module::Module;
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};
use burn::tensor::{DType, Device, Int, Tensor, activation::gelu};
use fluxo_onnx::{Args, Dim, Input, Options, Outputs, Spec, export};
use fluxo_verify::ModuleCheck;

/// Scores texts, and gives the vector that they are scored by.
#[derive(Module, Debug)]
struct Scorer {
    table: Embedding,
    inner: Linear,
    head: Linear,
}

/// What it reads.
struct Reads {
    /// Tokens: `[batch, sequence]`.
    ids: Tensor<2, Int>,
    /// How much each token counts, `[batch, sequence]`; all alike where it is absent.
    shares: Option<Tensor<2>>,
}

/// What it gives.
struct Gives {
    scores: Tensor<2>, // [batch, 3]
    vector: Tensor<2>, // [batch, 16]
}

impl Scorer {
    fn new(device: &Device) -> Self {
        Self {
            table: EmbeddingConfig::new(100, 16).init(device),
            inner: LinearConfig::new(16, 16).init(device),
            head: LinearConfig::new(16, 3).init(device),
        }
    }

    fn forward(&self, reads: Reads) -> Gives {
        let x = gelu(self.inner.forward(self.table.forward(reads.ids))); // [batch, seq, 16]
        let vector = match reads.shares {
            Some(shares) => (x * shares.unsqueeze_dim(2)).sum_dim(1),
            None => x.mean_dim(1),
        };
        let vector: Tensor<2> = vector.squeeze_dim(1);
        Gives {
            scores: self.head.forward(vector.clone()),
            vector,
        }
    }
}

/// From the named inputs of a file to the module's own struct, and back.
fn forward(scorer: &Scorer, args: &mut Args) -> Outputs {
    let reads = Reads {
        ids: args.int("ids"),
        shares: args.has("shares").then(|| args.float("shares")),
    };
    let gives = scorer.forward(reads);
    Outputs::new()
        .float("scores", gives.scores)
        .float("vector", gives.vector)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join("fluxo-examples");
    std::fs::create_dir_all(&folder)?;
    let device = fluxo_backends::device("flex")?;

    // Weights come from a record: the exporter writes those that the module holds.
    let record = folder.join("scorer.bpk");
    Scorer::new(&device).save_file(&record)?;
    let scorer = Scorer::new(&device).try_load_file(&record)?;

    // Names are dimensions that stay open; the same name is the same size.
    let text: [Dim; 2] = ["batch".into(), "sequence".into()];
    let plain = Spec::new("scorer").input(Input::int("ids", text.clone()));
    let shared = plain.clone().input(Input::float("shares", text));

    // An optional input is there or not: a file for each.
    for (name, spec) in [("scorer.onnx", &plain), ("shared.onnx", &shared)] {
        export(&scorer, spec, &Options::default(), forward)?.write(folder.join(name))?;
    }
    // Weights of 16 bits, in a file of their own beside the graph.
    let half = Options {
        dtype: Some(DType::F16),
        external_over: 0,
        ..Options::default()
    };
    let model = export(&scorer, &shared, &half, forward)?;
    model.write(folder.join("half.onnx"))?;
    println!("{:?}", model.outputs()[0].dims);

    // The proof: every runtime and backend that is here, at sizes that no recording had.
    let check = ModuleCheck {
        integers: [("ids".to_string(), 0..100)].into(),
        on: vec!["ndarray".to_string()],
        ..ModuleCheck::default()
    };
    let report = check.run(&scorer, &shared, forward)?;
    println!("{}", report.end());
    Ok(())
}
