//! What people hold that is no checkpoint of plain weights: what it is, and what to make of it.

use std::path::Path;

use super::store::Store;
use crate::config::RawConfig;
use crate::error::{Error, Result};

/// Refuses the folder `dir` where what lies in it is not read here: an adapter, quantised weights,
/// weights of other programs.
///
/// # Errors
/// Names what it is, and how to make a checkpoint of it.
pub(crate) fn refuse(dir: &Path, raw: Option<&RawConfig>) -> Result<()> {
    let found = adapter(dir)
        .or_else(|| raw.and_then(|raw| quantised(dir, raw)))
        .or_else(|| foreign(dir));
    match found {
        Some(reason) => Err(Error::malformed(dir, reason)),
        None => Ok(()),
    }
}

/// What the folder `dir` holds where that is no checkpoint, and what to make of it.
pub fn told(dir: &Path) -> Option<String> {
    adapter(dir).or_else(|| foreign(dir))
}

/// An adapter of peft: the difference to a model, which lies elsewhere.
fn adapter(dir: &Path) -> Option<String> {
    let weights = ["adapter_model.safetensors", "adapter_model.bin"];
    let there = |name: &&str| dir.join(name).is_file();
    let only_described = !Store::exists(dir) && there(&"adapter_config.json");
    if !weights.iter().any(there) && !only_described {
        return None;
    }
    let about = RawConfig::read(&dir.join("adapter_config.json")).ok();
    let text = |key: &str| {
        let text = about.as_ref()?.text(key).ok()??;
        (!text.is_empty()).then(|| text.to_string())
    };
    let kind =
        text("peft_type").map_or("an adapter".to_string(), |kind| format!("a {kind} adapter"));
    let base = text("base_model_name_or_path");
    let of = base
        .as_ref()
        .map(|base| format!(" of {base}"))
        .unwrap_or_default();
    let base = base.map_or("BASE".to_string(), |base| format!("'{base}'"));
    let beside = if Store::exists(dir) {
        "; to run the model without it, move the adapter_* files away"
    } else {
        ""
    };
    Some(format!(
        "holds {kind}{of}, which is no model by itself; merge it into its base model with peft: \
         `m = AutoModelForCausalLM.from_pretrained({base}); \
         PeftModel.from_pretrained(m, '{}').merge_and_unload().save_pretrained(OUT)`{beside}",
        dir.display()
    ))
}

/// Weights that a method has packed into fewer bits.
fn quantised(dir: &Path, raw: &RawConfig) -> Option<String> {
    let keys = ["quantization_config", "compression_config"];
    let said = keys.iter().find_map(|key| raw.0.get(*key)?.as_object());
    let said = said?;
    let flag = |key: &str| said.get(key).and_then(|value| value.as_bool()) == Some(true);
    let method = match said.get("quant_method").and_then(|method| method.as_str()) {
        Some(method) => method,
        None if flag("load_in_8bit") || flag("load_in_4bit") => "bitsandbytes",
        None if said.contains_key("config_groups") => "compressed-tensors",
        None => "a method that config.json does not name",
    };
    let bits = said
        .get("bits")
        .or(said.get("w_bit"))
        .and_then(|bits| bits.as_u64());
    let bits = match (bits, flag("load_in_4bit"), flag("load_in_8bit")) {
        (Some(bits), ..) => format!(" in {bits} bits"),
        (None, true, _) => " in 4 bits".to_string(),
        (None, _, true) => " in 8 bits".to_string(),
        _ => String::new(),
    };
    Some(refused(dir, method, &bits))
}

/// Refuses packed weights by the names of the tensors, where config.json does not speak of them.
///
/// # Errors
/// Names the method.
pub(super) fn refuse_packed(dir: &Path, store: &Store) -> Result<()> {
    let method = store.names().find_map(|name| {
        let ends = |end: &str| name.ends_with(end);
        Some(match name {
            _ if ends(".qweight") => "GPTQ or AWQ",
            _ if ends(".weight_packed") => "compressed-tensors",
            _ if ends(".weight.absmax") || ends(".SCB") => "bitsandbytes",
            _ => return None,
        })
    });
    match method {
        Some(method) => Err(Error::malformed(dir, refused(dir, method, ""))),
        None => Ok(()),
    }
}

