//! An encoder of sounds run once for all inputs with the same sounds: they are long, whatever is
//! written about them.

use burn::tensor::TensorData;
use fluxo_models::{Model, OutputOptions, Probe, Tensors};

use crate::inputs::samples;

/// What the encoder reads.
const FEATURES: &str = "input_features";
/// What it gives.
const STATE: &str = "encoder_last_hidden_state";

/// Runs of one model, in one precision, on inputs that come one after the other.
#[derive(Default)]
pub(crate) struct Encoding {
    heard: Heard,
}

/// The sounds that were read last, and what the encoder gave for them.
pub(crate) type Heard = Option<(TensorData, TensorData)>;

impl Encoding {
    /// One that knows what another run `heard`.
    pub fn after(heard: Heard) -> Self {
        Self { heard }
    }

    /// What another run may know of this one.
    pub fn into_heard(self) -> Heard {
        self.heard
    }

    /// The outputs of `model` on `inputs`, in a pass `probe` where there is one.
    ///
    /// # Errors
    /// When they do not fit the model.
    pub fn run(
        &mut self,
        model: &Model,
        request: &OutputOptions,
        inputs: &Tensors,
        probe: Option<Probe>,
    ) -> fluxo_models::Result<Tensors> {
        let known = sounds(request, inputs).and_then(|sounds| self.known(sounds));
        if let Some(state) = known {
            return model.run_encoded(inputs, request, probe, &state);
        }
        let outputs = match probe {
            Some(probe) => model.probe(inputs, request, probe)?.0,
            None => model.run(inputs, request)?,
        };
        self.learn(request, inputs, &outputs);
        Ok(outputs)
    }

    /// Knows from now on what the encoder gave, where `outputs` on `inputs` say it.
    pub fn learn(&mut self, request: &OutputOptions, inputs: &Tensors, outputs: &Tensors) {
        if let (Some(sounds), Some(state)) = (sounds(request, inputs), outputs.get(STATE)) {
            self.heard = Some((sounds.clone(), state.clone()));
        }
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

/// What the encoder reads of `inputs`; `None` where its own layers are asked for, or nothing of it
/// is run.
fn sounds<'a>(request: &OutputOptions, inputs: &'a Tensors) -> Option<&'a TensorData> {
    let inside = request.hidden_states || request.taps;
    let mut names = inputs.keys();
    let cached = names.any(|name| name.starts_with("past_key_values."));
    inputs.get(FEATURES).filter(|_| !inside && !cached)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use fluxo_models::NewModelOptions;
    use fluxo_models::blocks::probe::Weights;

    use super::*;

    #[test]
    fn the_same_sounds_give_the_same_outputs_without_the_encoder() {
        let device = fluxo_backends::device("flex").unwrap();
        let model = Model::new("whisper", &NewModelOptions::default(), 3, &device).unwrap();
        let request = OutputOptions::default();
        let mut encoding = Encoding::default();
        let probe = || Probe::new(Weights::AsTheyAre);
        for (rows, written) in [(3, 4), (3, 7), (1, 5)] {
            let inputs = samples::inputs(model.config(), rows, 2 * written);
            let known = encoding.known(&inputs[FEATURES]).is_some();
            assert_eq!(known, (rows, written) != (3, 4));
            let probed = encoding.run(&model, &request, &inputs, Some(probe()));
            let outputs = probed.unwrap();
            assert_eq!(outputs, model.probe(&inputs, &request, probe()).unwrap().0);
            // Nor does it matter whether the pass is probed.
            let plain = encoding.run(&model, &request, &inputs, None).unwrap();
            assert_eq!(outputs, plain);
            assert_eq!(outputs, model.run(&inputs, &request).unwrap());
        }
        let mut other = samples::inputs(model.config(), 1, 5);
        let features = other.get_mut(FEATURES).unwrap();
        *features = TensorData::zeros::<f32, _>(features.shape().clone());
        assert!(encoding.known(&other[FEATURES]).is_none());
    }
}
