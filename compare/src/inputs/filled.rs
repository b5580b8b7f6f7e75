//! From the tensors that were given to the tensors that a model takes.

use burn::tensor::TensorData;
use fluxo_models::Tensors;
use fluxo_onnx::file::{Dim, Port};
use fluxo_verify::inputs::{fit, missing, unknown};

pub(crate) use fluxo_verify::inputs::integers;

use super::mask::Mask;
use super::past::past;
use super::positions::{self, counted};
use super::signature::Signature;
use crate::error::{Error, Result};
use fluxo_verify::Mask as _;

/// The inputs that the file with `signature` is given where `inputs` are: what it declares, and no
/// more.
///
/// What is missing is filled in where only one value makes sense: an `attention_mask` of ones,
/// `token_type_ids` of zeros, an empty past; `position_ids` as the file says that its model counts
/// them ([`Signature::counting`]), and of what other exporters' files take which of their branches
/// reads a past, that logits are wanted of all positions, and where in the cache tokens stand. An
/// input that the model does not take is an error, unless it says what the model assumes anyway: a
/// mask of ones, token types of zeros, positions as they are counted, or what an encoder gave where
/// its keys are in the past.
///
/// # Errors
/// When an input is missing or unknown. Types and shapes are looked at where the file runs.
pub fn filled(signature: &Signature, inputs: &Tensors) -> Result<Tensors> {
    for (name, data) in inputs {
        if signature.file.input(name).is_none() && !says_nothing(name, data, signature, inputs) {
            return Err(unknown(&signature.file, name));
        }
    }
    let mut filled = Tensors::new();
    for port in &signature.file.inputs {
        let data = match inputs.get(&port.name) {
            Some(data) => data.clone(),
            None => fill(port, signature, inputs)?,
        };
        filled.insert(port.name.clone(), data);
    }
    Ok(filled)
}

/// [`filled`], in the element types that the file declares.
///
/// # Errors
/// As [`filled`], and when an input is of another type or shape than declared.
pub fn complete(signature: &Signature, inputs: &Tensors) -> Result<Tensors> {
    let filled = filled(signature, inputs)?;
    let fitting = signature.file.inputs.iter().map(|port| {
        let data = fit(port, &filled[&port.name])?.into_owned();
        Ok((port.name.clone(), data))
    });
    fitting.collect()
}

/// Whether leaving out this input, one of `inputs`, changes nothing.
fn says_nothing(name: &str, data: &TensorData, signature: &Signature, inputs: &Tensors) -> bool {
    let all =
        |value: f64| fluxo_verify::numbers(data).is_ok_and(|all| all.iter().all(|v| *v == value));
    let empty = |name: &str| {
        inputs
            .get(name)
            .is_some_and(|data| data.num_elements() == 0)
    };
    match name {
        _ if name.starts_with("past_key_values.") => empty(name) && !signature.takes_a_past(),
        "encoder_hidden_states" => inputs
            .get("past_key_values.0.encoder.key")
            .is_some_and(|key| key.num_elements() > 0),
        positions::NAME => as_counted(data, signature, inputs).unwrap_or(false),
        "attention_mask" | "decoder_attention_mask" | "encoder_attention_mask" => all(1.0),
        "token_type_ids" => all(0.0),
        _ => false,
    }
}

/// Whether the positions `data` are those that the file counts itself, of the tokens that count.
fn as_counted(data: &TensorData, signature: &Signature, inputs: &Tensors) -> Result<bool> {
    let counted = counted(signature.counting, inputs, past(inputs))?;
    let shape = counted.shape().to_vec();
    let [given, counted] = [data, &counted].map(|data| integers(positions::NAME, data));
    let (given, counted) = (given?, counted?);
    let kept = Mask::of(inputs)?.of_output(positions::NAME, &shape);
    let kept = kept.unwrap_or_else(|| vec![true; counted.len()]);
    let mut pairs = given.iter().zip(&counted).zip(kept);
    let same = |((a, b), kept): ((&i64, &i64), bool)| a == b || !kept;
    Ok(data.shape().to_vec() == shape && pairs.all(same))
}

