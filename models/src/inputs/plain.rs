//! What a plain call of transformers counts.

use burn::tensor::TensorData;

use crate::blocks::embedding::Counting;
use crate::network::NetworkConfig;
use crate::tensors::Tensors;

/// Adds the positions that a plain call of the class in transformers counts, where they are neither
/// given nor those that a decoder counts anyway: the columns, where a mask is there.
///
/// A decoder's `generate` counts the tokens that the mask keeps, and so does a network here
/// ([`Counting`]); its `forward` does not.
pub fn plain_call(config: &NetworkConfig, inputs: &mut Tensors) {
    let prefix = if config.encodes_and_decodes() {
        "decoder_"
    } else {
        ""
    };
    let Some(stack) = &config.decoder else { return };
    let counting = stack.tokens().map(|tokens| tokens.counting);
    let name = format!("{prefix}position_ids");
    let taken = stack.given_positions().is_some() && !inputs.contains_key(&name);
    if counting != Some(Counting::Kept) || !taken {
        return;
    }
    let shape = |input: &str| {
        let data = inputs.get(&format!("{prefix}{input}"))?;
        <[usize; 2]>::try_from(data.shape().to_vec()).ok()
    };
    // Other shapes are refused where the inputs are read.
    if let (Some([rows, seq]), Some([_, total])) = (shape("input_ids"), shape("attention_mask"))
        && let Some(past) = total.checked_sub(seq)
    {
        let columns = (0..rows).flat_map(|_| past as i64..total as i64).collect();
        inputs.insert(name, TensorData::new::<i64, _>(columns, [rows, seq]));
    }
}
