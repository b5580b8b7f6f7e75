//! `fluxo run`.

use std::time::Instant;

use anyhow::{Context, Result, bail};
use burn::tensor::DType;
use fluxo_compare::checks::timing::peak_memory;
use fluxo_compare::engine::OnnxEngine;
use fluxo_compare::inputs::split;
use fluxo_compare::open::{self, Given};
use fluxo_compare::runner::{Kind, Runner};
use fluxo_models::answer::{self, Answer, Asked, Row};
use fluxo_models::generate::{Prompts, generate_all};
use fluxo_models::inputs::{begin, plain_call};
use fluxo_models::{Model, OutputOptions, Task, Tensors, tensors};
use serde_json::json;

use super::about::About;
use super::answer::{lines, questions};
use super::finite::{self, Computed};
use super::media;
use crate::ExitStatus;
use crate::args::Run;
use crate::print::Print;

pub fn run(args: &Run, print: Print) -> Result<ExitStatus> {
    let given = &args.input;
    let name = match &args.on {
        Some(name) => name.clone(),
        None if open::graph_of(&args.model)?.is_some() => "tract".to_string(),
        None => super::backend(None)?.to_string(),
    };
    let named = given.inputs.as_deref().map(tensors::read).transpose()?;
    let mut opened = Opened::of(args, &name)?;
    let about = match &opened.model {
        Some(model) => About::model(&args.model, model),
        None => About::folder(open::home(&args.model))?,
    };
    let (mut inputs, rows) = match &named {
        Some(named) => (split(named).0, Vec::new()),
        None => media::inputs(open::home(&args.model), &about, given)?,
    };
    let own = start(args, &about, &mut inputs)?;
    let (outputs, ms) = timed(|| opened.run(&inputs))?;
    if let Some(out) = &args.out {
        tensors::write(out, &outputs)?;
    }
    let stray = finite::stray(&outputs);
    finite::say(&stray, computed(args)?)?;
    let answers = if named.is_none() && stray.is_empty() {
        answers(args, &about, &opened, &rows, (&inputs, &outputs), &own)?
    } else {
        Vec::new()
    };
    if about.task == Some(Task::QuestionAnswering) && !rows.is_empty() && given.pair.is_empty() {
        print.note("the model looks for answers in a text: give it with --context")?;
    }
    let shapes: Vec<_> = outputs
        .iter()
        .map(|(name, data)| json!({"name": name, "shape": data.shape().to_vec()}))
        .collect();
    let mut text = lines(&answers, &questions(&rows, &given.image));
    for (name, data) in &outputs {
        text += &format!("{name} {:?}\n", data.shape().to_vec());
    }
    if let Some(out) = &args.out {
        text += &format!("written to {}\n", out.display());
    }
    let document = json!({
        "file": args.out, "on": name, "outputs": shapes,
        "ms": ms, "peak_bytes": peak_memory(),
        "task": about.task, "answers": answers,
        "not_finite": stray,
    });
    print.result(&document, text.trim_end())?;
    Ok(if stray.is_empty() {
        ExitStatus::Success
    } else {
        ExitStatus::Failure
    })
}

/// What the outputs are computed in.
fn computed(args: &Run) -> Result<Computed> {
    Ok(match open::graph_of(&args.model)? {
        None => Computed::In(args.dtype),
        Some(_) => Computed::by_files(open::home(&args.model)),
    })
}

/// What an encoder-decoder's text begins with, put among `inputs` where it is not there.
fn start(args: &Run, about: &About, inputs: &mut Tensors) -> Result<Vec<Vec<u32>>> {
    let mut own: Vec<Vec<u32>> = args.decoder_ids.iter().map(|ids| ids.0.clone()).collect();
    let asked = !own.is_empty() || !args.decoder_prompt.is_empty();
    if asked && !about.writes {
        bail!(
            "--decoder-prompt and --decoder-ids are for models that read one text and write another"
        );
    }
    if !asked
        && inputs
            .keys()
            .any(|name| name.trim_start_matches("in.") == "decoder_input_ids")
    {
        return Ok(own);
    }
    if own.is_empty() {
        let Some(start) = about.start()? else {
            return Ok(own);
        };
        for prompt in &args.decoder_prompt {
            let text = about.tokenizer("--decoder-ids")?;
            let mut ids = text.encode_without_special(prompt)?;
            // A text may write it out, as Whisper's do.
            if ids.first() != Some(&start) {
                ids.insert(0, start);
            }
            own.push(ids);
        }
        if own.is_empty() {
            own.push(vec![start]);
        }
    }
    begin(inputs, &own)?;
    Ok(if asked { own } else { Vec::new() })
}

