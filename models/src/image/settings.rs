//! `preprocessor_config.json`: which steps an image takes.

use std::path::Path;

use serde_json::{Map, Value};

use super::resize::Filter;
use crate::error::{Error, Result};
use crate::preprocessor;

/// The longest edge that a model may ask for; published ones ask for 1024 and less.
const LONGEST_EDGE: u64 = 8192;

/// The size to resize to, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    /// Height and width.
    Exact(usize, usize),
    /// The shorter edge; the other follows.
    ShortestEdge(usize),
}

/// The steps, in the order in which they are taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct NewModelOptions {
    /// Whether what is transparent is laid over white.
    pub white: bool,
    /// What is resized to, if it is.
    pub size: Option<Size>,
    /// With which filter.
    pub filter: Filter,
    /// Height and width of the middle that is kept, if not all is.
    pub crop: Option<(usize, usize)>,
    /// What bytes are multiplied by.
    pub scale: Option<f64>,
    /// Mean and standard deviation of red, green and blue.
    pub normalize: Option<([f32; 3], [f32; 3])>,
}

/// What a class of processors does where the file does not say.
struct Defaults {
    size: Size,
    filter: u64,
    crop: Option<usize>,
    mean: [f64; 3],
    std: [f64; 3],
    white: bool,
    /// Whether a single number is both edges, or the shorter one.
    square: bool,
}

const HALF: [f64; 3] = [0.5; 3];
const CLIP_MEAN: [f64; 3] = [0.48145466, 0.4578275, 0.40821073];
const CLIP_STD: [f64; 3] = [0.26862954, 0.26130258, 0.27577711];

const VIT: Defaults = Defaults {
    size: Size::Exact(224, 224),
    filter: 2,
    crop: None,
    mean: HALF,
    std: HALF,
    white: false,
    square: true,
};
const DEIT: Defaults = Defaults {
    size: Size::Exact(256, 256),
    filter: 3,
    crop: Some(224),
    ..VIT
};
const CLIP: Defaults = Defaults {
    size: Size::ShortestEdge(224),
    filter: 3,
    crop: Some(224),
    mean: CLIP_MEAN,
    std: CLIP_STD,
    white: true,
    square: false,
};

impl NewModelOptions {
    /// ViT's own, for images of `size` by `size` pixels.
    pub fn vit(size: usize) -> Self {
        Self {
            white: false,
            size: Some(Size::Exact(size, size)),
            filter: Filter::Bilinear,
            crop: None,
            scale: Some(1.0 / 255.0),
            normalize: Some(([0.5; 3], [0.5; 3])),
        }
    }

    /// Reads the settings of the checkpoint in `dir`, where it has any for images.
    pub fn read(dir: &Path) -> Result<Option<Self>> {
        let Some((path, map)) = preprocessor::settings(dir, &preprocessor::IMAGES)? else {
            return Ok(None);
        };
        if map
            .get("feature_extractor_type")
            .is_some_and(|kind| kind == "WhisperFeatureExtractor")
        {
            return Ok(None);
        }
        Self::of(&map)
            .map(Some)
            .map_err(|reason| Error::malformed(&path, reason))
    }

