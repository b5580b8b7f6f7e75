"""A flan-t5-small with a head of its own, out of two int8 ONNX files (`traceforge-title-model`)."""

import json
from pathlib import Path

from safetensors.numpy import save_file

from .onnx_weights import weights


def convert(package: Path, out: Path) -> None:
    source = package / "data" / "span"
    encoder, decoder = weights(source / "encoder.onnx"), weights(source / "decoder.onnx")
    ours = {name.removeprefix("m."): value for name, value in decoder.items()}
    for name, value in encoder.items():
        if name != "enc.embed_tokens.weight":
            ours["encoder." + name.removeprefix("enc.")] = value
    save_file(ours, out / "model.safetensors", metadata={"format": "pt"})
    (out / "config.json").write_text(json.dumps(config(ours), indent=2))
    (out / "generation_config.json").write_text(json.dumps(SPECIAL, indent=2))
    (out / "tokenizer.json").write_text((source / "tokenizer.json").read_text())
    (out / "tokenizer_config.json").write_text(json.dumps(TOKENIZER, indent=2))


def config(weights: dict) -> dict:
    vocab, d_model = weights["shared.weight"].shape
    buckets, heads = weights["encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"].shape
    layers = sum(name.endswith("DenseReluDense.wo.weight") for name in weights) // 2
    return {
        "architectures": ["T5ForConditionalGeneration"],
        "model_type": "t5",
        "d_ff": weights["encoder.block.0.layer.1.DenseReluDense.wi_0.weight"].shape[0],
        "d_kv": weights["encoder.block.0.layer.0.SelfAttention.q.weight"].shape[0] // heads,
        "d_model": d_model,
        "feed_forward_proj": "gated-gelu",
        "is_encoder_decoder": True,
        "layer_norm_epsilon": 1e-06,
        "num_decoder_layers": layers,
        "num_heads": heads,
        "num_layers": layers,
        "relative_attention_max_distance": 128,
        "relative_attention_num_buckets": buckets,
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
        "vocab_size": vocab,
    } | SPECIAL


SPECIAL = {"decoder_start_token_id": 0, "eos_token_id": 1, "pad_token_id": 0}
TOKENIZER = {
    "additional_special_tokens": [f"<extra_id_{i}>" for i in range(100)],
    "eos_token": "</s>",
    "extra_ids": 100,
    "model_max_length": 512,
    "pad_token": "<pad>",
    "tokenizer_class": "T5Tokenizer",
    "unk_token": "<unk>",
}
