//! `fluxo inspect`.

use anyhow::{Context, Result};
use fluxo_compare::inputs::split;
use fluxo_models::{Model, tensors};

use super::{device, row, tokens};
use crate::Held;
use crate::args::Inspect;
use crate::print::Print;

pub fn run(args: &Inspect, print: Print) -> Result<Held> {
    let device = device(args.on.as_deref())?;
    let (model, _) = Model::load(&args.model, None, &device)?;
    let inputs = match &args.input.inputs {
        Some(path) => split(&tensors::read(path)?).0,
        None => {
            let ids = tokens(
                &model,
                args.input.prompt.as_deref(),
                args.input.ids.as_deref(),
            )?;
            (!ids.is_empty())
                .then(|| row(&ids))
                .context("the prompt is empty: give it at least one token")?
        }
    };
    let report = fluxo_inspect::stream(&model, &inputs)?;
    print.result(&report, &report)?;
    Ok(Held::Yes)
}
