//! Made-up inputs, the same every time.

use burn::tensor::TensorData;
use fluxo_models::{NetworkConfig, Tensors};

/// Token numbers, mask and, where the network has them, token types of `[batch, seq]`. Tokens
/// spread over the vocabulary; the last of several rows ends in padding, a third of it.
pub fn inputs(config: &NetworkConfig, batch: usize, seq: usize) -> Tensors {
    let matrix = |value: &dyn Fn(usize, usize) -> usize| {
        let values = (0..batch * seq).map(|i| value(i / seq, i % seq) as i64);
        TensorData::new(values.collect::<Vec<_>>(), [batch, seq])
    };
    // A prime step reaches every token before one comes twice.
    let token = |row: usize, s: usize| (row * seq + s + 1) * 7919 % config.vocab_size;
    let padded = if batch > 1 { seq / 3 } else { 0 };
    let kept = |row: usize, s: usize| usize::from(row + 1 < batch || s < seq - padded);
    let mut inputs = Tensors::from([
        ("input_ids".to_string(), matrix(&token)),
        ("attention_mask".to_string(), matrix(&kept)),
    ]);
    let types = config.token_types();
    if types > 0 {
        inputs.insert(
            "token_type_ids".to_string(),
            matrix(&|_, s| s * types / seq),
        );
    }
    inputs
}
