//! The only list of families.

use crate::config::RawConfig;
use crate::error::{Error, Result};
use crate::families::{
    Class, Family, albert, bart, bert, bloom, clip, deit, dinov2, distilbert, electra, gemma,
    gemma2, gemma3, gpt_neox, gpt2, llama, marian, mistral, mixtral, modernbert, olmo2, opt, phi,
    phi3, qwen2, qwen3, roberta, t5, vit, whisper,
};
use crate::network::NetworkConfig;
use crate::task::Task;

/// Every family, by kind.
pub const FAMILIES: &[&Family] = &[
    &bert::FAMILY,
    &roberta::FAMILY,
    &distilbert::FAMILY,
    &electra::FAMILY,
    &albert::FAMILY,
    &modernbert::FAMILY,
    &gpt2::FAMILY,
    &gpt_neox::FAMILY,
    &llama::FAMILY,
    &mistral::FAMILY,
    &mixtral::FAMILY,
    &qwen2::FAMILY,
    &qwen3::FAMILY,
    &gemma::FAMILY,
    &gemma2::FAMILY,
    &gemma3::FAMILY,
    &phi::FAMILY,
    &phi3::FAMILY,
    &olmo2::FAMILY,
    &bloom::FAMILY,
    &opt::FAMILY,
    &t5::FAMILY,
    &t5::FLAN,
    &marian::FAMILY,
    &bart::FAMILY,
    &whisper::FAMILY,
    &vit::FAMILY,
    &deit::FAMILY,
    &dinov2::FAMILY,
    &clip::FAMILY,
];

/// Other values of `model_type`: of a part of a family's models, saved alone.
const PARTS: [(&str, &Family); 2] = [
    ("clip_text_model", &clip::FAMILY),
    ("clip_vision_model", &clip::FAMILY),
];

/// The family called `name`, or whose `model_type` that is, or that of a part of its models.
///
/// # Errors
/// When there is none; the error lists those there are.
pub fn family(name: &str) -> Result<&'static Family> {
    let named = |by: fn(&Family) -> &str| FAMILIES.iter().copied().find(|f| by(f) == name);
    named(|family| family.name)
        .or_else(|| named(|family| family.model_type))
        .or_else(|| Some(PARTS.iter().find(|(part, _)| *part == name)?.1))
        .ok_or_else(|| {
            let known: Vec<_> = FAMILIES.iter().map(|family| family.name).collect();
            Error::UnknownFamily {
                name: name.to_string(),
                known: known.join(", "),
            }
        })
}

/// The family and class of a `config.json`; `task` chooses another than the architecture's.
///
/// # Errors
/// When the family is unknown, or has no head for the task.
fn identify(raw: &RawConfig, task: Option<Task>) -> Result<(&'static Family, &'static Class)> {
    let name = raw
        .text("model_type")?
        .ok_or_else(|| Error::Config("`model_type` is missing, which names the family".into()))?;
    let family = family(name)?;
    let of_name = |name: &str| {
        let is = |class: &&Class| class.name == name || class.also.contains(&name);
        family.classes.iter().find(is)
    };
    let own = raw.architecture().and_then(of_name);
    let class = match (task, raw.architecture()) {
        (Some(task), _) => own
            .filter(|class| class.task == task)
            .or_else(|| family.class(task))
            .ok_or_else(|| {
                let known: Vec<_> = family.tasks().map(Task::name).collect();
                Error::Config(format!(
                    "{} has no head for {task}; it has: {}",
                    family.name,
                    known.join(", ")
                ))
            })?,
        (None, Some(name)) => own.ok_or_else(|| {
            let known: Vec<_> = family.classes.iter().map(|class| class.name).collect();
            Error::Config(format!(
                "architecture `{name}` is not supported for {} (only {}); choose what to \
                 load with --task",
                family.name,
                known.join(", ")
            ))
        })?,
        (None, None) => &family.classes[0],
    };
    Ok((family, class))
}

/// The key that says whether the output layer is the token embedding.
const TIED: &str = "tie_word_embeddings";
/// The key that says whether T5's output is scaled, where the other does not.
const SCALED: &str = "scale_decoder_outputs";

/// Whether `raw` says that the output layer is not the token embedding.
///
/// # Errors
/// When it says neither.
pub(crate) fn says_untied(raw: &RawConfig) -> Result<bool> {
    let said = raw.0.get(TIED).is_some_and(|value| !value.is_null());
    Ok(said && !raw.flag(TIED)?)
}

/// What a `config.json` says, before any weight is read.
#[derive(Debug, Clone)]
pub struct Description {
    /// The file's contents, its class that of the task.
    pub raw: RawConfig,
    /// The family that it names.
    pub family: &'static Family,
    /// The class of its architecture, or of the task chosen.
    pub class: &'static Class,
    /// The network that it asks for.
    pub config: NetworkConfig,
    /// What the architecture has more of than the class, where that stands for it.
    pub stands_for: Option<String>,
}

impl Description {
    /// Maps `raw` to a network; `task` chooses another head than the architecture's.
    ///
    /// # Errors
    /// When the family is unknown, has no such head, or the sizes do not fit together.
    pub fn of(mut raw: RawConfig, task: Option<Task>) -> Result<Self> {
        let (family, class) = identify(&raw, task)?;
        let name = raw.architecture().filter(|name| class.also.contains(name));
        let stands_for = name.map(|name| {
            let class = class.name;
            format!("{name} is loaded as {class}: its other heads are unused")
        });
        // With another head it is another class.
        raw.0
            .insert("architectures".into(), vec![class.name].into());
        let mut config = family.network(&raw, class.task)?;
        if says_untied(&raw)? {
            config.untie();
        }
        config.check()?;
        Ok(Self {
            raw,
            family,
            class,
            config,
            stands_for,
        })
    }

    /// Has `config.json` say that the output layer has weights of its own.
    pub(crate) fn say_untied(&mut self) {
        self.raw.0.insert(TIED.into(), false.into());
        // Of T5 this would also say that the output is not scaled.
        if self.family.ties.always {
            let head = self.config.head.as_ref();
            let scaled = head.is_some_and(|head| head.scale.is_some());
            self.raw.0.insert(SCALED.into(), scaled.into());
        }
    }
}
