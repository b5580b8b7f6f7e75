//! An encoder and a decoder in files of their own, run one after the other.

use fluxo_models::Tensors;

use super::{Kind, Label, Runner};
use crate::error::{Error, Result};

/// Two runners that together take what an encoder-decoder's checkpoint takes, `input_ids` (or
/// `input_features`), `decoder_input_ids` and so on, and give what it gives.
pub struct Chain {
    label: Label,
    encoder: Box<dyn Runner>,
    decoder: Box<dyn Runner>,
    /// What the encoder read last and gave for it, where that is kept.
    kept: Option<(Tensors, Tensors)>,
    keeps: bool,
}

impl Chain {
    /// `encoder`, which gives `last_hidden_state`, before `decoder`, which takes it as
    /// `encoder_hidden_states`; shown as `name`.
    pub fn new(name: &str, encoder: Box<dyn Runner>, decoder: Box<dyn Runner>) -> Self {
        Self {
            label: Label {
                declared: decoder.label().declared,
                ..Label::new(name, Kind::Graph)
            },
            encoder,
            decoder,
            kept: None,
            keeps: false,
        }
    }

    /// The same, whose encoder runs once for inputs that come again one after the other, as those
    /// of a decoding do.
    #[must_use]
    pub fn keeping(self) -> Self {
        Self {
            keeps: true,
            ..self
        }
    }

    /// What the encoder gives for `read`.
    fn encoded(&mut self, read: Tensors) -> Result<Tensors> {
        if let Some((known, given)) = &self.kept
            && *known == read
        {
            return Ok(given.clone());
        }
        let given = self.encoder.run(&read)?;
        self.kept = self.keeps.then(|| (read, given.clone()));
        Ok(given)
    }
}

impl Runner for Chain {
    fn label(&self) -> &Label {
        &self.label
    }

    /// What the encoder gives is left out where the past has its keys: there it is only read
    /// for its size.
    fn run(&mut self, inputs: &Tensors) -> Result<Tensors> {
        let (mut read, mut written) = (Tensors::new(), Tensors::new());
        let mut cached = false;
        for (name, data) in inputs {
            if name.starts_with("past_key_values.") {
                cached |= name.contains(".encoder.") && data.num_elements() > 0;
                written.insert(name.clone(), data.clone());
                continue;
            }
            match name.as_str() {
                "decoder_input_ids" => written.insert("input_ids".into(), data.clone()),
                "decoder_position_ids" => written.insert("position_ids".into(), data.clone()),
                "decoder_attention_mask" => written.insert(name.clone(), data.clone()),
                _ => read.insert(name.clone(), data.clone()),
            };
        }
        if let Some(mask) = read.get("attention_mask") {
            written.insert("encoder_attention_mask".into(), mask.clone());
        }
        let mut outputs = self.encoded(read)?;
        let state = outputs.remove("last_hidden_state").ok_or_else(|| {
            Error::runner(
                &self.label.name,
                "the encoder's file gives no `last_hidden_state`",
            )
        })?;
        written.insert("encoder_hidden_states".into(), state.clone());
        if cached {
            outputs.clear()
        } else {
            outputs.insert("encoder_last_hidden_state".into(), state);
        }
        outputs.extend(self.decoder.run(&written)?);
        // What the encoder's keys were before they are still: other exporters' decoders give them
        // no more, or empty.
        let caches = outputs.keys().any(|name| name.starts_with("present."));
        for (name, data) in written.iter().filter(|_| caches) {
            if let Some(place) = name.strip_prefix("past_key_values.")
                && place.contains(".encoder.")
                && data.num_elements() > 0
            {
                let present = outputs.entry(format!("present.{place}"));
                let present = present.or_insert_with(|| data.clone());
                if present.num_elements() == 0 {
                    *present = data.clone();
                }
            }
        }
        Ok(outputs)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use burn::tensor::TensorData;

    use super::*;

    /// Gives what it is given, and `last_hidden_state`.
    struct Echo(Label);

    impl Runner for Echo {
        fn label(&self) -> &Label {
            &self.0
        }
        fn run(&mut self, inputs: &Tensors) -> Result<Tensors> {
            let given = inputs.iter();
            let mut outputs: Tensors = given
                .map(|(name, data)| (format!("{} {name}", self.0.name), data.clone()))
                .collect();
            let state = TensorData::new(vec![1.0_f32], [1, 1, 1]);
            outputs.insert("last_hidden_state".into(), state);
            Ok(outputs)
        }
    }

    /// Counts its runs.
    struct Counted(Echo, std::rc::Rc<std::cell::Cell<usize>>);

    impl Runner for Counted {
        fn label(&self) -> &Label {
            self.0.label()
        }
        fn run(&mut self, inputs: &Tensors) -> Result<Tensors> {
            self.1.set(self.1.get() + 1);
            self.0.run(inputs)
        }
    }

    #[test]
    fn the_encoder_runs_again_for_other_inputs_only() {
        let echo = |name| Echo(Label::new(name, Kind::Graph));
        let inputs = |read: i64, written: i64| {
            let one = |value| TensorData::new(vec![value], [1, 1]);
            Tensors::from([
                ("input_ids".to_string(), one(read)),
                ("decoder_input_ids".to_string(), one(written)),
            ])
        };
        for (keeps, wanted) in [(true, 2), (false, 4)] {
            let runs = std::rc::Rc::default();
            let encoder = Box::new(Counted(echo("read"), std::rc::Rc::clone(&runs)));
            let chain = Chain::new("x", encoder, Box::new(echo("write")));
            let mut chain = if keeps { chain.keeping() } else { chain };
            for (read, written) in [(1, 1), (1, 2), (2, 2), (2, 3)] {
                chain.run(&inputs(read, written)).unwrap();
            }
            assert_eq!(runs.get(), wanted);
        }
    }

    fn names(past: &[usize]) -> Vec<String> {
        let echo = |name| Box::new(Echo(Label::new(name, Kind::Graph)));
        let mut chain = Chain::new("x", echo("read"), echo("write"));
        let names = [
            "input_ids",
            "attention_mask",
            "decoder_input_ids",
            "decoder_attention_mask",
        ];
        let one = || TensorData::new(vec![1_i64], [1, 1]);
        let mut inputs: Tensors = names.map(|name| (name.to_string(), one())).into();
        for places in past {
            let past = TensorData::zeros::<f32, _>([1, 1, *places, 1]);
            inputs.insert("past_key_values.0.encoder.key".into(), past);
        }
        chain.run(&inputs).unwrap().into_keys().collect()
    }

    #[test]
    fn each_gets_what_it_reads() {
        let first = [
            "encoder_last_hidden_state",
            "last_hidden_state",
            "read attention_mask",
            "read input_ids",
            "write decoder_attention_mask",
            "write encoder_attention_mask",
            "write encoder_hidden_states",
            "write input_ids",
        ];
        assert_eq!(names(&[]), first);
        let past = "write past_key_values.0.encoder.key";
        assert_eq!(names(&[0]), [&first[..], &[past]].concat());
        // What the encoder gives is of no use any more.
        let later = [&["last_hidden_state"], &first[4..], &[past]].concat();
        assert_eq!(names(&[3]), later);
    }
}
