//! Why operations have no ONNX form, and what to do instead.

/// Of random numbers.
pub(super) const RANDOM: &str = "the generators of ONNX draw other numbers than Burn's: \
     give the random tensor as an input";

/// Of an operation outside Burn's own.
pub(super) const CUSTOM: &str =
    "ONNX does not know a custom operation: compute it with Burn's own on this path";

/// Of a collective operation.
pub(super) const DISTRIBUTED: &str =
    "an ONNX graph runs on one device: export the module as one device has it";

/// Of a backward operation.
pub(super) const GRADIENT: &str =
    "gradients have no place in an exported graph: export the forward pass alone";

/// Of tensors that are quantized while the module runs.
pub(super) const QUANTIZED: &str = "Burn's recorder has no quantized tensors: \
     quantize parameters, which are stored as 8-bit integers";

/// Of the loss of connectionist temporal classification.
pub(super) const CTC: &str =
    "ONNX has no CTC loss: give the log-probabilities as an output and compute the loss outside";
