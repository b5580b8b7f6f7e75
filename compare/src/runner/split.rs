//! A decoder in two files: one that reads the first tokens, one that goes on behind a cache.

use fluxo_models::Tensors;

use super::{Kind, Label, Runner};
use crate::error::Result;
use crate::inputs::past;

/// Two runners of one decoder, as optimum's `decoder_model.onnx` and
/// `decoder_with_past_model.onnx`; shown as one.
pub struct Split {
    label: Label,
    first: Box<dyn Runner>,
    then: Box<dyn Runner>,
}

impl Split {
    /// `first`, which takes no cache, and `then`, which takes the one that was given before; shown
    /// as `name`.
    pub fn new(name: &str, first: Box<dyn Runner>, then: Box<dyn Runner>) -> Self {
        Self {
            label: Label::new(name, Kind::Graph),
            first,
            then,
        }
    }
}

impl Runner for Split {
    fn label(&self) -> &Label {
        &self.label
    }

    fn run(&mut self, inputs: &Tensors) -> Result<Tensors> {
        match past(inputs) {
            0 => self.first.run(inputs),
            _ => self.then.run(inputs),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use burn::tensor::TensorData;

    use super::*;

    struct Named(Label);

    impl Runner for Named {
        fn label(&self) -> &Label {
            &self.0
        }
        fn run(&mut self, _: &Tensors) -> Result<Tensors> {
            let one = TensorData::new(vec![1.0_f32], [1]);
            Ok(Tensors::from([(self.0.name.clone(), one)]))
        }
    }

    #[test]
    fn a_past_of_its_own_text_decides() {
        let named = |name| Box::new(Named(Label::new(name, Kind::Graph)));
        let mut split = Split::new("x", named("first"), named("then"));
        let mut ran = |name: &str, places: usize| {
            let past = TensorData::zeros::<f32, _>([1, 1, places, 1]);
            let inputs = Tensors::from([(name.to_string(), past)]);
            split.run(&inputs).unwrap().into_keys().next().unwrap()
        };
        assert_eq!(ran("past_key_values.0.key", 0), "first");
        assert_eq!(ran("past_key_values.0.key", 2), "then");
        assert_eq!(ran("past_key_values.0.decoder.key", 2), "then");
        // What an encoder read is no text of its own.
        assert_eq!(ran("past_key_values.0.encoder.key", 2), "first");
    }
}
