//! An encoder of sounds run once for all inputs with the same sounds: they are long, whatever is
//! written about them.

use burn::tensor::TensorData;
use fluxo_models::{Model, Probe, Request, Tensors};

use crate::samples;

/// What the encoder reads.
const FEATURES: &str = "input_features";
/// What it gives.
const STATE: &str = "encoder_last_hidden_state";

/// Runs of one model on inputs that come one after the other.
pub(crate) struct Encoding<'a> {
    model: &'a Model,
    request: Request,
    heard: Heard,
}

/// The sounds that were read last, and what the encoder gave for them.
pub(crate) type Heard = Option<(TensorData, TensorData)>;

impl<'a> Encoding<'a> {
    pub fn new(model: &'a Model, request: Request) -> Self {
        Self {
            model,
            request,
            heard: None,
        }
    }

    /// The same, which knows what another run `heard`.
    pub fn after(self, heard: Heard) -> Self {
        Self { heard, ..self }
    }

    /// What another run may know of this one.
    pub fn into_heard(self) -> Heard {
        self.heard
    }

    /// The outputs of a pass `probe` on `inputs`.
    ///
    /// # Errors
    /// When they do not fit the model.
    pub fn run(&mut self, inputs: &Tensors, probe: Probe) -> fluxo_models::Result<Tensors> {
        let (model, request) = (self.model, &self.request);
        // The encoder's own layers are asked for, or nothing of it is run.
        let inside = request.hidden_states || request.taps;
        let cached = inputs
            .keys()
            .any(|name| name.starts_with("past_key_values."));
        let sounds = inputs.get(FEATURES).filter(|_| !inside && !cached);
        let known = sounds.and_then(|sounds| self.known(sounds));
        if let Some(state) = known {
            return model.probe_encoded(inputs, request, probe, &state);
        }
        let (outputs, _) = model.probe(inputs, request, probe)?;
        if let (Some(sounds), Some(state)) = (sounds, outputs.get(STATE)) {
            self.heard = Some((sounds.clone(), state.clone()));
        }
        Ok(outputs)
    }

    /// What the encoder gave for `sounds`, where those are the first rows of what was read last.
    fn known(&self, sounds: &TensorData) -> Option<TensorData> {
        let (read, state) = self.heard.as_ref()?;
        let (all, these) = (read.shape().as_slice(), sounds.shape().as_slice());
        let [rows, ..] = *these else { return None };
        let first = all.len() == these.len() && all[1..] == these[1..] && rows <= all[0];
        if !first || !read.as_bytes().starts_with(sounds.as_bytes()) {
            return None;
        }
        let wanted: Vec<usize> = (0..rows).collect();
        samples::rows(STATE, state, &wanted).ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use fluxo_models::Settings;
    use fluxo_models::blocks::probe::Weights;

    use super::*;

    #[test]
    fn the_same_sounds_give_the_same_outputs_without_the_encoder() {
        let device = fluxo_backends::device("flex").unwrap();
        let model = Model::new("whisper", &Settings::default(), 3, &device).unwrap();
        let request = Request::default();
        let mut encoding = Encoding::new(&model, request);
        let probe = || Probe::new(Weights::AsTheyAre);
        for (rows, written) in [(3, 4), (3, 7), (1, 5)] {
            let inputs = samples::inputs(model.config(), rows, 2 * written);
            let known = encoding.known(&inputs[FEATURES]).is_some();
            assert_eq!(known, (rows, written) != (3, 4));
            let outputs = encoding.run(&inputs, probe()).unwrap();
            assert_eq!(outputs, model.probe(&inputs, &request, probe()).unwrap().0);
        }
        let mut other = samples::inputs(model.config(), 1, 5);
        let features = other.get_mut(FEATURES).unwrap();
        *features = TensorData::zeros::<f32, _>(features.shape().clone());
        assert!(encoding.known(&other[FEATURES]).is_none());
    }
}
