//! The keys of `generation_config.json`: transformers' `GenerationConfig`, and Whisper's beside.

/// What is made of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// It counts as in transformers.
    Read,
    /// It is refused by its name where it would change what is written.
    Refused,
    /// It changes nothing that is written.
    Idle,
}

const READ: &[&str] = &[
    "bad_words_ids",
    "begin_suppress_tokens",
    "bos_token_id",
    "decoder_start_token_id",
    "do_sample",
    "early_stopping",
    "encoder_no_repeat_ngram_size",
    "encoder_repetition_penalty",
    "eos_token_id",
    "epsilon_cutoff",
    "eta_cutoff",
    "exponential_decay_length_penalty",
    "force_bos_token_to_be_generated",
    "forced_bos_token_id",
    "forced_decoder_ids",
    "forced_eos_token_id",
    "lang_to_id",
    "language",
    "length_penalty",
    "max_length",
    "max_new_tokens",
    "min_length",
    "min_new_tokens",
    "min_p",
    "no_repeat_ngram_size",
    "no_timestamps_token_id",
    "num_beams",
    "num_return_sequences",
    "remove_invalid_values",
    "renormalize_logits",
    "repetition_penalty",
    "sequence_bias",
    "stop_strings",
    "suppress_tokens",
    "task",
    "task_to_id",
    "temperature",
    "top_h",
    "top_k",
    "top_p",
    "typical_p",
    "use_cache",
];

const REFUSED: &[&str] = &[
    "constraints",
    "dola_layers",
    "force_words_ids",
    "guidance_scale",
    "max_time",
    "no_speech_threshold",
    "num_beam_groups",
    "penalty_alpha",
    "return_timestamps",
    "token_healing",
    "watermarking_config",
];

const IDLE: &[&str] = &[
    "alignment_heads",
    "assistant_confidence_threshold",
    "assistant_early_exit",
    "assistant_ensemble_weight",
    "assistant_lookbehind",
    "cache_config",
    "cache_implementation",
    "compile_config",
    "continuous_batching_config",
    "disable_compile",
    "diversity_penalty",
    "is_assistant",
    "is_multilingual",
    "low_memory",
    "max_cache_len",
    "max_initial_timestamp_index",
    "max_matching_ngram_size",
    "num_assistant_tokens",
    "num_assistant_tokens_schedule",
    "output_attentions",
    "output_hidden_states",
    "output_logits",
    "output_scores",
    "pad_token_id",
    "prefill_chunk_size",
    "prev_sot_token_id",
    "prompt_lookup_num_tokens",
    "return_dict_in_generate",
    "speculation_type",
    "target_lookbehind",
    "transformers_version",
    "use_mtp",
];

/// Every key and what is made of it.
pub fn keys() -> impl Iterator<Item = (&'static str, Meaning)> {
    let with = |keys: &'static [&'static str], meaning| keys.iter().map(move |key| (*key, meaning));
    with(READ, Meaning::Read)
        .chain(with(REFUSED, Meaning::Refused))
        .chain(with(IDLE, Meaning::Idle))
}

/// What is made of `key`; none where it is not known.
pub(super) fn meaning(key: &str) -> Option<Meaning> {
    keys()
        .find(|(known, _)| *known == key)
        .map(|(_, meaning)| meaning)
}
