//! `fluxo generate`.

use std::path::Path;

use anyhow::{Context, Result, bail};
use burn::tensor::DType;
use fluxo_compare::engine::OnnxEngine;
use fluxo_compare::{Exported, artifact};
use fluxo_models::audio::AudioProcessor;
use fluxo_models::catalog::{self, Description};
use fluxo_models::chat::{ChatTemplate, Message};
use fluxo_models::config::Raw;
use fluxo_models::generate::{Prompts, Sampling, generate_all};
use fluxo_models::model::CONFIG;
use fluxo_models::{Model, Task, Text};
use serde_json::{Value, json};

use super::{device, runtime, tokens, untasked};
use crate::Held;
use crate::args::{self, Generate};
use crate::print::Print;

pub fn run(args: &Generate, print: Print) -> Result<Held> {
    let source = Source::open(args)?;
    let model = &source.model;
    let prompts = prompts(model, source.home, &args.prompt)?;
    let sampling = sampling(args, source.home, model)?;
    // What an encoder reads is not the beginning of what is written.
    let shown = match model.config().encodes_and_decodes() || print.quiet {
        true => &[],
        false => args.prompt.prompt.as_slice(),
    };
    let limit = args.max_new_tokens;
    if prompts.count() == 1 {
        print.stream(shown.first().map_or("", String::as_str))?;
        return one(&source, &prompts, limit, &sampling, print);
    }
    let texts = source.generate(&prompts, limit, &sampling, |_, _| {})?;
    let mut rows = Vec::with_capacity(texts.len());
    let mut lines = Vec::with_capacity(texts.len());
    for (row, ids) in texts.iter().enumerate() {
        let text = decoded(model, ids)?;
        let before = shown.get(row).map_or("", String::as_str);
        lines.push(match &text {
            Some(text) => format!("{before}{text}"),
            None => numbers(ids),
        });
        rows.push(document(ids, text));
    }
    print.result(&json!({"rows": rows}), lines.join("\n"))?;
    Ok(Held::Yes)
}

/// Writes the text of the only prompt as it comes.
fn one(
    source: &Source<'_>,
    prompts: &Prompts,
    limit: usize,
    sampling: &Sampling,
    print: Print,
) -> Result<Held> {
    let model = &source.model;
    let mut stream = model.text().map(Text::stream);
    let mut broken = None;
    let texts = source.generate(prompts, limit, sampling, |_, token| {
        if let Some(stream) = &mut stream
            && broken.is_none()
        {
            let shown = stream.push(token).map_err(anyhow::Error::from);
            let shown = shown.and_then(|piece| print.stream(&piece.unwrap_or_default()));
            broken = shown.err();
        }
    })?;
    if let Some(error) = broken {
        return Err(error);
    }
    let ids = texts.into_iter().next().unwrap_or_default();
    let text = decoded(model, &ids)?;
    let rest = match stream {
        Some(stream) => stream.finish()?.unwrap_or_default(),
        None => numbers(&ids),
    };
    print.result(&document(&ids, text), rest)?;
    Ok(Held::Yes)
}

/// What writes: a checkpoint, or an exported model in a runtime.
struct Source<'a> {
    /// Of an exported model without its weights.
    model: Model,
    engine: Option<OnnxEngine>,
    /// The folder that says how texts are read and written.
    home: &'a Path,
}

impl<'a> Source<'a> {
    fn open(args: &'a Generate) -> Result<Self> {
        let home = artifact::home(&args.model);
        let Some(graph) = artifact::graph_of(&args.model)? else {
            let device = device(args.on.as_deref())?;
            let task = args.task.or_else(|| task(home));
            let (model, _) = Model::load_as(&args.model, task, &device, args.dtype)?;
            return Ok(Self {
                model,
                engine: None,
                home,
            });
        };
        if args.dtype != DType::F32 {
            bail!("--dtype is for checkpoints: the types of an ONNX file are in it");
        }
        untasked(&args.model, args.task)?;
        let runtime = runtime(args.on.as_deref())?;
        let task = Exported::read(home).map_or_else(|_| task(home), |own| Some(own.task));
        let model = Model::described(home, task, &device(None)?)?;
        let engine = OnnxEngine::open(&graph, runtime, &model)?;
        Ok(Self {
            model,
            engine: Some(engine),
            home,
        })
    }

    fn generate(
        &self,
        prompts: &Prompts,
        limit: usize,
        sampling: &Sampling,
        on_token: impl FnMut(usize, u32),
    ) -> Result<Vec<Vec<u32>>> {
        let model = &self.model;
        Ok(match &self.engine {
            Some(engine) => engine.generate(model, prompts, limit, sampling, on_token)?,
            None => generate_all(model, prompts, limit, sampling, on_token)?,
        })
    }
}

fn document(ids: &[u32], text: Option<String>) -> Value {
    json!({"ids": ids, "text": text})
}

