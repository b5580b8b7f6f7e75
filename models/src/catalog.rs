//! The only list of families.

use crate::config::Raw;
use crate::error::{Error, Result};
use crate::families::{Family, bert, gpt2, llama};
use crate::network::NetworkConfig;
use crate::task::Task;

/// Every family, by name.
pub const FAMILIES: [&Family; 3] = [&bert::FAMILY, &gpt2::FAMILY, &llama::FAMILY];

/// The family called `name`.
///
/// # Errors
/// When there is none; the error lists those there are.
pub fn family(name: &str) -> Result<&'static Family> {
    FAMILIES
        .into_iter()
        .find(|family| family.name == name)
        .ok_or_else(|| Error::UnknownFamily {
            name: name.to_string(),
            known: FAMILIES.map(|family| family.name).join(", "),
        })
}

/// The family and task of a `config.json`; `task` chooses another than the architecture's.
///
/// # Errors
/// When the family is unknown, or has no head for the task.
fn identify(raw: &Raw, task: Option<Task>) -> Result<(&'static Family, Task)> {
    let name = raw
        .text("model_type")?
        .ok_or_else(|| Error::Config("`model_type` is missing, which names the family".into()))?;
    let family = family(name)?;
    let task = match (task, raw.architecture()) {
        (Some(task), _) => task,
        (None, Some(class)) => family
            .architectures
            .iter()
            .find(|(known, _)| *known == class)
            .map(|(_, task)| *task)
            .ok_or_else(|| {
                let known: Vec<_> = family.architectures.iter().map(|(c, _)| *c).collect();
                Error::Config(format!(
                    "architecture `{class}` is not supported for {name} (only {}); \
                     choose what to load with --task",
                    known.join(", ")
                ))
            })?,
        (None, None) => Task::FeatureExtraction,
    };
    if !family.tasks().any(|known| known == task) {
        let known: Vec<_> = family.tasks().map(Task::name).collect();
        return Err(Error::Config(format!(
            "{name} has no head for {task}; it has: {}",
            known.join(", ")
        )));
    }
    Ok((family, task))
}

/// What a `config.json` says, before any weight is read.
#[derive(Debug, Clone)]
pub struct Description {
    /// The file's contents, its class that of the task.
    pub raw: Raw,
    /// The family that it names.
    pub family: &'static Family,
    /// The task of its architecture, or the one chosen.
    pub task: Task,
    /// The network that it asks for.
    pub config: NetworkConfig,
}

impl Description {
    /// Maps `raw` to a network; `task` chooses another head than the architecture's.
    ///
    /// # Errors
    /// When the family is unknown, has no such head, or the sizes do not fit together.
    pub fn of(mut raw: Raw, task: Option<Task>) -> Result<Self> {
        let (family, task) = identify(&raw, task)?;
        // With another head it is another class.
        let class = family.architectures.iter().find(|(_, does)| *does == task);
        if let Some((class, _)) = class {
            raw.0.insert("architectures".into(), [*class].into());
        }
        let config = (family.read)(&raw, task)?;
        config.check()?;
        Ok(Self {
            raw,
            family,
            task,
            config,
        })
    }
}
