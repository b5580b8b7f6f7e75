//! What became of a checkpoint's tensors.

use serde::Serialize;

/// A load report: nothing of a checkpoint is dropped or changed without a line here.
/// Missing or misshapen tensors are errors, so they never get this far.
#[derive(Debug, Clone, Default, Serialize)]
pub struct LoadReport {
    /// Parameters of the model, tied ones once.
    pub parameters: usize,
    /// Published tensors that were read.
    pub used: Vec<String>,
    /// Published tensors that nothing read.
    pub unused: Vec<String>,
    /// What is one tensor: the head with the token embedding; published tensors that were compared
    /// with another, equal it, and were not read.
    pub tied: Vec<String>,
    /// What `config.json` ties, and the checkpoint's values do not.
    pub untied: Vec<String>,
    /// Published tensors that were transposed.
    pub transposed: Vec<String>,
    /// Published tensors that were split into several parameters.
    pub split: Vec<String>,
    /// What `config.json` does not say and the weights' names do.
    pub guessed: Vec<String>,
    /// What stood before the tensors' names, where it is not what the family has there.
    pub prefix: Option<String>,
    /// Parts of the model that the checkpoint has no weights for, and that were left out.
    pub left_out: Vec<String>,
    /// Files that would go where the model goes, but lead out of its folder.
    pub not_carried: Vec<String>,
    /// Published tensors that were widened to float32, with their own type.
    pub converted: Vec<String>,
}

impl std::fmt::Display for LoadReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} parameters from {} tensors ({} transposed, {} split, {} converted, {} tied, \
             {} unused)",
            self.parameters,
            self.used.len(),
            self.transposed.len(),
            self.split.len(),
            self.converted.len(),
            self.tied.len(),
            self.unused.len()
        )?;
        if !self.unused.is_empty() {
            write!(f, "\nunused: {}", self.unused.join(", "))?;
        }
        if !self.guessed.is_empty() {
            write!(f, "\nguessed: {}", self.guessed.join(", "))?;
        }
        if let Some(prefix) = &self.prefix {
            write!(f, "\nprefix: {prefix}")?;
        }
        if !self.left_out.is_empty() {
            write!(f, "\nleft out: {}", self.left_out.join(", "))?;
        }
        if !self.not_carried.is_empty() {
            write!(f, "\nnot carried: {}", self.not_carried.join(", "))?;
        }
        if !self.tied.is_empty() {
            write!(f, "\ntied: {}", self.tied.join(", "))?;
        }
        if !self.untied.is_empty() {
            write!(f, "\nuntied: {}", self.untied.join(", "))?;
        }
        Ok(())
    }
}
