//! `fluxo generate`.

use std::path::Path;

use anyhow::{Context, Result, bail};
use burn::tensor::DType;
use fluxo_compare::engine::OnnxEngine;
use fluxo_compare::{ExportManifest, open};
use fluxo_models::audio::AudioProcessor;
use fluxo_models::catalog::{self, Description};
use fluxo_models::chat::{ChatTemplate, Message};
use fluxo_models::config::RawConfig;
use fluxo_models::generate::{Habits, Prompts, generate_all};
use fluxo_models::model::CONFIG;
use fluxo_models::{Model, Task, Text};
use serde_json::{Value, json};

use super::{device, habits, runtime, tokens, untasked};
use crate::ExitStatus;
use crate::args::{self, Generate};
use crate::print::Print;

pub fn run(args: &Generate, print: Print) -> Result<ExitStatus> {
    let source = Source::open(args)?;
    let model = &source.model;
    let prompts = prompts(model, source.home, &args.prompt)?;
    let habits = habits(args, source.home, model)?;
    if habits.draws {
        print.aside(habits::drawing(&habits.sampling))?;
    }
    // What an encoder reads is not the beginning of what is written.
    let shown = if model.config().encodes_and_decodes() || print.quiet {
        &[]
    } else {
        args.prompt.prompt.as_slice()
    };
    let each = habits.sampling.num_return_sequences;
    if prompts.count() == 1 && each == 1 {
        print.stream(shown.first().map_or("", String::as_str))?;
        return one(&source, &prompts, &habits, print);
    }
    let texts = source.generate(&prompts, &habits, |_, _| {})?;
    let mut rows = Vec::with_capacity(texts.len());
    let mut lines = Vec::with_capacity(texts.len());
    for (row, ids) in texts.iter().enumerate() {
        let text = decoded(model, ids)?;
        let before = shown.get(row / each).map_or("", String::as_str);
        lines.push(match &text {
            Some(text) => format!("{before}{text}"),
            None => numbers(ids),
        });
        rows.push(document(&habits, ids, text));
    }
    print.result(&json!({"rows": rows}), lines.join("\n"))?;
    let cut = texts.iter().zip(&rows).filter(|(_, row)| is_cut(row));
    let longest = cut.max_by_key(|(ids, _)| ids.len());
    if let Some((ids, _)) = longest {
        say_stopped(&habits, ids, print)?;
    }
    Ok(ExitStatus::Success)
}

/// Whether a text ended for its length.
fn is_cut(document: &Value) -> bool {
    document["finish_reason"] == "length"
}

fn say_stopped(habits: &Habits, ids: &[u32], print: Print) -> Result<()> {
    match habits::stopped(habits, ids.len()) {
        Some(why) => print.aside(why),
        None => Ok(()),
    }
}

/// Writes the text of the only prompt as it comes.
fn one(
    source: &Source<'_>,
    prompts: &Prompts,
    habits: &Habits,
    print: Print,
) -> Result<ExitStatus> {
    let model = &source.model;
    let mut stream = model.text().map(Text::stream);
    let mut broken = None;
    let texts = source.generate(prompts, habits, |_, token| {
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
    let document = document(habits, &ids, text);
    print.result(&document, rest)?;
    if is_cut(&document) {
        say_stopped(habits, &ids, print)?;
    }
    Ok(ExitStatus::Success)
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
        let home = open::home(&args.model);
        let Some(graph) = open::graph_of(&args.model)? else {
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
        let task = ExportManifest::read(home).map_or_else(|_| task(home), |own| Some(own.task));
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
        habits: &Habits,
        on_token: impl FnMut(usize, u32),
    ) -> Result<Vec<Vec<u32>>> {
        let model = &self.model;
        let (limit, sampling) = (habits.max_new_tokens, &habits.sampling);
        Ok(match &self.engine {
            Some(engine) => engine.generate(model, prompts, limit, sampling, on_token)?,
            None => generate_all(model, prompts, limit, sampling, on_token)?,
        })
    }
}

fn document(habits: &Habits, ids: &[u32], text: Option<String>) -> Value {
    let reason = habits::finish_reason(&habits.sampling, ids, text.as_deref());
    json!({"ids": ids, "text": text, "finish_reason": reason})
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
    let raw = RawConfig::read(&dir.join(CONFIG)).ok()?;
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

/// How tokens are chosen, and how many.
fn habits(args: &Generate, home: &Path, model: &Model) -> Result<Habits> {
    let asked = habits::asked(&args.habits)?;
    let mut habits = Habits::of_checkpoint(home, model, &asked, habits::USUAL)?;
    let sampling = &mut habits.sampling;
    sampling.seed = args.seed;
    sampling.cache &= !args.no_cache;
    if args.ignore_end {
        sampling.stop.clear();
        sampling.stop_strings.clear();
        sampling.constraints.last.clear();
    }
    Ok(habits)
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
        assert_eq!(args.habits.length_penalty, Some(-0.5));
    }
}
