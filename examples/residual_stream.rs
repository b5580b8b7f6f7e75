//! Every named point of the residual stream, pre-norm and post-norm, and how large it is there.
//!
//! cargo run -p fluxo-examples --example residual_stream

use burn::tensor::{Int, Tensor};
use fluxo_models::{Batch, Model, NewModelOptions, Taps};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = fluxo_backends::device("flex")?;
    for family in ["gpt2", "bert"] {
        let model = Model::new(family, &NewModelOptions::default(), 1, &device)?;
        let ids = Tensor::<2, Int>::from_data([[70, 108, 117, 120, 111]], &device);
        let mut taps = Taps::on();
        model.network.forward(Batch::new(ids), &mut taps);
        println!(
            "{family}, {:?}-norm",
            model.config().main().block().norm_position
        );
        for (name, value) in taps.into_found() {
            let norm: f32 = value.square().sum_dim(2).sqrt().mean().into_scalar();
            println!("  {name:<18} {norm:.3}");
        }
    }
    Ok(())
}
