//! A text in pieces, each with the cache of those before it, is the text as a whole.

use burn::tensor::{Int, Tensor, TensorData};
use fluxo_models::{Batch, Cache, Model, Output, Taps, Task};

use super::rows::{Padding, checkpoints, floats, same_frequencies, text};
use super::{batch, difference, texts};

/// Prefill, one token, a few.
const PIECES: [usize; 3] = [5, 1, 3];

fn ids(model: &Model, data: TensorData) -> Tensor<2, Int> {
    Tensor::from_data(data, &model.device())
}

fn columns(x: &Tensor<2, Int>, from: usize, to: usize) -> Tensor<2, Int> {
    let [rows, _] = x.dims();
    x.clone().slice([0..rows, from..to])
}

/// The decoder's tokens `[rows, seq]`, its mask, and what its encoder reads, `None` elsewhere.
struct Given {
    ids: Tensor<2, Int>,
    keep: Option<Tensor<2, Int>>,
    encoder: Batch,
}

impl Given {
    /// Two rows, the second shorter by 2 and padded on the left; without a mask both are whole.
    fn of(model: &Model, padded: bool) -> Self {
        let seq: usize = PIECES.iter().sum();
        let short = if padded { seq - 2 } else { seq };
        let rows = [texts(model, seq, 1), texts(model, short, 5)];
        let [source, target] = batch(model, &rows, Padding::Left, 0);
        let both = model.config().encodes_and_decodes();
        let written = if both { &target } else { &source };
        let mut encoder = Batch::default();
        if let (true, Some(stack)) = (both, &model.config().encoder) {
            match &stack.input {
                fluxo_models::stack::InputConfig::Frames(frames) => {
                    let sound = floats(&[2, frames.mel_bins, frames.frames()]);
                    let sound = Tensor::from_data(sound, &model.device());
                    encoder.input_features = Some(sound);
                }
                _ => {
                    encoder.input_ids = Some(ids(model, source.ids()));
                    encoder.attention_mask = padded.then(|| ids(model, source.mask()));
                }
            }
        }
        Self {
            ids: ids(model, written.ids()),
            keep: padded.then(|| ids(model, written.mask())),
            encoder,
        }
    }

    /// The call for the tokens `from..to`.
    fn piece(&self, model: &Model, from: usize, to: usize, cache: Option<Cache>) -> Output {
        let ids = columns(&self.ids, from, to);
        let keep = self.keep.as_ref().map(|keep| columns(keep, 0, to));
        let batch = if model.config().encodes_and_decodes() {
            Batch {
                decoder_input_ids: Some(ids),
                decoder_attention_mask: keep,
                cache,
                ..self.encoder.clone()
            }
        } else {
            Batch {
                input_ids: Some(ids),
                attention_mask: keep,
                cache,
                ..Batch::default()
            }
        };
        model.network.forward(batch, &mut Taps::off())
    }
}

/// The kept positions of `state` `[rows, seq, d_model]`, of which the first is number `from`.
fn kept(state: &Tensor<3>, keep: Option<&Tensor<2, Int>>, from: usize) -> Vec<f32> {
    let [rows, seq, width] = state.dims();
    let values: Vec<f32> = state.to_data().try_into_vec().unwrap();
    let mask: Vec<i64> = match keep {
        Some(keep) => columns(keep, from, from + seq)
            .to_data()
            .convert::<i64>()
            .try_into_vec()
            .unwrap(),
        None => vec![1; rows * seq],
    };
    let positions = values
        .chunks(width)
        .zip(mask)
        .filter(|(_, keep)| *keep == 1);
    positions
        .flat_map(|(position, _)| position.to_vec())
        .collect()
}

/// With and without padding, in a cache that grows, one with room for all, and one whose room
/// runs out on the way.
#[test]
fn a_text_in_pieces_is_the_text_as_a_whole() {
    let mut tried = 0;
    for (name, model) in checkpoints() {
        let whole: usize = PIECES.iter().sum();
        let stack = text(&model).unwrap();
        // A classifier behind an encoder reads its decoder's text as a whole.
        let both = model.config().encodes_and_decodes();
        let classifies = both && model.task() == Task::TextClassification;
        let frequencies_change = same_frequencies(stack) < whole;
        if model.config().decoder.is_none() || classifies || frequencies_change {
            continue;
        }
        tried += 1;
        for padded in [false, true] {
            let given = Given::of(&model, padded);
            let full = given
                .piece(&model, 0, whole, None)
                .last_hidden_state
                .unwrap();
            for room in [None, Some(whole), Some(2)] {
                let (mut cache, mut from) = (None, 0);
                for piece in PIECES {
                    let to = from + piece;
                    let output = given.piece(&model, from, to, cache);
                    let cached = output.cache.unwrap();
                    assert_eq!(cached.past(), to);
                    cache = Some(match room {
                        Some(room) if from == 0 => cached.with_room(room),
                        _ => cached,
                    });
                    let [rows, _, width] = full.dims();
                    let wanted = full.clone().slice([0..rows, from..to, 0..width]);
                    let [found, wanted] = [output.last_hidden_state.unwrap(), wanted]
                        .map(|state| kept(&state, given.keep.as_ref(), from));
                    let difference = difference(&found, &wanted);
                    assert!(
                        difference <= super::BOUND,
                        "{name}, tokens {from}..{to}, padded: {padded}, {room:?}: {difference:e}"
                    );
                    from = to;
                }
            }
        }
    }
    assert!(tried >= 28, "only {tried} decoders were tried");
}
