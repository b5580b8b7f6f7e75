//! A family of each kind, back again: the code that upstream's importer makes of our files gives
//! what transformers gives.
//!
//! The files are what `fluxo export` writes of `tests/fixtures/hf/NAME` (`renew.sh` writes them
//! anew), the wanted outputs those that transformers returned for the same checkpoint, beside it.
//! What is run here, one text or two and caches from none on, no trace of the exporter had: the
//! smallest of them has four texts.

mod reference;

use burn::tensor::{Device, Tensor};
use fluxo_roundtrip::{bert, llama, t5_decoder, t5_encoder, vit};
use reference::{Reference, assert_close, empty, kept};

/// How many tokens the second text of every reference has; the rest of its row is padding.
const SECOND: usize = 7;

#[test]
fn an_encoder() {
    let device = Device::flex();
    let model = bert::Model::default();
    let given = Reference::load("bert");
    let [ids, mask, types] =
        ["input_ids", "attention_mask", "token_type_ids"].map(|name| given.ints(name, &device));
    let hidden: Tensor<3> = given.floats("out", "last_hidden_state", &device);
    let pooled: Tensor<2> = given.floats("out", "pooler_output", &device);

    let (got_hidden, got_pooled) = model.forward(ids.clone(), mask.clone(), types.clone());
    assert_close(
        "both texts",
        kept(got_hidden, SECOND),
        kept(hidden.clone(), SECOND),
    );
    assert_close("both texts, pooled", got_pooled, pooled.clone());

    // The second text alone, without its padding.
    let [ids, mask, types] = [ids, mask, types].map(|x| x.slice([1..2, 0..SECOND]));
    let (got_hidden, got_pooled) = model.forward(ids, mask, types);
    assert_close("one text", got_hidden, hidden.slice([1..2, 0..SECOND]));
    assert_close("one text, pooled", got_pooled, pooled.slice_dim(0, 1..2));
}

#[test]
fn a_decoder_with_its_cache() {
    let device = Device::flex();
    let model = llama::Model::default();
    let given = Reference::load("llama");
    let [ids, mask] = ["input_ids", "attention_mask"].map(|name| given.ints(name, &device));

    // [texts, heads of keys, length so far, width of a head]
    let mut cache: [Tensor<4>; 6] = std::array::from_fn(|_| empty([2, 2, 0, 8], &device));
    let mut logits = Vec::new();
    for [from, to] in [[0, 6], [6, 10], [10, 11]] {
        let [k0, v0, k1, v1, k2, v2] = cache;
        let out = model.forward(
            ids.clone().slice([0..2, from..to]),
            mask.clone().slice([0..2, 0..to]),
            k0,
            v0,
            k1,
            v1,
            k2,
            v2,
        );
        logits.push(out.0); // [2, to - from, vocabulary]
        cache = [out.1, out.2, out.3, out.4, out.5, out.6];
    }
    assert_close(
        "logits in three calls",
        kept(Tensor::cat(logits, 1), SECOND),
        kept(given.floats("out", "logits", &device), SECOND),
    );
}

#[test]
fn an_encoder_decoder_with_its_cache() {
    let device = Device::flex();
    let given = Reference::load("t5");
    let [ids, mask, decoder_ids] =
        ["input_ids", "attention_mask", "decoder_input_ids"].map(|name| given.ints(name, &device));
    let encoded = t5_encoder::Model::default().forward(ids, mask.clone());
    assert_close(
        "encoder",
        kept(encoded.clone(), SECOND),
        kept(
            given.floats("out", "encoder_last_hidden_state", &device),
            SECOND,
        ),
    );

    let model = t5_decoder::Model::default();
    // Of each layer, the keys and values of the text so far, then those of the text that is read.
    let mut cache: [Tensor<4>; 12] = std::array::from_fn(|_| empty([2, 4, 0, 8], &device));
    let mut logits = Vec::new();
    for [from, to] in [[0, 4], [4, 6], [6, 7]] {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = cache;
        let out = model.forward(
            mask.clone(),
            decoder_ids.clone().slice([0..2, from..to]),
            encoded.clone(),
            a,
            b,
            c,
            d,
            e,
            f,
            g,
            h,
            i,
            j,
            k,
            l,
        );
        logits.push(out.0); // [2, to - from, vocabulary]
        cache = [
            out.1, out.2, out.3, out.4, out.5, out.6, out.7, out.8, out.9, out.10, out.11, out.12,
        ];
    }
    assert_close(
        "logits in three calls",
        Tensor::cat(logits, 1),
        given.floats("out", "logits", &device),
    );
}

#[test]
fn a_model_of_images() {
    let device = Device::flex();
    let model = vit::Model::default();
    let given = Reference::load("vit");
    let pixels: Tensor<4> = given.floats("in", "pixel_values", &device);
    let logits: Tensor<2> = given.floats("out", "logits", &device);
    assert_close("both", model.forward(pixels.clone()), logits.clone());
    let one = model.forward(pixels.slice_dim(0, 1..2));
    assert_close("one", one, logits.slice_dim(0, 1..2));
}
