//! `fluxo inspect`.

use anyhow::{Context, Result};
use burn::tensor::TensorData;
use fluxo_compare::inputs::split;
use fluxo_models::{Model, tensors};

use super::{device, row, tokens};
use crate::Held;
use crate::args::Inspect;
use crate::print::Print;

pub fn run(args: &Inspect, print: Print) -> Result<Held> {
    let device = device(args.on.as_deref())?;
    let (model, _) = Model::load(&args.model, args.task, &device)?;
    let inputs = match &args.input.inputs {
        Some(path) => split(&tensors::read(path)?).0,
        None => {
            let ids = tokens(
                &model,
                args.input.prompt.as_deref(),
                args.input.ids.as_deref(),
            )?;
            let mut inputs = (!ids.is_empty())
                .then(|| row(&ids))
                .context("the prompt is empty: give it at least one token")?;
            // An encoder reads the prompt; the decoder is about to start.
            if model.config().encodes_and_decodes() {
                let start = model.config().decoder_start.unwrap_or_default() as i64;
                let start = TensorData::new(vec![start], [1, 1]);
                inputs.insert("decoder_input_ids".into(), start);
            }
            inputs
        }
    };
    let report = fluxo_inspect::stream(&model, &inputs)?;
    print.result(&report, &report)?;
    Ok(Held::Yes)
}