    /// The settings that `map` holds.
    fn of(map: &Map<String, Value>) -> std::result::Result<Self, String> {
        let get = |key: &str| map.get(key).filter(|value| !value.is_null());
        let flag = |key: &str, default: bool| match get(key) {
            None => Ok(default),
            Some(Value::Bool(value)) => Ok(*value),
            Some(other) => Err(format!("`{key}` is {other}, and must be true or false")),
        };
        let defaults = defaults(get("image_processor_type").or(get("feature_extractor_type")))?;
        if flag("do_pad", false)? {
            return Err("`do_pad` is true, which is not supported".into());
        }

        let square = flag("default_to_square", defaults.square)?;
        let size = match get("size") {
            Some(value) => size(value, square)?,
            None => defaults.size,
        };
        let code = get("resample").map_or(Some(defaults.filter), Value::as_u64);
        let filter = code
            .and_then(Filter::of)
            .ok_or("`resample` is not 0 (nearest), 1 (Lanczos), 2 (bilinear) or 3 (bicubic)")?;
        let crop = match get("crop_size") {
            Some(value) => match self::size(value, true)? {
                Size::Exact(height, width) => Some((height, width)),
                Size::ShortestEdge(_) => return Err("`crop_size` has no height and width".into()),
            },
            None => defaults.crop.map(|edge| (edge, edge)),
        };
        let scale = match get("rescale_factor") {
            Some(value) => number("rescale_factor", value)?,
            None => 1.0 / 255.0,
        };
        let mean = channels("image_mean", get("image_mean"), defaults.mean)?;
        let std = channels("image_std", get("image_std"), defaults.std)?;
        if std.contains(&0.0) {
            return Err("`image_std` is 0".into());
        }

        let crops = flag("do_center_crop", defaults.crop.is_some())?;
        if crops && crop.is_none() {
            return Err("`do_center_crop` is true and `crop_size` is missing".into());
        }
        Ok(Self {
            white: flag("do_convert_rgb", defaults.white)?,
            size: flag("do_resize", true)?.then_some(size),
            filter,
            crop: crop.filter(|_| crops),
            scale: flag("do_rescale", true)?.then_some(scale),
            normalize: flag("do_normalize", true)?.then_some((mean, std)),
        })
    }
}

/// The defaults of the processor that transformers calls `kind`.
fn defaults(kind: Option<&Value>) -> std::result::Result<Defaults, String> {
    let Some(kind) = kind else {
        return Ok(VIT);
    };
    let name = kind.as_str().unwrap_or_default();
    let name = name.trim_end_matches("Fast").trim_end_matches("Pil");
    let name = name
        .strip_suffix("ImageProcessor")
        .or(name.strip_suffix("FeatureExtractor"));
    match name {
        Some("ViT") => Ok(VIT),
        Some("DeiT") => Ok(DEIT),
        Some("CLIP" | "Bit") => Ok(CLIP),
        _ => Err(format!(
            "images are read as ViT, DeiT, CLIP or Bit processors do, and not as {kind}"
        )),
    }
}

/// A size: one number, two, or an object that names the edges.
fn size(value: &Value, square: bool) -> std::result::Result<Size, String> {
    let edge = |value: &Value| match value.as_u64() {
        Some(edge @ 1..=LONGEST_EDGE) => Ok(edge as usize),
        _ => Err(format!(
            "an edge of {value} pixels is asked for, and must be from 1 to {LONGEST_EDGE}"
        )),
    };
    match value {
        Value::Number(_) => {
            let edge = edge(value)?;
            Ok(if square {
                Size::Exact(edge, edge)
            } else {
                Size::ShortestEdge(edge)
            })
        }
        Value::Array(edges) => match edges.as_slice() {
            [height, width] => Ok(Size::Exact(edge(height)?, edge(width)?)),
            _ => Err(format!("the size {value} is not a height and a width")),
        },
        Value::Object(edges) => {
            let has = |key: &str| edges.get(key).filter(|value| !value.is_null());
            let named = edges.values().filter(|value| !value.is_null()).count();
            match (has("height"), has("width"), has("shortest_edge")) {
                (Some(height), Some(width), None) if named == 2 => {
                    Ok(Size::Exact(edge(height)?, edge(width)?))
                }
                (None, None, Some(short)) if named == 1 => Ok(Size::ShortestEdge(edge(short)?)),
                _ => Err(format!(
                    "the size {value} has neither `height` and `width` nor `shortest_edge` alone"
                )),
            }
        }
        _ => Err(format!("{value} is no size")),
    }
}

/// A number for each channel: three, or one for all.
fn channels(
    key: &str,
    value: Option<&Value>,
    default: [f64; 3],
) -> std::result::Result<[f32; 3], String> {
    let values = match value {
        None => default,
        Some(Value::Array(values)) => match values.as_slice() {
            [r, g, b] => [number(key, r)?, number(key, g)?, number(key, b)?],
            _ => return Err(format!("`{key}` has not three numbers")),
        },
        Some(value) => [number(key, value)?; 3],
    };
    Ok(values.map(|value| value as f32))
}

fn number(key: &str, value: &Value) -> std::result::Result<f64, String> {
    value
        .as_f64()
        .filter(|number| (*number as f32).is_finite())
        .ok_or_else(|| format!("`{key}` holds {value}, which is no number"))
}
