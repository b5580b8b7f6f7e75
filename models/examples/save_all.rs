//! Saves every family with each of its heads, and what it computes, into a folder; with torch and
//! transformers at hand, `load_saved.py` then loads them all there and compares.
//!
//! cargo run -p fluxo-models --example save_all -- DIR && python models/examples/load_saved.py DIR

#[path = "../tests/common/inputs.rs"]
mod inputs;

use std::path::PathBuf;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Distribution, Tensor};
use fluxo_models::{Model, NewModelOptions, OutputOptions, Tensors, catalog, tensors};

/// Sets vectors to random values: fresh biases are all 0 and gains all 1, so that exchanged ones
/// would not show.
struct Vectors;

impl ModuleMapper for Vectors {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match D {
            1 => param.map(|values| values.random_like(Distribution::Default)),
            _ => param,
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder: PathBuf = std::env::args().nth(1).ok_or("name a folder")?.into();
    let device = fluxo_backends::device("flex")?;
    for family in catalog::FAMILIES {
        for task in family.tasks() {
            let settings = NewModelOptions {
                task: Some(task),
                ..NewModelOptions::default()
            };
            let mut model = Model::new(family.name, &settings, 3, &device)?;
            model.network = model.network.map(&mut Vectors);
            let dir = folder.join(format!("{}--{task}", family.name));
            model.save(&dir)?;
            let mut inputs = inputs::inputs(model.config());
            // Transformers counts padding on the left as positions.
            inputs.retain(|name, _| !name.ends_with("_mask"));
            let outputs = model.run(&inputs, &OutputOptions::default())?;
            let named = |prefix, tensors: Tensors| {
                let named = tensors.into_iter();
                named.map(move |(name, data)| (format!("{prefix}.{name}"), data))
            };
            let all = named("in", inputs).chain(named("out", outputs));
            tensors::write(&dir.join("reference.safetensors"), &all.collect())?;
        }
    }
    Ok(())
}