fn decoded(model: &Model, ids: &[u32]) -> Result<Option<String>> {
    Ok(model.text().map(|text| text.decode(ids)).transpose()?)
}

fn numbers(ids: &[u32]) -> String {
    let ids: Vec<_> = ids.iter().map(u32::to_string).collect();
    ids.join(",")
}

/// What the checkpoint in `dir` is loaded for: its own task where that generates, which is
/// `None`, else one of its family's that does.
fn task(dir: &Path) -> Option<Task> {
    let raw = Raw::read(&dir.join(CONFIG)).ok()?;
    let own = Description::of(raw.clone(), None);
    if own.is_ok_and(|own| own.class.task.generates()) || !raw.names_a_model() {
        return None;
    }
    let family = catalog::family(raw.text("model_type").ok()??).ok()?;
    let generating = family.tasks().find(|task| task.generates());
    Some(generating.unwrap_or(Task::TextGeneration))
}

/// What is generated for.
fn prompts(model: &Model, dir: &Path, given: &args::Prompt) -> Result<Prompts> {
    if let Some(path) = &given.sound {
        let processor = AudioProcessor::load(dir)?
            .context("the model has neither processor_config.json nor preprocessor_config.json, which say how it hears")?;
        return Ok(Prompts::Sound(processor.read(path)?));
    }
    if let Some(message) = &given.chat {
        let template = ChatTemplate::load(dir)?
            .context("the model has no chat template; give --prompt instead")?;
        let message = Message::new("user", message);
        let written = template.render(&[message], true)?;
        let text = model
            .text()
            .context("the model has no tokenizer, so it reads no text; give --ids instead")?;
        let ids = text.encode_without_special(&written)?;
        return Ok(Prompts::Tokens(vec![ids]));
    }
    let texts = given.prompt.iter();
    let mut rows: Vec<Vec<u32>> = texts
        .map(|prompt| tokens(model, Some(prompt), None))
        .collect::<Result<_>>()?;
    rows.extend(given.ids.iter().map(|ids| ids.0.clone()));
    Ok(Prompts::Tokens(rows))
}

/// How tokens are chosen.
fn sampling(args: &Generate, home: &Path, model: &Model) -> Result<Sampling> {
    let of_checkpoint = Sampling::of_checkpoint(home, model)?;
    let drawn = args.top_k.is_some() || args.top_p.is_some() || args.min_p.is_some();
    let mut sampling = Sampling {
        temperature: args.temperature.unwrap_or(if drawn { 1.0 } else { 0.0 }),
        top_k: args.top_k,
        top_p: args.top_p,
        min_p: args.min_p,
        repetition_penalty: args.repetition_penalty,
        beams: args.beams,
        length_penalty: args.length_penalty,
        seed: args.seed,
        cache: !args.no_cache,
        ..of_checkpoint
    };
    if args.ignore_end {
        sampling.stop.clear();
        sampling.rules.last.clear();
    }
    Ok(sampling)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::Parser;

    use super::*;
    use crate::args::{Args, Command};

    fn fixture(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../tests/fixtures/hf")
            .join(name)
    }

    fn parsed(rest: &[&str]) -> Result<Generate, clap::Error> {
        let all = ["fluxo", "generate", "model"].iter().chain(rest);
        match Args::try_parse_from(all)?.command {
            Command::Generate(args) => Ok(args),
            _ => unreachable!("the verb is `generate`"),
        }
    }

    #[test]
    fn a_checkpoint_is_loaded_for_what_generates() {
        // Its own head.
        for own in ["gpt2", "t5", "bart", "whisper"] {
            assert_eq!(task(&fixture(own)), None, "{own}");
        }
        // Another of the family's.
        assert_eq!(task(&fixture("gpt2-classify")), Some(Task::TextGeneration));
        let bart = task(&fixture("bart-classify"));
        assert_eq!(bart, Some(Task::Text2TextGeneration));
        // None: what the loader says of it is shown.
        assert_eq!(task(&fixture("bert")), Some(Task::TextGeneration));
        assert_eq!(task(&fixture("none")), None);
    }

    #[test]
    fn prompts_are_of_one_kind_and_may_be_several() {
        let args = parsed(&["--ids", "1, 2,3", "--ids", "4"]).unwrap();
        let rows: Vec<_> = args.prompt.ids.iter().map(|ids| ids.0.clone()).collect();
        assert_eq!(rows, [vec![1, 2, 3], vec![4]]);
        let args = parsed(&["--prompt", "a, b", "--prompt", ""]).unwrap();
        assert_eq!(args.prompt.prompt, ["a, b", ""]);
        assert!(parsed(&[]).is_err());
        assert!(parsed(&["--ids", "1", "--prompt", "a"]).is_err());
        assert!(parsed(&["--ids", "-1"]).is_err());
        let args = parsed(&["--chat", "a", "--length-penalty", "-0.5"]).unwrap();
        assert_eq!(args.length_penalty, -0.5);
    }
}
