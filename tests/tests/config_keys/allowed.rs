//! Where Fluxo may differ from transformers, and why: files that it refuses by name, and files
//! that only transformers refuses.

/// Keys that Fluxo refuses: a part of the message, which names the key, and the reason.
pub const REFUSED: &[(&str, &str)] = &[
    (
        "`is_decoder`",
        "an encoder that writes text is not supported",
    ),
    (
        "`add_cross_attention`",
        "a decoder beside a family's own is not supported",
    ),
    (
        "`position_embedding_type`",
        "transformers 5 no longer knows it, and computes something else than what was trained",
    ),
    (
        "`per_layer_config`",
        "layers of different shapes are not supported",
    ),
    (
        "`tie_last_hidden_states`",
        "which hidden states are given is the family's own",
    ),
    (
        "`use_bidirectional_attention`",
        "it makes an encoder of a decoder",
    ),
    (
        "`decoder_vocab_size`",
        "Marian with two vocabularies is not supported",
    ),
    (
        "`word_embed_proj_dim`",
        "OPT 350M's narrow embedding is not supported",
    ),
    (
        "`apply_residual_connection_post_layernorm`",
        "no published BLOOM has it",
    ),
    ("`inner_group_num`", "no published ALBERT has it"),
    (
        "cannot share",
        "groups of ALBERT's layers must be of one size",
    ),
    ("rotary scaling `proportional`", "it is another family's"),
    (
        "a `head_dim` of",
        "positions of another width than the heads' are a mistake",
    ),
    (
        "`layer_norm_elementwise_affine`",
        "norms without weights are not supported",
    ),
    (
        "_factor` has",
        "a list of factors that is stretched over the pairs is a mistake",
    ),
    ("`is_encoder_decoder`", "no published T5 is a decoder alone"),
    (
        "positions for `",
        "positions of layers of a type that the checkpoint does not have",
    ),
    (
        "`prelu`",
        "a function with weights of its own, which a head that has none is not asked for",
    ),
    ("`init_std` is missing", "fresh weights need a deviation"),
    (
        "`rope_theta` is missing",
        "positions without a base, which no layer of the checkpoint has",
    ),
    (
        "rotary scaling `yarn` has no",
        "scaling without its factor, which no layer of the checkpoint has",
    ),
    (
        "rotary scaling `llama3` has no",
        "scaling without its factor, which no layer of the checkpoint has",
    ),
    (
        "`partial_rotary_factor` of",
        "parts of heads in a family that turns whole ones, which no layer of the checkpoint has",
    ),
    (
        "positions, and the model has",
        "sequences longer than `max_position_embeddings` are refused",
    ),
];

/// A file that Fluxo reads where transformers refuses it.
pub struct Read {
    /// What the checkpoint's name starts with.
    of: &'static str,
    /// The key; empty for any.
    pub key: &'static str,
    /// A part of what is changed.
    pub part: &'static str,
    /// Why it is read.
    pub reason: &'static str,
}

const fn any(key: &'static str, part: &'static str, reason: &'static str) -> Read {
    only("", key, part, reason)
}

const fn only(
    of: &'static str,
    key: &'static str,
    part: &'static str,
    reason: &'static str,
) -> Read {
    Read {
        of,
        key,
        part,
        reason,
    }
}

/// Files that Fluxo reads where transformers refuses them.
pub const READ: &[Read] = &[
    any(
        "tie_word_embeddings",
        "",
        "a table that is not stored is the one that it is tied to elsewhere",
    ),
    any(
        "pad_token_id",
        "",
        "no result depends on the row of the embedding that padding has",
    ),
    any(
        "layer_types",
        "",
        "a class without windows does not look at it",
    ),
    any(
        "",
        "= null",
        "a null where transformers wants a value stands for none",
    ),
    only("dinov2", "out_features", "", "stages are for backbones"),
    only("dinov2", "out_indices", "", "stages are for backbones"),
    only(
        "dinov2",
        "num_hidden_layers",
        "",
        "stages are for backbones",
    ),
    only(
        "clip",
        "image_size",
        "",
        "two numbers are read as with other images",
    ),
    only(
        "clip",
        "patch_size",
        "",
        "two numbers are read as with other images",
    ),
    only(
        "mixtral",
        "",
        "rope_",
        "heads without a `head_dim` have the usual one for every scaling",
    ),
    only("phi3", "", "\"su\"", "the first releases call longrope so"),
    only(
        "gpt-neox",
        "rope_scaling",
        "\"dynamic\"",
        "a single pair turns, which no base changes",
    ),
];

/// Why `message`, which Fluxo refuses a file with, is right.
pub fn refused(message: &str) -> Option<&'static str> {
    let found = REFUSED.iter().find(|(part, _)| message.contains(part));
    found.map(|(_, reason)| *reason)
}

/// Why Fluxo reads the file with `what` changed, which is about `key`.
pub fn read(checkpoint: &str, key: &str, what: &str) -> Option<&'static str> {
    let key = key.rsplit('.').next().unwrap_or(key);
    let is = |read: &&Read| {
        let named = read.key.is_empty() || read.key == key;
        named && checkpoint.starts_with(read.of) && what.contains(read.part)
    };
    READ.iter().find(is).map(|read| read.reason)
}
