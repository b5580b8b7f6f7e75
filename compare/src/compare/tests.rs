#![allow(clippy::unwrap_used)]
use burn::tensor::TensorData;
use fluxo_verify::Verdict;

use super::*;
use crate::runner::{Kind, Label};

/// Gives fixed outputs.
struct Fixed(Label, Tensors);

impl Runner for Fixed {
    fn label(&self) -> &Label {
        &self.0
    }
    fn run(&mut self, _: &Tensors) -> Result<Tensors> {
        Ok(self.1.clone())
    }
}

fn run(runners: [Fixed; 2], inputs: &Tensors) -> Result<Report> {
    let mut runners = runners.map(|r| Box::new(r) as Box<dyn Runner>);
    compare(&mut runners, inputs, None)
}

#[test]
fn what_the_mask_hides_whole_is_left_out_beside_others() {
    let padded = |mask: Vec<i64>| {
        let data = TensorData::new(mask, [1, 2]);
        let ids = TensorData::new(vec![3_i64, 4], [1, 2]);
        Tensors::from([
            ("attention_mask".to_string(), data),
            ("input_ids".to_string(), ids),
        ])
    };
    let given = |name, pooled: f32| {
        let states = TensorData::new(vec![1.0_f32, 2.0], [1, 2, 1]);
        let pooled = TensorData::new(vec![pooled], [1, 1]);
        let outputs = [("last_hidden_state", states), ("pooler_output", pooled)];
        let outputs = outputs.map(|(name, data)| (name.to_string(), data));
        Fixed(
            Label::new(name, Kind::Backend { gpu: false }),
            Tensors::from(outputs),
        )
    };
    let both = || [given("flex", 1.0), given("ndarray", 2.0)];
    // The pooler reads the first position.
    let report = run(both(), &padded(vec![0, 1])).unwrap();
    assert_eq!((report.verdict, report.pairs.len()), (Verdict::Agree, 1));
    assert_eq!(report.alone[0].output, "pooler_output");
    assert_eq!(
        run(both(), &padded(vec![1, 1])).unwrap().verdict,
        Verdict::Differ
    );
    let report = run(both(), &padded(vec![0, 0])).unwrap();
    assert_eq!((report.verdict, report.pairs.len()), (Verdict::Differ, 1));
}
