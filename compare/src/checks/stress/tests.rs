#![allow(clippy::unwrap_used)]
use fluxo_models::NewModelOptions;

use super::*;
use crate::runner::backend::Burn;

fn model(family: &str) -> Model {
    let device = fluxo_backends::device("flex").unwrap();
    Model::new(family, &NewModelOptions::default(), 5, &device).unwrap()
}

#[test]
fn every_family_takes_them_and_backends_agree() {
    for family in ["bert", "gpt2", "t5", "vit", "clip", "whisper"] {
        let model = model(family);
        let cases = cases(model.config(), Some(&model), 3).unwrap();
        let runner = |name: &str| -> Box<dyn Runner> {
            Box::new(Burn::new(name, &model, name, OutputOptions::default()).unwrap())
        };
        let mut runners = [runner("flex"), runner("ndarray")];
        let count = cases.len();
        let (cases, left_out) = possible(&mut runners, cases);
        assert!(left_out.is_empty(), "{family}: {left_out:?}");
        assert!(count >= 8, "{family}: {count}");
        let references =
            crate::referee::reference_outputs(&model, OutputOptions::default(), &cases);
        let references = references.unwrap().unwrap();
        let report = crate::compare_refereed(&mut runners, &cases, &references).unwrap();
        assert!(report.agrees(), "{family}\n{report}");
    }
}

#[test]
fn a_failure_shrinks_to_the_token_that_shows_it() {
    let ids: Vec<i64> = (1..=24).collect();
    let inputs = Tensors::from([
        ("input_ids".to_string(), TensorData::new(ids, [2, 12])),
        (
            "attention_mask".to_string(),
            TensorData::new(vec![1_i64; 24], [2, 12]),
        ),
    ]);
    // Token 17 is the fifth of the second row.
    let fails = |inputs: &Tensors| {
        integers("input_ids", &inputs["input_ids"])
            .unwrap()
            .contains(&17)
    };
    let (small, shrunk) = shrink("at seed 3", &inputs, fails);
    assert_eq!(
        integers("input_ids", &small["input_ids"]).unwrap(),
        [0, 0, 0, 0, 17]
    );
    assert_eq!(small["attention_mask"].shape().to_vec(), [1, 5]);
    assert!(shrunk.trials <= TRIALS && shrunk.case == "at seed 3");
}

#[test]
fn a_model_that_is_wrong_for_one_token_is_shown_with_few() {
    let model = model("gpt2");
    struct Wrong(Burn);
    impl Runner for Wrong {
        fn label(&self) -> &crate::runner::Label {
            self.0.label()
        }
        fn run(&mut self, inputs: &Tensors) -> Result<Tensors> {
            let mut outputs = self.0.run(inputs)?;
            if integers("input_ids", &inputs["input_ids"])?.contains(&5) {
                let logits = &outputs["logits"];
                let shape = logits.shape().to_vec();
                let moved = logits.iter::<f32>().map(|v| v + 0.1).collect::<Vec<_>>();
                outputs.insert("logits".into(), TensorData::new(moved, shape));
            }
            Ok(outputs)
        }
    }
    let burn = |name| Burn::new(name, &model, "flex", OutputOptions::default()).unwrap();
    let mut runners: Vec<Box<dyn Runner>> =
        vec![Box::new(burn("flex")), Box::new(Wrong(burn("wrong")))];
    let cases = cases(model.config(), None, 0).unwrap();
    let report = crate::compare_cases(&mut runners, &cases, None).unwrap();
    assert!(!report.agrees());
    let label = report.worst().unwrap().case.clone().unwrap();
    let (_, inputs) = cases.iter().find(|(case, _)| *case == label).unwrap();
    let fails = |inputs: &Tensors| !crate::compare(&mut runners, inputs, None).unwrap().agrees();
    let (small, _) = shrink(&label, inputs, fails);
    let ids = integers("input_ids", &small["input_ids"]).unwrap();
    assert_eq!(ids.iter().filter(|id| **id != 0).collect::<Vec<_>>(), [&5]);
}
