//! `fluxo new`.

use anyhow::{Result, bail};
use burn::module::Module;
use fluxo_models::{Model, NewModelOptions, Text};
use serde_json::json;

use super::device;
use super::fresh::made;
use crate::ExitStatus;
use crate::args::New;
use crate::print::Print;

pub fn run(args: &New, print: Print) -> Result<ExitStatus> {
    let config = args.out.join(fluxo_models::model::CONFIG);
    if config.exists() {
        bail!(
            "{}: there is a checkpoint already; name another folder",
            args.out.display()
        );
    }
    let settings = NewModelOptions {
        preset: args.preset,
        set: args.set.clone(),
        task: args.task,
    };
    let mut model = Model::new(&args.family, &settings, args.seed, &device(None)?)?;
    // A vocabulary of bytes needs no tokenizer.
    if model.config().vocab_size() == 256 {
        model.set_text(Text::bytes());
    }
    made(&args.out, || model.save(&args.out))?;
    let parameters = model.network.num_params();
    let document = json!({
        "folder": args.out,
        "family": model.family(),
        "task": model.task(),
        "parameters": parameters,
    });
    let text = format!(
        "{}: {} for {}, {parameters} parameters",
        args.out.display(),
        model.family(),
        model.task()
    );
    print.result(&document, text)?;
    Ok(ExitStatus::Success)
}
