//! `fluxo generate`.

use anyhow::Result;
use fluxo_models::generate::{Sampling, generate};
use fluxo_models::{Model, Task};
use serde_json::json;

use super::{device, tokens};
use crate::Held;
use crate::args::Generate;
use crate::print::Print;

pub fn run(args: &Generate, print: Print) -> Result<Held> {
    let device = device(args.on.as_deref())?;
    let (model, _) = Model::load(&args.model, Some(Task::TextGeneration), &device)?;
    let prompt = tokens(
        &model,
        args.prompt.prompt.as_deref(),
        args.prompt.ids.as_deref(),
    )?;
    let sampled = args.top_k.is_some() || args.top_p.is_some();
    let sampling = Sampling {
        temperature: args.temperature.unwrap_or(if sampled { 1.0 } else { 0.0 }),
        top_k: args.top_k,
        top_p: args.top_p,
        seed: args.seed,
        stop: match args.ignore_end {
            true => Vec::new(),
            false => model.raw().end_tokens(),
        },
    };
    if !print.quiet {
        print.stream(args.prompt.prompt.as_deref().unwrap_or_default())?;
    }
    let mut written = Vec::new();
    let mut shown = 0;
    let mut broken = None;
    let ids = generate(&model, &prompt, args.max_new_tokens, &sampling, |token| {
        written.push(token);
        let whole = model.text().and_then(|text| text.decode(&written).ok());
        // A character that is not whole yet waits for its other bytes.
        let Some(text) = whole.filter(|text| !text.ends_with('\u{FFFD}')) else {
            return;
        };
        if let Some(new) = text.get(shown..) {
            broken = broken.take().or(print.stream(new).err());
            shown = text.len();
        }
    })?;
    if let Some(error) = broken {
        return Err(error);
    }
    let text = model.text().map(|text| text.decode(&ids)).transpose()?;
    let rest = match &text {
        Some(text) => text.get(shown..).unwrap_or_default().to_string(),
        None => ids.iter().map(u32::to_string).collect::<Vec<_>>().join(","),
    };
    print.result(&json!({"ids": ids, "text": text}), rest)?;
    Ok(Held::Yes)
}
