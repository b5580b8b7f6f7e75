//! A checkpoint's habits of writing, and what a call asks for instead.

use std::path::Path;

use serde_json::{Map, Value};

use super::keys::meaning;
use super::reader::Reader;
use super::sampling::Sampling;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::task::Task;

/// How texts are written, and how far.
#[derive(Debug, Clone, PartialEq)]
pub struct Habits {
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// How many tokens are written at most, beside the sampling's `max_length`.
    pub max_new_tokens: usize,
    /// Whose these limits are.
    pub limit: Limit,
    /// Whether the checkpoint asks for draws, and nothing else was asked for.
    pub draws: bool,
    /// How long a text can be at all.
    most: usize,
}

/// Whose limit of a text's length counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// The call's.
    Asked,
    /// The checkpoint's, under this key.
    Checkpoint(&'static str),
    /// None was named, so it is the default.
    Default,
    /// The model's positions, which are fewer than the checkpoint or the default allow.
    Positions,
}

impl Habits {
    /// What the checkpoint in `dir`, which `model` is from, says in its `generation_config.json`,
    /// or without that file in its `config.json`; the keys of `asked` count instead, a `null`
    /// takes one away. Where neither says how long texts are, they get `usual` tokens. Numbers
    /// below 0, which are no tokens, are passed over.
    ///
    /// # Errors
    /// When the file cannot be read, holds something else than a key means, or asks for what is
    /// not supported; or `asked` has a key that `generate` does not know.
    pub fn of_checkpoint(
        dir: &Path,
        model: &Model,
        asked: &Map<String, Value>,
        usual: usize,
    ) -> Result<Self> {
        if let Some(key) = asked.keys().find(|key| meaning(key).is_none()) {
            return Err(Error::Input(format!(
                "`{key}` is no key of generation_config.json; docs/generation.md lists them"
            )));
        }
        // A length that is asked for counts instead of any that the file has.
        let mut asked = asked.clone();
        for (key, other) in [
            ("max_length", "max_new_tokens"),
            ("min_length", "min_new_tokens"),
        ] {
            if asked.get(key).is_some_and(|value| !value.is_null()) {
                asked.entry(other).or_insert(Value::Null);
            }
        }
        let reader = Reader::new(dir, model, &asked)?;
        let mut sampling = Sampling::read(&reader, model)?;
        refuse(&reader, model, &sampling)?;
        let new = reader.own("max_new_tokens").count()?;
        let length = reader.own("max_length").count()?.filter(|_| new.is_none());
        let key = match new {
            Some(_) => "max_new_tokens",
            None => "max_length",
        };
        let limit = match (new.or(length), reader.asked(key).value) {
            (None, _) => Limit::Default,
            (_, Some(_)) => Limit::Asked,
            _ => Limit::Checkpoint(key),
        };
        let positions = model.config().max_positions();
        let speech = model.task() == Task::AutomaticSpeechRecognition;
        let start = sampling.constraints.start_of(model)?.len();
        sampling.max_length = match speech {
            // Whisper's `generate` does not count what texts start with, up to half of the
            // positions.
            true => length.map(|length| {
                let start = start.min((positions / 2).saturating_sub(1));
                length.saturating_add(start).min(positions)
            }),
            false => length,
        };
        let max_new_tokens = match (new, length) {
            (Some(new), _) => new,
            (None, Some(_)) => usize::MAX,
            (None, None) => usual,
        };
        // The last token is not read back, so that it needs no position; but Whisper's
        // `generate` does not go beyond them.
        let most = positions.saturating_add(usize::from(!speech));
        let fewer = |limit: usize| limit.min(most);
        if limit != Limit::Asked {
            sampling.max_length = Some(sampling.max_length.map_or(most, fewer));
        }
        Ok(Self {
            draws: sampling.temperature > 0.0 && !asked.contains_key("do_sample"),
            sampling,
            max_new_tokens,
            limit,
            most,
        })
    }

    /// Whose limit a text of `written` tokens reached.
    pub fn limit_of(&self, written: usize) -> Limit {
        let by_length = written < self.max_new_tokens;
        match self.limit {
            Limit::Checkpoint(_) | Limit::Default
                if by_length && self.sampling.max_length == Some(self.most) =>
            {
                Limit::Positions
            }
            limit => limit,
        }
    }
}

/// Refuses habits that change what is written and that this crate has not.
fn refuse(reader: &Reader<'_>, model: &Model, sampling: &Sampling) -> Result<()> {
    let number = |key: &str| reader.own(key).float();
    let greedy = sampling.temperature == 0.0;
    let several = sampling.beams > 1;
    if several && !greedy {
        return Err(Error::Input(
            "beams that draw (`num_beams` and `do_sample` together) are not supported; \
             --greedy takes the likeliest, --beams 1 draws"
                .into(),
        ));
    }
    let unusual = |key: &str, usual: f64| Ok::<_, Error>(number(key)?.is_some_and(|x| x != usual));
    let there = |key: &str| reader.own(key).value.is_some();
    let mut active = Vec::new();
    // Contrastive search; beyond one candidate, of which there are 50 where nothing is said.
    if greedy && !several && number("penalty_alpha")?.is_some_and(|alpha| alpha > 0.0) {
        let candidates = number("top_k")?.unwrap_or(50.0);
        active.extend((candidates > 1.0).then_some("penalty_alpha"));
    }
    active.extend((several && unusual("num_beam_groups", 1.0)?).then_some("num_beam_groups"));
    active.extend(unusual("guidance_scale", 1.0)?.then_some("guidance_scale"));
    let others = [
        "constraints",
        "force_words_ids",
        "watermarking_config",
        "max_time",
    ];
    active.extend(others.into_iter().filter(|key| there(key)));
    active.extend((!several && there("dola_layers")).then_some("dola_layers"));
    let mut flags = vec!["token_healing"];
    if model.task() == Task::AutomaticSpeechRecognition {
        active.extend(there("no_speech_threshold").then_some("no_speech_threshold"));
        flags.push("return_timestamps");
    }
    for key in flags {
        if reader.own(key).flag()? == Some(true) {
            active.push(key);
        }
    }
    match active.first() {
        None => Ok(()),
        Some(key) => Err(Error::Input(format!(
            "generation_config.json: `{key}` is not supported; --set {key}=null writes without it"
        ))),
    }
}
