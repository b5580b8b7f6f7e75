"""Real weights that Fluxo was not made with: `tests/real_weights.py` measures on them."""
