//! Runners of this crate beside those of [`fluxo_verify::runner`]: models of the zoo, files of several
//! parts, and processes.

pub mod backend;
pub mod encoder_decoder;
pub(crate) mod filled;
pub(crate) mod lazy;
pub mod recorder;
pub mod split;
pub mod subprocess;

pub use fluxo_verify::runner::{
    Cost, Kind, Label, RUNTIMES, Replay, Runner, expected, guard, ort, ort_library, precision,
    rten, tract,
};

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use fluxo_models::Tensors;

    use super::*;
    use crate::files::OnnxModelFiles;
    use crate::testing::{fixture, skip};

    fn loaded() -> Vec<Box<dyn Runner>> {
        let file = OnnxModelFiles::Whole(fixture("cached.onnx"));
        let mut runners = Vec::new();
        for name in RUNTIMES {
            match file.load(name, name) {
                Ok(runner) => runners.push(runner),
                Err(error) if name == ort::NAME => skip("the toy decoder in ONNX Runtime", error),
                Err(error) => panic!("{error}"),
            }
        }
        runners
    }

    #[test]
    fn every_runtime_gives_what_onnx_itself_gives() {
        let inputs = fluxo_models::tensors::read(&fixture("cached.safetensors")).unwrap();
        let mut runners = loaded();
        let report = crate::compare(&mut runners, &inputs, None).unwrap();
        assert!(report.agrees(), "{report}");
        assert_eq!(report.skipped, []);
        // Three outputs of every pair; the file is one more runner.
        let all = runners.len() + 1;
        assert_eq!(report.pairs.len(), 3 * all * (all - 1) / 2);
    }

    #[test]
    fn one_loaded_file_serves_every_size_and_an_empty_past() {
        let mut runners = loaded();
        for shape in [[1, 1], [3, 5], [1, 4], [2, 17]] {
            let ids = (0..shape[0] * shape[1])
                .map(|i| (i % 6) as i64)
                .collect::<Vec<_>>();
            let inputs = Tensors::from([(
                "input_ids".to_string(),
                ::burn::tensor::TensorData::new(ids, shape),
            )]);
            let report = crate::compare(&mut runners, &inputs, None).unwrap();
            assert!(
                report.agrees() && report.skipped.is_empty(),
                "{shape:?}\n{report}"
            );
            let cache = &runners[0].run(&inputs).unwrap()["present.0.key"];
            assert_eq!(cache.shape().as_slice(), [shape[0], 2, shape[1], 4]);
        }
    }

    #[test]
    fn an_index_out_of_the_vocabulary_is_an_error_and_no_panic() {
        let inputs = Tensors::from([(
            "input_ids".to_string(),
            ::burn::tensor::TensorData::new(vec![99_i64], [1, 1]),
        )]);
        for runner in &mut loaded() {
            let error = runner.run(&inputs).unwrap_err().to_string();
            assert!(
                error.starts_with(runner.name()) && !error.contains('\n'),
                "{error}"
            );
        }
    }
}