/// What the outputs mean, where they are those of a task.
fn answers(
    args: &Run,
    about: &About,
    opened: &Opened,
    rows: &[Row],
    (inputs, outputs): (&Tensors, &Tensors),
    own: &[Vec<u32>],
) -> Result<Vec<Answer>> {
    let Some(task) = about.task else {
        return Ok(Vec::new());
    };
    let asked = Asked {
        task,
        raw: &about.raw,
        folder: open::home(&args.model),
        text: about.text.as_ref(),
        writes: about.writes,
        rows,
    };
    let answers = answer::answers(&asked, outputs)?;
    // One beginning for all, as `generate` has it.
    if !about.writes || !task.generates() || own.len() > 1 {
        return Ok(answers);
    }
    let prompts = match inputs.get("input_features") {
        Some(features) => Prompts::Sound(features.clone()),
        None => Prompts::Tokens(rows.iter().map(|row| row.reading.ids.clone()).collect()),
    };
    let start = own.first().map_or(&[][..], Vec::as_slice);
    let home = open::home(&args.model);
    if let Some(model) = &opened.model {
        return answer::written(
            model,
            home,
            &prompts,
            start,
            answers,
            |prompts, most, how| Ok(generate_all(model, prompts, most, how, |_, _| {})?),
        );
    }
    let Some(files) = open::graph_of(&args.model)? else {
        return Ok(answers);
    };
    let model = Model::described(home, Some(task), &super::device(None)?)?;
    let runtime = super::runtime(args.on.as_deref())?;
    // Others' files may hold a part of what writes.
    let Ok(engine) = OnnxEngine::open(&files, runtime, &model) else {
        return Ok(answers);
    };
    answer::written(
        &model,
        home,
        &prompts,
        start,
        answers,
        |prompts, most, how| Ok(engine.generate(&model, prompts, most, how, |_, _| {})?),
    )
}

/// What runs, and the checkpoint's model, where it is one.
struct Opened {
    model: Option<Model>,
    runner: Option<Box<dyn Runner>>,
    request: OutputOptions,
}

impl Opened {
    fn of(args: &Run, name: &str) -> Result<Self> {
        let request = OutputOptions {
            hidden_states: args.hidden_states,
            taps: args.taps,
        };
        if args.dtype != DType::F32 {
            if open::RUNTIMES.contains(&name) {
                bail!("--dtype is for backends: the types of an ONNX file are in it");
            }
            let device = super::device(Some(name))?;
            let (model, _) = Model::load_as(&args.model, args.task, &device, args.dtype)?;
            return Ok(Self {
                model: Some(model),
                runner: None,
                request,
            });
        }
        let given = Given {
            path: args.model.clone(),
            task: args.task,
        };
        let opened = open::open(&[given], &[name.to_string()], request)?;
        let runner = opened.runners.into_iter().next();
        // What it writes beside the outputs it writes where they are computed.
        let device = super::device(Some(name));
        let model = opened.model.map(|model| match &device {
            Ok(device) => model.to_device(device),
            Err(_) => model,
        });
        Ok(Self {
            model,
            runner: Some(runner.context("there is nothing to run")?),
            request,
        })
    }

    fn run(&mut self, inputs: &Tensors) -> Result<Tensors> {
        let mut inputs = inputs.clone();
        let runner = self.runner.as_ref();
        let graph = runner.is_some_and(|runner| matches!(runner.label().kind, Kind::Graph));
        if let (Some(model), false) = (&self.model, graph) {
            plain_call(model.config(), &mut inputs);
        }
        match (&mut self.runner, &self.model) {
            (Some(runner), _) => Ok(runner.run(&inputs)?),
            (None, Some(model)) => Ok(model.run(&inputs, &self.request)?),
            (None, None) => bail!("there is nothing to run"),
        }
    }
}

/// What `run` gives, and how many milliseconds it took.
fn timed(run: impl FnOnce() -> Result<Tensors>) -> Result<(Tensors, f64)> {
    let start = Instant::now();
    let outputs = run()?;
    Ok((outputs, start.elapsed().as_secs_f64() * 1e3))
}
