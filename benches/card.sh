#!/usr/bin/env bash
# What a graphics card makes of it, beside PyTorch, in minutes: benches/card.sh FLUXO OUT [NAMES].
# FLUXO is the binary (`cargo build --release --features vulkan`, or `cuda`); it needs neither Rust nor
# a network where it runs. OUT gets card.json and card.txt.
set -euo pipefail
fluxo="$1" out="$2" names="${3:-}"
mkdir -p "$out"
python="${FLUXO_PYTHON:-python3}"
"$python" "$(dirname "$0")/card.py" "$fluxo" "$out" --on "$names" | tee "$out/card.txt"