/// The value of an input that was not given.
fn fill(port: &Port, signature: &Signature, inputs: &Tensors) -> Result<TensorData> {
    let missing = || missing(port);
    let ids = inputs.get("input_ids").ok_or_else(missing)?;
    let [batch, seq] = *ids.shape().as_slice() else {
        return Err(missing());
    };
    let before = past(inputs);
    let cast = |data: TensorData| {
        let cast = data.try_cast(port.dtype);
        cast.map_err(|e| Error::Input(format!("`{}`: {e}", port.name)))
    };
    if port.name == positions::NAME {
        return cast(counted(signature.counting, inputs, before)?);
    }
    if port.name == "cache_position" {
        let at: Vec<i64> = (before as i64..(before + seq) as i64).collect();
        return cast(TensorData::new(at, [seq]));
    }
    let scalar = || vec![1; port.dims.as_ref().map_or(1, Vec::len)];
    let (value, shape) = match port.name.as_str() {
        // Legacy files of optimum hold two graphs, one of them for a past.
        "use_cache_branch" => (usize::from(before > 0), scalar()),
        // So many of the last; 0 for all.
        "num_logits_to_keep" | "logits_to_keep" => (0, scalar()),
        "encoder_attention_mask" => {
            let state = inputs.get("encoder_hidden_states").ok_or_else(missing)?;
            let [batch, source, _] = *state.shape().as_slice() else {
                return Err(missing());
            };
            (1, vec![batch, source])
        }
        "attention_mask" | "decoder_attention_mask" => (1, vec![batch, before + seq]),
        "token_type_ids" => (0, vec![batch, seq]),
        name if name.starts_with("past_key_values.") => {
            // [batch, kv_heads, past, head_dim]
            let Some([_, Dim::Fixed(heads), _, Dim::Fixed(size)]) = port.dims.as_deref() else {
                return Err(missing());
            };
            (0, vec![batch, *heads, 0, *size])
        }
        _ => return Err(missing()),
    };
    let elements = shape.iter().product();
    cast(TensorData::new(vec![value as i64; elements], shape))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use fluxo_models::blocks::embedding::Counting;

    use burn::tensor::DType;

    use super::*;

    fn port(name: &str, dtype: DType, dims: &[Dim]) -> Port {
        Port {
            name: name.into(),
            dtype,
            dims: Some(dims.to_vec()),
        }
    }

    fn named(name: &str) -> Dim {
        Dim::Named(name.into())
    }

    fn decoder() -> Signature {
        let past = [
            named("batch"),
            Dim::Fixed(2),
            named("past_sequence"),
            Dim::Fixed(4),
        ];
        Signature {
            counting: Counting::Kept,
            file: fluxo_onnx::file::Signature {
                inputs: vec![
                    port(
                        "input_ids",
                        DType::I64,
                        &[named("batch"), named("sequence")],
                    ),
                    port(
                        "attention_mask",
                        DType::I64,
                        &[named("batch"), named("past_sequence + sequence")],
                    ),
                    port("past_key_values.0.key", DType::F32, &past),
                ],
                ..Default::default()
            },
            ..Signature::default()
        }
    }

    fn ids(shape: [usize; 2]) -> Tensors {
        Tensors::from([("input_ids".to_string(), TensorData::zeros::<i64, _>(shape))])
    }

    #[test]
    fn fills_in_what_can_only_be_one_thing() {
        let complete = complete(&decoder(), &ids([3, 5])).unwrap();
        assert_eq!(
            complete["attention_mask"],
            TensorData::ones::<i64, _>([3, 5])
        );
        assert_eq!(
            complete["past_key_values.0.key"],
            TensorData::zeros::<f32, _>([3, 2, 0, 4])
        );
    }

    #[test]
    fn the_mask_covers_the_past_that_was_given() {
        let mut inputs = ids([1, 1]);
        inputs.insert(
            "past_key_values.0.key".into(),
            TensorData::zeros::<f32, _>([1, 2, 6, 4]),
        );
        let complete = complete(&decoder(), &inputs).unwrap();
        assert_eq!(
            complete["attention_mask"],
            TensorData::ones::<i64, _>([1, 7])
        );
    }

    #[test]
    fn other_integers_are_widened() {
        let mut inputs = ids([1, 2]);
        inputs.insert("input_ids".into(), TensorData::new(vec![3_i32, 4], [1, 2]));
        let complete = complete(&decoder(), &inputs).unwrap();
        assert_eq!(
            complete["input_ids"],
            TensorData::new(vec![3_i64, 4], [1, 2])
        );
    }

    #[test]
    fn what_the_model_does_not_take_is_named() {
        let mut inputs = ids([1, 2]);
        inputs.insert("token_type_ids".into(), TensorData::zeros::<i64, _>([1, 2]));
        assert!(complete(&decoder(), &inputs).is_ok());
        inputs.insert("token_type_ids".into(), TensorData::ones::<i64, _>([1, 2]));
        let error = complete(&decoder(), &inputs).unwrap_err().to_string();
        assert_eq!(
            error,
            "input: the model takes no `token_type_ids`; it takes `input_ids`, `attention_mask`, `past_key_values.0.key`"
        );
    }

    #[test]
    fn wrong_types_shapes_and_absences_are_named() {
        let error = |inputs: &Tensors| complete(&decoder(), inputs).unwrap_err().to_string();
        assert!(error(&Tensors::new()).contains("needs `input_ids`"));
        let mut inputs = ids([1, 2]);
        inputs.insert(
            "past_key_values.0.key".into(),
            TensorData::zeros::<f32, _>([1, 3, 1, 4]),
        );
        assert!(
            error(&inputs)
                .contains("[1, 3, 1, 4], the model declares [batch, 2, past_sequence, 4]")
        );
        let floats =
            Tensors::from([("input_ids".to_string(), TensorData::zeros::<f32, _>([1, 2]))]);
        assert!(error(&floats).contains("is F32, the model declares I64"));
    }

    #[test]
    fn prefixes_are_dropped() {
        let zero = TensorData::zeros::<f32, _>([1]);
        let tensors = ["in.input_ids", "attention_mask", "out.logits"]
            .map(|name| (name.to_string(), zero.clone()));
        let (inputs, expected) = fluxo_verify::inputs::split(&Tensors::from(tensors));
        assert_eq!(
            inputs.keys().collect::<Vec<_>>(),
            ["attention_mask", "input_ids"]
        );
        assert_eq!(expected.keys().collect::<Vec<_>>(), ["logits"]);
    }
}
