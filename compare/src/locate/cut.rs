//! An ONNX file in a runtime, part by part: the values between the parts become outputs of a
//! temporary file, and inputs where parts are fed. The outermost parts run one after the other, so
//! that one of them is loaded at a time.

mod matching;
mod running;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use burn::tensor::{DType, Shape, TensorData};
use fluxo_models::{Part, Tensors};

use super::names::Ends;
use super::proto::File;
use super::{Asked, Suspect};
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::inputs::complete;
use crate::runner::{Kind, Label};
use crate::shelf::Shelf;
use crate::signature::Signature;
use fluxo_backends::kernels::unit;

/// The ONNX files of a model in a runtime.
pub struct Cut {
    label: Label,
    runtime: String,
    graph: Graph,
    dtype: DType,
    nodes: Vec<(String, String)>,
    shelf: Shelf,
    /// The files that were read.
    read: BTreeMap<PathBuf, Rc<Read>>,
    /// Of each file what a plain run gives between the outermost parts.
    stream: BTreeMap<PathBuf, Tensors>,
    /// Where parts are that the files do not name as we do.
    matched: BTreeMap<String, Ends>,
    /// The shapes of values that were looked at for that.
    shapes: BTreeMap<String, Shape>,
}

/// What a file says.
struct Read {
    file: File,
    signature: Signature,
}

/// One part that the file shows.
struct Shown<'a> {
    exact: &'a Part,
    ends: Ends,
}

impl Cut {
    /// `graph` in the runtime `runtime`, shown as `name`.
    ///
    /// # Errors
    /// When a file cannot be read or is no ONNX file.
    pub fn new(runtime: &str, name: &str, graph: Graph) -> Result<Self> {
        let mut cut = Self {
            label: Label::new(name, Kind::Graph),
            runtime: runtime.to_string(),
            // Parts are looked for in a text as a whole.
            graph: graph.without_past(),
            dtype: DType::F32,
            nodes: Vec::new(),
            shelf: Shelf::default(),
            read: BTreeMap::new(),
            stream: BTreeMap::new(),
            matched: BTreeMap::new(),
            shapes: BTreeMap::new(),
        };
        let decoder = cut.file("decoder").to_path_buf();
        let read = cut.parsed(&decoder)?;
        let mut types = read.signature.file.outputs.iter().map(|port| port.dtype);
        cut.dtype = types.find(DType::is_float).unwrap_or(DType::F32);
        cut.label.unit = Some(unit(cut.dtype));
        cut.label.declared = read.signature.file.weights;
        Ok(cut)
    }

    /// The same, which takes the place of what `shelf` holds when it runs.
    #[must_use]
    pub(crate) fn beside(mut self, shelf: &Shelf) -> Self {
        self.shelf = shelf.clone();
        self
    }

    /// The file in which the part `path` stands.
    fn file(&self, path: &str) -> &Path {
        match &self.graph {
            Graph::Whole(file) => file,
            Graph::Pair { encoder, .. } if path.starts_with("encoder") => encoder,
            Graph::Pair { decoder, .. } => decoder,
            Graph::Split { first, .. } => first,
        }
    }

    fn parsed(&mut self, path: &Path) -> Result<Rc<Read>> {
        if let Some(read) = self.read.get(path) {
            return Ok(read.clone());
        }
        let signature = Signature::read(path)?;
        let file = File::read(path).map_err(|reason| Error::Model {
            path: path.to_path_buf(),
            reason,
        })?;
        let read = Rc::new(Read { file, signature });
        self.read.insert(path.to_path_buf(), read.clone());
        Ok(read)
    }

    /// What the decoder's file takes, or the only one: `inputs`, and what the encoder gives.
    fn inputs_of(
        &self,
        file: &Path,
        signature: &Signature,
        inputs: &Tensors,
        asked: &Asked<'_>,
        forced: bool,
    ) -> Result<Tensors> {
        let Graph::Pair { encoder, .. } = &self.graph else {
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
                let whole = Graph::Whole(encoder.clone());
                let outputs = whole.load(&self.runtime, &self.label.name)?.run(&read)?;
                let state = outputs.get("last_hidden_state").cloned();
                state
                    .ok_or_else(|| Error::runner(&self.label.name, "the encoder gives no state"))?
            }
        };
        written.insert("encoder_hidden_states".into(), state);
        complete(signature, &written)
    }

    fn rounded(&self, data: &TensorData) -> Result<TensorData> {
        let cast = data.clone().try_cast(self.dtype);
        cast.map_err(|e| Error::runner(&self.label.name, e))
    }

    fn all_rounded(&self, values: &Tensors) -> Result<Tensors> {
        let round = |(name, data): (&String, &TensorData)| Ok((name.clone(), self.rounded(data)?));
        values.iter().map(round).collect()
    }

    /// Runs the parts of `asked` in `file`, fed or as they are.
    fn run_file(
        &mut self,
        path: &Path,
        inputs: &Tensors,
        asked: &Asked<'_>,
        forced: bool,
    ) -> Result<Vec<Part>> {
        let read = self.parsed(path)?;
        let here: Vec<&Part> = asked
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
            .all(|exact| read.file.ends(&exact.path).is_none())
        {
            self.match_parts(path, &read.file, &here, asked, &own)?;
        }
        let mut shown = Vec::new();
        for exact in here {
            let known = || self.matched.get(&exact.path).cloned();
            if let Some(ends) = read.file.ends(&exact.path).or_else(known) {
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
        let mut known = match forced {
            true => Tensors::new(),
            false => self.stream.get(path).cloned().unwrap_or_default(),
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
        asked: &Asked<'_>,
        forced: bool,
    ) -> Result<Vec<Part>> {
        let files: Vec<_> = self
            .graph
            .files()
            .into_iter()
            .map(Path::to_path_buf)
            .collect();
        let mut parts = Vec::new();
        self.shelf.clear();
        for file in files {
            parts.extend(self.run_file(&file, inputs, asked, forced)?);
        }
        Ok(parts)
    }
}

/// What the part `exact` of the referee is here, where it writes `data`.
fn part_of(exact: &Part, data: &TensorData) -> Part {
    let shape = exact.output.shape().clone();
    // Rows and columns may be counted otherwise.
    let output = match data.num_elements() == exact.output.num_elements() {
        true => TensorData::new(data.iter::<f32>().collect::<Vec<_>>(), shape),
        false => data.clone(),
    };
    Part {
        path: exact.path.clone(),
        input: None,
        output,
        divides: exact.divides,
    }
}

impl Suspect for Cut {
    fn label(&self) -> &Label {
        &self.label
    }

    fn node(&self, path: &str) -> Option<String> {
        let found = self.nodes.iter().find(|(known, _)| known == path);
        found.map(|(_, node)| node.clone())
    }

    fn plain(&mut self, inputs: &Tensors, scope: &Asked<'_>) -> Result<Vec<Part>> {
        self.run_parts(inputs, scope, false)
    }

    fn forced(&mut self, inputs: &Tensors, scope: &Asked<'_>) -> Result<Vec<Part>> {
        self.run_parts(inputs, scope, true)
    }
}
