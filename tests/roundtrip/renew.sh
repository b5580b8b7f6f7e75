#!/usr/bin/env bash
# Writes the committed .onnx files of the families anew: renew.sh FLUXO, where FLUXO is the binary.
set -euo pipefail
fluxo=$(realpath "$1")
cd "$(dirname "$0")"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for name in bert llama t5 vit; do
  "$fluxo" export "../fixtures/hf/$name" --out "$out/$name" --quiet >"$out/log"
done
for name in bert llama vit; do cp "$out/$name/onnx/model.onnx" "$name.onnx"; done
cp "$out/t5/onnx/encoder_model.onnx" t5_encoder.onnx
cp "$out/t5/onnx/decoder_model_merged.onnx" t5_decoder.onnx
