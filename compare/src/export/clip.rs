//! The parts of a model that compares texts with images, each a file of its own.

use fluxo_models::Model;

use super::options::ExportOptions;
use super::taps::TapChoice;
use crate::error::{Result, zoo};
use crate::files::{TEXT, VISION};

/// A part of a model that has a file of its own beside that of the whole.
pub(crate) struct Tower {
    /// The part, as a model.
    pub model: Model,
    /// Where its file lies in an exported folder.
    pub file: &'static str,
    /// How it is exported.
    pub options: ExportOptions,
}

/// What reads texts alone and images alone, of a model that compares them. Taps are in the file
/// of both.
///
/// # Errors
/// When the family has no such models.
pub(crate) fn towers(model: &Model, options: &ExportOptions) -> Result<Vec<Tower>> {
    let sizes = |names: &[(&str, &str)]| {
        let fixed = names.iter().filter_map(|(ours, theirs)| {
            let size = options.static_sizes.get(*ours)?;
            Some((theirs.to_string(), *size))
        });
        fixed.collect()
    };
    let plain = ExportOptions {
        taps: TapChoice::None,
        hidden_states: false,
        ..options.clone()
    };
    let texts = ExportOptions {
        image_size: None,
        static_sizes: sizes(&[("batch", "batch"), ("sequence", "sequence")]),
        ..plain.clone()
    };
    let images = ExportOptions {
        position_ids: false,
        static_sizes: sizes(&[("image_batch", "batch")]),
        ..plain
    };
    let towers = model.towers().map_err(zoo)?.into_iter();
    let files = [(TEXT, texts), (VISION, images)];
    let towers = towers.zip(files).map(|(model, (file, options))| Tower {
        model,
        file,
        options,
    });
    Ok(towers.collect())
}
