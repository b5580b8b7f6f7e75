//! Which files an export has, and what each takes and gives: made once, and shared by what writes
//! them, what checks them, and what they say of themselves.

use std::borrow::Cow;

use fluxo_models::Model;
use fluxo_models::NetworkConfig;
use fluxo_models::head::Pooling;
use fluxo_models::stack::InputConfig;

use super::clip::{Tower, towers};
use super::interface::{GraphInterface, GraphRole};
use super::options::ExportOptions;
use super::spec;
use crate::error::{Error, Result};

/// The files of an export.
pub(crate) struct ExportPlan<'a> {
    /// Those of the model itself, and of each part that is a model of its own.
    pub models: Vec<ModelPlan<'a>>,
}

/// The files of one model.
pub(crate) struct ModelPlan<'a> {
    /// The model.
    pub model: Cow<'a, Model>,
    /// How it is exported.
    pub options: Cow<'a, ExportOptions>,
    /// Its files, in the order in which they run.
    pub interfaces: Vec<GraphInterface>,
    /// Where its one file lies, of a part that has files of its own beside those of the whole.
    pub file: Option<&'static str>,
}

impl<'a> ExportPlan<'a> {
    /// Of `model` by `options`.
    ///
    /// # Errors
    /// When `options` ask for images that the model does not read or positions that it does not
    /// take, or name a tap or a size that it has not.
    pub fn new(model: &'a Model, options: &'a ExportOptions) -> Result<Self> {
        let mut models = vec![ModelPlan::whole(model, options)?];
        for tower in towers(model, options)? {
            let Tower {
                model,
                file,
                options,
            } = tower;
            models.push(ModelPlan {
                interfaces: interfaces(&model, &options)?,
                model: Cow::Owned(model),
                options: Cow::Owned(options),
                file: Some(file),
            });
        }
        Ok(Self { models })
    }
}

impl<'a> ModelPlan<'a> {
    /// The files of `model` itself.
    ///
    /// # Errors
    /// As [`ExportPlan::new`].
    pub fn whole(model: &'a Model, options: &'a ExportOptions) -> Result<Self> {
        Ok(Self {
            interfaces: interfaces(model, options)?,
            model: Cow::Borrowed(model),
            options: Cow::Borrowed(options),
            file: None,
        })
    }

    /// Where the file of `interface` lies in an exported folder.
    pub fn file(&self, interface: &GraphInterface) -> &'static str {
        self.file.unwrap_or(interface.file())
    }
}

/// The interfaces of `model`'s files: an encoder-decoder that writes has two, without a
/// cache one that reads both texts whole; every other model has one. A model that answers
/// for whole rows has no cache.
///
/// # Errors
/// When `options` ask for images that the model does not read or positions that it does not
/// take, or name a tap or a size that it has not.
fn interfaces(model: &Model, options: &ExportOptions) -> Result<Vec<GraphInterface>> {
    let mut config = model.config().clone();
    if let Some(size) = options.image_size {
        resize(&mut config, size)?;
    }
    if options.position_ids && config.given_positions().is_none() {
        let reason = if config.encodes_and_decodes() {
            "positions as an input, and an encoder-decoder counts its own"
        } else {
            "positions as an input, and the model has none"
        };
        return Err(fluxo_onnx::Error::Option(reason.into()).into());
    }
    let goes_on = config
        .head
        .as_ref()
        .is_none_or(|head| head.read == Pooling::All);
    let cached = options.cache && config.cached() && goes_on;
    let taps = options.taps.among(&config)?;
    let parts = if cached && config.encodes_and_decodes() {
        &[GraphRole::Encoder, GraphRole::Decoder][..]
    } else {
        &[GraphRole::Whole]
    };
    let interface = |part: &GraphRole| GraphInterface {
        part: *part,
        cached_layers: match part {
            GraphRole::Encoder => 0,
            _ if cached => config.layers(),
            _ => 0,
        },
        fixed: options.static_sizes.clone(),
        taps: taps.clone(),
        hidden_states: options.hidden_states,
        position_ids: options.position_ids,
        config: config.clone(),
    };
    let all: Vec<_> = parts.iter().map(interface).collect();
    spec::check(&all, &options.static_sizes)?;
    Ok(all)
}

/// Sets the height and width of the images.
fn resize(config: &mut NetworkConfig, size: [usize; 2]) -> Result<()> {
    let refuse = |reason: String| Err(Error::from(fluxo_onnx::Error::Option(reason)));
    let stack = config.vision.as_mut().map(|stack| &mut stack.input);
    let Some(InputConfig::Patches(patches)) = stack else {
        return refuse("an image size, and the model reads no images".into());
    };
    if patches.image == size {
        return Ok(());
    }
    let [rows, columns] = patches.grid(size);
    if !patches.interpolates || rows * columns == 0 {
        let ([height, width], own) = (size, patches.image);
        return refuse(format!(
            "images of {height}x{width}, and the model reads those of {}x{}",
            own[0], own[1]
        ));
    }
    patches.image = size;
    Ok(())
}
