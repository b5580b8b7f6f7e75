//! Parts of a file that names nothing as we do.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::TensorData;
use fluxo_models::{Part, Tensors};

use super::super::names::Ends;
use super::super::proto::File;
use super::super::{Asked, matched};
use super::Cut;
use super::running::FLOATING;
use crate::error::Result;

impl Cut {
    /// Finds the parts `here` in `file`, whose inputs are `own`, by what the values are.
    pub(super) fn match_parts(
        &mut self,
        path: &Path,
        file: &File,
        here: &[&Part],
        asked: &Asked<'_>,
        own: &Tensors,
    ) -> Result<()> {
        if here
            .iter()
            .all(|part| self.matched.contains_key(&part.path))
        {
            return Ok(());
        }
        let values = file.floats(&FLOATING);
        let mut shapes = BTreeMap::new();
        let mut run = |known: &Tensors, some: &[&str]| {
            let known = self.all_rounded(known)?;
            let given = self.run_some(path, file, some, &known, own)?;
            let shape = |(name, data): (&String, &TensorData)| (name.clone(), data.shape().clone());
            shapes.extend(given.iter().map(shape));
            Ok(given)
        };
        let found = match asked.within {
            None => matched::outermost(here, &values, &mut run)?,
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
                matched::inner(here, &values, &known, &mut run)?
            }
        };
        self.shapes.extend(shapes);
        for (part, ends) in found {
            // A part without the bias that the file has is nearest to what is not yet the whole.
            let output = file.with_bias(&ends.output).to_string();
            self.matched.insert(part, Ends { output, ..ends });
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
