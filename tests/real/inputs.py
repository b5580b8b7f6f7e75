"""Inputs of each kind of model, from the same seed the same."""

import numpy as np

from .cases import Case


def prompts(case: Case, processor) -> list[list[int]]:
    if case.texts:
        return [processor(text).input_ids for text in case.texts]
    return case.ids


def batch(case: Case, config, rows: list[list[int]], processor, sound) -> dict:
    """What `case` reads: real texts, an image and speech where they are there, and made-up
    tokens; rows of different lengths, padded at the end."""
    random = np.random.default_rng(7)
    if case.kind == "image":
        return {"pixel_values": images(random, 2)}
    if case.kind == "speech":
        features = processor(sound, sampling_rate=16000, return_tensors="np").input_features
        ids = random.integers(0, config.vocab_size, (1, 9))
        ids[:, 0] = config.decoder_start_token_id
        return {"input_features": features, "decoder_input_ids": ids}
    longest = max([12, *map(len, rows)])
    made_up = random.integers(5, config.vocab_size, longest).tolist()
    rows = [*rows[:3], made_up, made_up[: longest // 2]]
    ids = np.full((len(rows), longest), config.pad_token_id or 0)
    mask = np.zeros_like(ids)
    for row, tokens in enumerate(rows):
        ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = 1
    given = {"input_ids": ids, "attention_mask": mask}
    if case.kind == "text2text":
        decoder = random.integers(5, config.vocab_size, (len(rows), 6))
        decoder[:, 0] = config.decoder_start_token_id
        given["decoder_input_ids"] = decoder
    return given


def located(case: Case, vocab: int, seed: int) -> dict:
    """Inputs number `seed` of those on which nothing may be blamed: batch 1 to 4."""
    random = np.random.default_rng(seed)
    rows = 1 + seed % 4
    if case.kind == "image":
        return {"pixel_values": images(random, rows)}
    length = 4 + seed % 13
    ids = random.integers(5, vocab, (rows, length))
    if case.kind == "speech":
        features = random.standard_normal((rows, 80, 3000), np.float32) * np.float32(0.4)
        return {"input_features": features, "decoder_input_ids": ids}
    mask = np.ones_like(ids)
    mask[-1, length - seed % 3 :] = 0
    given = {"input_ids": ids, "attention_mask": mask}
    if case.kind == "text2text":
        given["decoder_input_ids"] = random.integers(5, vocab, (rows, 5))
    return given


def images(random: np.random.Generator, count: int) -> np.ndarray:
    """`[count, 3, 224, 224]`, as normalised ones are spread."""
    return random.standard_normal((count, 3, 224, 224), np.float32)
