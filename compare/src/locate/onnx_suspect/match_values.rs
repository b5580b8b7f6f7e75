//! Parts of a file that names nothing as we do.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::TensorData;
use fluxo_models::{ModuleIo, Tensors};

use super::super::suspect::ProbeRequest;
use super::match_names::Endpoints;
use super::match_parts::{self, floats, with_bias};
use super::run::FLOATING;
use super::state::OnnxSuspect;
use crate::error::Result;
use fluxo_onnx::file::GraphFile;

impl OnnxSuspect {
    /// Finds the parts `here` in `file`, whose inputs are `own`, by what the values are.
    pub(super) fn match_parts(
        &mut self,
        path: &Path,
        file: &GraphFile,
        here: &[&ModuleIo],
        asked: &ProbeRequest<'_>,
        own: &Tensors,
    ) -> Result<()> {
        if here
            .iter()
            .all(|part| self.matched.contains_key(&part.path))
        {
            return Ok(());
        }
        let values = floats(file, &FLOATING);
        let mut shapes = BTreeMap::new();
        let mut run = |known: &Tensors, some: &[&str]| {
            let known = self.all_rounded(known)?;
            let given = self.run_some(path, file, some, &known, own)?;
            let shape = |(name, data): (&String, &TensorData)| (name.clone(), data.shape().clone());
            shapes.extend(given.iter().map(shape));
            Ok(given)
        };
        let found = match asked.within {
            None => match_parts::outermost(here, &values, &mut run)?,
            Some(within) => {
                let (Some(ends), Some(data)) = (self.matched.get(within), asked.given.get(within))
                else {
                    return Ok(());
                };
                let Some(input) = &ends.input else {
                    return Ok(());
                };
                let known = Tensors::from([(input.clone(), self.fed(input, data)?)]);
                let values = file.between(&[input.as_str()], &ends.output, &values);
                match_parts::inner(here, &values, &known, &mut run)?
            }
        };
        self.shapes.extend(shapes);
        for (part, ends) in found {
            // A part without the bias that the file has is nearest to what is not yet the whole.
            let output = with_bias(file, &ends.output).to_string();
            self.matched.insert(part, Endpoints { output, ..ends });
        }
        Ok(())
    }

    /// What the value `name` of a file is given where the referee's is `data`.
    pub(super) fn fed(&self, name: &str, data: &TensorData) -> Result<TensorData> {
        match self.shapes.get(name) {
            Some(shape) if shape.num_elements() == data.num_elements() => {
                let values: Vec<f64> = data.iter::<f64>().collect();
                self.rounded(&TensorData::new(values, shape.clone()))
            }
            _ => self.rounded(data),
        }
    }
}