fn refused(dir: &Path, method: &str, bits: &str) -> String {
    let (name, option) = match method {
        "gptq" => ("GPTQ", None),
        "awq" => ("AWQ", None),
        "fp8" | "fbgemm_fp8" => (method, Some("FineGrainedFP8Config(dequantize=True)")),
        "mxfp4" => ("MXFP4", Some("Mxfp4Config(dequantize=True)")),
        "compressed-tensors" => (
            method,
            Some("CompressedTensorsConfig(run_compressed=False)"),
        ),
        other => (other, None),
    };
    let mend = match (option, name) {
        (Some(option), _) => format!(
            "unpack them with transformers: `AutoModelForCausalLM.from_pretrained('{}', \
             quantization_config={option}, dtype='auto').save_pretrained(OUT)`",
            dir.display()
        ),
        (None, "bitsandbytes") => format!(
            "unpack them with transformers: \
             `AutoModelForCausalLM.from_pretrained('{}').dequantize().save_pretrained(OUT)`",
            dir.display()
        ),
        _ => "give the checkpoint that they were made from".to_string(),
    };
    format!(
        "holds weights quantised with {name}{bits}, which are not read; {mend}; where they are \
         plain floats after all, remove `quantization_config` from config.json"
    )
}

/// Weights of another program, where there are none that are read.
fn foreign(dir: &Path) -> Option<String> {
    if Store::exists(dir) {
        return None;
    }
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .ok()?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let shown = dir.display();
    let convert = |option: &str| {
        format!(
            "convert them with transformers: \
             `AutoModelForCausalLM.from_pretrained('{shown}', {option}).save_pretrained(OUT)`"
        )
    };
    let older = |option: &str| convert(option).replace("transformers:", "transformers 4:");
    names.iter().find_map(|name| {
        let ends = |end: &str| name.to_lowercase().ends_with(end);
        let told = |what: &str, mend: String| {
            Some(format!("holds {what} ({name}), which are not read; {mend}"))
        };
        match name.as_str() {
            _ if ends(".gguf") => told("GGUF weights", convert(&format!("gguf_file='{name}'"))),
            _ if ends(".h5") => told("TensorFlow weights", older("from_tf=True")),
            _ if ends(".ckpt.index") => told(
                "TensorFlow weights",
                "convert them with the script of their family in transformers 4".to_string(),
            ),
            _ if ends(".msgpack") => told("Flax weights", older("from_flax=True")),
            "rust_model.ot" => told(
                "weights of rust-bert",
                "give the checkpoint that they were made from".to_string(),
            ),
            "model.bin" => told(
                "weights of CTranslate2",
                "give the checkpoint that they were made from".to_string(),
            ),
            _ if name.starts_with("consolidated.") => told(
                "weights in their publisher's own layout",
                "give the checkpoint in transformers' layout, or convert them with the script of \
                 their family in transformers"
                    .to_string(),
            ),
            "onnx" if has_onnx(&dir.join(name)) => exported(),
            _ if ends(".onnx") => exported(),
            _ if is_shard(name) => Some(format!(
                "holds {name} without the index of all such files (model.safetensors.index.json, \
                 or pytorch_model.bin.index.json), which says what is where; download it too"
            )),
            _ if ends("model.safetensors") || name.starts_with("model") && ends(".safetensors") => {
                Some(format!(
                    "holds weights as {name}, and a checkpoint has them as model.safetensors; \
                     where they are the model's, rename the file"
                ))
            }
            _ => None,
        }
    })
}

/// Whether this is one of several files of weights, `model-00001-of-00002.safetensors`.
fn is_shard(name: &str) -> bool {
    let numbered = name.contains("-of-0");
    numbered && (name.ends_with(".safetensors") || name.ends_with(".bin"))
}

fn has_onnx(dir: &Path) -> bool {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).any(|path| {
        path.extension()
            .is_some_and(|extension| extension == "onnx")
    })
}

fn exported() -> Option<String> {
    Some(
        "holds an exported model (.onnx), and a checkpoint is needed here: give the folder that \
         it was exported from (config.json and model.safetensors); `fluxo run` and `fluxo compare` \
         take the exported one"
            .to_string(),
    )
}
