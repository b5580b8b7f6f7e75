//! What a `config.json` of early days leaves out: the family and the class, told from the
//! weights' names.

use burn::tensor::{DType, Device};

use super::store::Store;
use super::{Plan, Wanted};
use crate::catalog::{Description, FAMILIES};
use crate::config::RawConfig;
use crate::error::{Error, Result};
use crate::families::{Class, Family};

/// Fills in `model_type` and `architectures` where `raw` has none. Gives what was filled in.
///
/// # Errors
/// When no family, or more than one, names its tensors so.
pub(crate) fn complete(raw: &mut RawConfig, store: &Store, device: &Device) -> Result<Vec<String>> {
    let mut notes = Vec::new();
    if raw.text("model_type")?.is_none() {
        let family = family(store)?;
        raw.0.insert("model_type".into(), family.model_type.into());
        notes.push(format!("model_type: {}", family.model_type));
    }
    if raw.architecture().is_none()
        && let Some(name) = raw.text("model_type")?
    {
        let family = crate::catalog::family(name)?;
        let whole = |class: &&Class| fits(family, class, raw, store, device);
        if let Some(class) = family.classes.iter().find(whole) {
            let names = vec![class.name];
            raw.0.insert("architectures".into(), names.into());
            notes.push(format!("architectures: {}", class.name));
        }
    }
    Ok(notes)
}

/// The only family whose prefix and first tensor are there.
fn family(store: &Store) -> Result<&'static Family> {
    let is = |family: &&&Family| {
        let first = family.tensors.first().map(|rule| rule.theirs);
        let name = format!("{}{}.weight", family.prefix, first.unwrap_or_default());
        !family.prefix.is_empty() && store.get(&name).is_some()
    };
    let found: Vec<&'static Family> = FAMILIES.iter().filter(is).copied().collect();
    match found.as_slice() {
        [family] => Ok(family),
        _ => Err(Error::Config(
            "`model_type` is missing, which names the family, and the weights' names do not \
             tell it; add it to config.json"
                .into(),
        )),
    }
}

/// Whether the checkpoint has every tensor of `class`.
fn fits(family: &Family, class: &Class, raw: &RawConfig, store: &Store, device: &Device) -> bool {
    let mut raw = raw.clone();
    let names = vec![class.name];
    raw.0.insert("architectures".into(), names.into());
    let Ok(mut description) = Description::of(raw, None) else {
        return false;
    };
    let wanted = Wanted {
        family,
        class,
        dtype: DType::F32,
        device,
        part: None,
    };
    Plan::of(&mut description.config, wanted, store)
        .is_ok_and(|(_, plan)| plan.lacks("").is_empty())
}
