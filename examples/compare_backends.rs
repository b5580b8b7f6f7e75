//! The same model on two Burn backends and in two ONNX runtimes: do they agree?
//!
//! cargo run -p fluxo-examples --example compare_backends

use fluxo_compare::{compare, inputs::samples, open};
use fluxo_models::{Model, NewModelOptions, OutputOptions};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = fluxo_backends::device("flex")?;
    let model = Model::new("bert", &NewModelOptions::default(), 7, &device)?;
    let folder = std::env::temp_dir().join(format!("fluxo-compare-{}", std::process::id()));
    model.save(&folder)?;

    let names = ["flex", "ndarray", "tract", "rten"].map(String::from);
    let mut opened = open::open(
        std::slice::from_ref(&folder),
        &names,
        OutputOptions::default(),
    )?;
    let inputs = samples::inputs(model.config(), 2, 16);
    let report = compare(&mut opened.runners, &inputs, None)?;
    println!("{report}");
    std::fs::remove_dir_all(folder)?;
    Ok(())
}
