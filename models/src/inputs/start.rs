//! What an encoder-decoder's own text begins with, where nobody says.

use std::path::Path;

use burn::tensor::TensorData;

use super::naming::names;
use crate::config::RawConfig;
use crate::error::{Error, Result};
use crate::generate::GENERATION_CONFIG;
use crate::network::NetworkConfig;
use crate::tensors::Tensors;

/// What the decoder reads.
const OWN: &str = "decoder_input_ids";

/// The token that the texts of the encoder-decoder in `folder` start with:
/// `decoder_start_token_id` of its configuration, or of `generation_config.json`, where
/// transformers 5 writes it; none where the network of `config` writes none.
///
/// # Errors
/// When neither file says it, or it is not in the vocabulary.
pub fn start_token(folder: &Path, config: &NetworkConfig) -> Result<Option<u32>> {
    if !names(config).0.contains(&OWN) {
        return Ok(None);
    }
    let key = "decoder_start_token_id";
    let mut start = config.decoder_start;
    let path = folder.join(GENERATION_CONFIG);
    if start.is_none() && path.is_file() {
        start = RawConfig::read(&path)?.count_opt(key)?;
    }
    let vocab = config.vocab_size();
    match start {
        Some(token) if token < vocab => Ok(Some(token as u32)),
        Some(token) => Err(Error::Config(format!(
            "`{key}` is {token}, which is not in the vocabulary of {vocab}"
        ))),
        None => Err(Error::Config(format!(
            "`{key}` is missing, which the text starts with; give `{OWN}`"
        ))),
    }
}

/// Adds to `inputs` the `decoder_input_ids` that are `own`: a row for each of the inputs', or one
/// for all of them.
///
/// # Errors
/// When there are as many as neither, of several lengths, or some there already.
pub fn begin(inputs: &mut Tensors, own: &[Vec<u32>]) -> Result<()> {
    let refuse = |text: String| Err(Error::Input(text));
    if inputs.contains_key(OWN) {
        return refuse(format!("`{OWN}` is among the inputs already"));
    }
    let read = ["input_ids", "input_features"].map(|name| inputs.get(name));
    let read = read.into_iter().flatten().next();
    let Some(rows) = read.and_then(|data| data.shape().first().copied()) else {
        return Ok(()); // what is missing is said when it is run
    };
    let own: Vec<&[u32]> = match own {
        [one] => vec![one.as_slice(); rows],
        own => own.iter().map(Vec::as_slice).collect(),
    };
    if own.len() != rows {
        return refuse(format!(
            "{} texts are begun, and there are {rows} to write; begin one for all, or each",
            own.len()
        ));
    }
    let length = own.first().map_or(0, |own| own.len());
    if own.iter().any(|own| own.len() != length) {
        return refuse("the texts that are begun are not of one length in tokens".into());
    }
    let ids: Vec<i64> = own.concat().into_iter().map(i64::from).collect();
    inputs.insert(OWN.into(), TensorData::new(ids, [rows, length]));
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::catalog::Description;

    fn fixture(name: &str) -> (std::path::PathBuf, NetworkConfig, RawConfig) {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/hf");
        let dir = dir.join(name);
        let raw = RawConfig::read(&dir.join("config.json")).unwrap();
        let config = Description::of(raw.clone(), None).unwrap().config;
        (dir, config, raw)
    }

    #[test]
    fn only_those_that_write_start() {
        for (name, starts) in [("bart", true), ("bart-classify", false), ("bert", false)] {
            let (dir, config, raw) = fixture(name);
            let token = start_token(&dir, &config).unwrap();
            let given = raw.count_opt("decoder_start_token_id").unwrap();
            assert_eq!(token.is_some(), starts, "{name}");
            assert!(token.is_none() || token.map(|t| t as usize) == given);
        }
    }

    #[test]
    fn generation_config_says_it_too() {
        let (_, mut config, _) = fixture("bart");
        config.decoder_start = None;
        let dir = tempfile::tempdir().unwrap();
        let error = start_token(dir.path(), &config).unwrap_err().to_string();
        assert!(
            error.contains("`decoder_start_token_id` is missing"),
            "{error}"
        );
        let path = dir.path().join(GENERATION_CONFIG);
        std::fs::write(&path, r#"{"decoder_start_token_id": 3}"#).unwrap();
        assert_eq!(start_token(dir.path(), &config).unwrap(), Some(3));
        std::fs::write(&path, r#"{"decoder_start_token_id": 300}"#).unwrap();
        assert!(start_token(dir.path(), &config).is_err());
    }

    #[test]
    fn one_beginning_serves_every_row() {
        let two = || {
            let ids = TensorData::new(vec![1_i64; 6], [2, 3]);
            Tensors::from([("input_ids".to_string(), ids)])
        };
        let mut inputs = two();
        begin(&mut inputs, &[vec![7, 8]]).unwrap();
        let own = TensorData::new(vec![7_i64, 8, 7, 8], [2, 2]);
        assert_eq!(inputs[OWN], own);
        assert!(begin(&mut inputs, &[vec![7]]).is_err());
        assert!(begin(&mut two(), &[vec![7], vec![7, 8]]).is_err());
        assert!(begin(&mut two(), &[vec![7], vec![7], vec![7]]).is_err());
    }
}
