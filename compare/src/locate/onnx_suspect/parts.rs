//! The parts of a file, run one after the other: fed what the referee's read, or as they are.

use std::path::Path;

use burn::tensor::TensorData;
use fluxo_models::{ModuleIo, Tensors};

use super::super::suspect::{ProbeRequest, Suspect};
use super::match_names::{Endpoints, ends};
use super::state::OnnxSuspect;
use crate::error::{Error, Result};
use crate::files::OnnxModelFiles;
use crate::inputs::complete;
use crate::inputs::signature::Signature;
use crate::runner::Label;

/// One part that the file shows.
struct Shown<'a> {
    exact: &'a ModuleIo,
    ends: Endpoints,
}

impl OnnxSuspect {
    /// What the decoder's file takes, or the only one: `inputs`, and what the encoder gives.
    fn inputs_of(
        &self,
        file: &Path,
        signature: &Signature,
        inputs: &Tensors,
        asked: &ProbeRequest<'_>,
        forced: bool,
    ) -> Result<Tensors> {
        let OnnxModelFiles::Pair { encoder, .. } = &self.graph else {
            return complete(signature, inputs);
        };
        let (mut read, mut written) = (Tensors::new(), Tensors::new());
        for (name, data) in inputs {
            match name.as_str() {
                "decoder_input_ids" => written.insert("input_ids".into(), data.clone()),
                "attention_mask" => {
                    written.insert("encoder_attention_mask".into(), data.clone());
                    read.insert(name.clone(), data.clone())
                }
                _ if name.starts_with("decoder_") || name.starts_with("past_key_values.") => {
                    written.insert(name.clone(), data.clone())
                }
                _ => read.insert(name.clone(), data.clone()),
            };
        }
        if file == encoder {
            return complete(signature, &read);
        }
        let state = match asked.given.get("decoder.encoded").filter(|_| forced) {
            Some(state) => self.rounded(state)?,
            None => {
                let whole = OnnxModelFiles::Whole(encoder.clone());
                let outputs = whole.load(&self.runtime, &self.label.name)?.run(&read)?;
                let state = outputs.get("last_hidden_state").cloned();
                state
                    .ok_or_else(|| Error::runner(&self.label.name, "the encoder gives no state"))?
            }
        };
        written.insert("encoder_hidden_states".into(), state);
        complete(signature, &written)
    }

    /// Runs the parts of `asked` in `file`, fed or as they are.
    fn run_file(
        &mut self,
        path: &Path,
        inputs: &Tensors,
        asked: &ProbeRequest<'_>,
        forced: bool,
    ) -> Result<Vec<ModuleIo>> {
        let read = self.parsed(path)?;
        let here: Vec<&ModuleIo> = asked
            .exact
            .iter()
            .filter(|exact| self.file(&exact.path) == path)
            .collect();
        if here.is_empty() {
            return Ok(Vec::new());
        }
        let own = self.inputs_of(path, &read.signature, inputs, asked, forced)?;
        if here
            .iter()
            .all(|exact| ends(&read.file, &exact.path).is_none())
        {
            self.match_parts(path, &read.file, &here, asked, &own)?;
        }
        let mut shown = Vec::new();
        for exact in here {
            let known = || self.matched.get(&exact.path).cloned();
            if let Some(ends) = ends(&read.file, &exact.path).or_else(known) {
                if let Some(writer) = read.file.writer(&ends.output) {
                    let node = read.file.nodes[writer].name.clone();
                    self.nodes.push((exact.path.clone(), node));
                }
                shown.push(Shown { exact, ends });
            }
        }
        if shown.is_empty() {
            return Ok(Vec::new());
        }
        // What lies between parts, as far as it is known: what is given, or what came out.
        let mut known = if forced {
            Tensors::new()
        } else {
            self.stream.get(path).cloned().unwrap_or_default()
        };
        let whole = asked.within.is_none();
        let at_once = if whole { 1 } else { shown.len() };
        let mut parts = Vec::new();
        for some in shown.chunks(at_once) {
            for Shown { exact, ends } in some.iter().filter(|_| forced) {
                if let (Some(input), Some(data)) = (&ends.input, &exact.input) {
                    known.insert(input.clone(), self.fed(input, data)?);
                }
            }
            let outputs: Vec<&str> = some.iter().map(|s| s.ends.output.as_str()).collect();
            let written = self.run_some(path, &read.file, &outputs, &known, &own)?;
            for Shown { exact, ends } in some {
                let Some(data) = written.get(&ends.output) else {
                    continue;
                };
                if whole && !known.contains_key(&ends.output) {
                    known.insert(ends.output.clone(), self.rounded(data)?);
                }
                parts.push(part_of(exact, data));
            }
        }
        if whole && !forced {
            self.stream.insert(path.to_path_buf(), known);
        }
        Ok(parts)
    }

    fn run_parts(
        &mut self,
        inputs: &Tensors,
        asked: &ProbeRequest<'_>,
        forced: bool,
    ) -> Result<Vec<ModuleIo>> {
        let files: Vec<_> = self
            .graph
            .files()
            .into_iter()
            .map(Path::to_path_buf)
            .collect();
        let mut parts = Vec::new();
        self.checkpoints.clear();
        for file in files {
            parts.extend(self.run_file(&file, inputs, asked, forced)?);
        }
        Ok(parts)
    }
}

/// What the part `exact` of the referee is here, where it writes `data`.
fn part_of(exact: &ModuleIo, data: &TensorData) -> ModuleIo {
    let shape = exact.output.shape().clone();
    // Rows and columns may be counted otherwise.
    let output = if data.num_elements() == exact.output.num_elements() {
        TensorData::new(data.iter::<f32>().collect::<Vec<_>>(), shape)
    } else {
        data.clone()
    };
    ModuleIo {
        path: exact.path.clone(),
        input: None,
        output,
        divides: exact.divides,
    }
}

impl Suspect for OnnxSuspect {
    fn label(&self) -> &Label {
        &self.label
    }

    fn node(&self, path: &str) -> Option<String> {
        let found = self.nodes.iter().find(|(known, _)| known == path);
        found.map(|(_, node)| node.clone())
    }

    fn plain(&mut self, inputs: &Tensors, scope: &ProbeRequest<'_>) -> Result<Vec<ModuleIo>> {
        self.run_parts(inputs, scope, false)
    }

    fn forced(&mut self, inputs: &Tensors, scope: &ProbeRequest<'_>) -> Result<Vec<ModuleIo>> {
        self.run_parts(inputs, scope, true)
    }
}
