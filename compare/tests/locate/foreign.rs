//! In files that someone else wrote, which name nothing as we do.

use super::*;

fn fixture(name: &str) -> PathBuf {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures");
    fixtures.join(name)
}

fn runtimes() -> Vec<String> {
    let all = open::runtimes().into_iter().filter(|r| r.usable);
    all.map(|runtime| runtime.name.to_string()).collect()
}

/// What both `model` and `file` read.
fn inputs(model: &Model, file: &Path) -> Tensors {
    let mut inputs = samples::inputs(model.config(), 2, 9);
    samples::drop_foreign(&mut inputs, &OnnxModelFiles::Whole(file.into())).unwrap();
    inputs
}

/// Where the file that PyTorch wrote of `family` parts from the checkpoint in `folder`.
fn beside(folder: &Path, family: &str) -> Vec<Location> {
    let device = fluxo_backends::device("flex").unwrap();
    let (model, _) = Model::load(folder, None, &device).unwrap();
    let file = fixture(&format!("torch/{family}.onnx"));
    let inputs = inputs(&model, &file);
    let found = open::locate(&[folder.into(), file], &runtimes(), &inputs).unwrap();
    found.unwrap()
}

#[test]
fn a_file_by_pytorch_is_right() {
    for family in ["bert", "gpt2"] {
        let found = beside(&fixture(&format!("hf/{family}")), family);
        assert!(found.len() >= 2);
        for location in found {
            assert_eq!((&location.path, &location.note), (&None, &None));
            // Every part but the pooler of the one is there.
            assert!(location.of - location.looked_at <= 1, "{location}");
            assert!(location.of > 30, "{location}");
        }
    }
}

#[test]
fn a_fault_beside_a_file_by_pytorch() {
    for (family, stack) in &FAMILIES[..2] {
        let device = fluxo_backends::device("flex").unwrap();
        let folder = fixture(&format!("hf/{family}"));
        let (good, _) = Model::load(&folder, None, &device).unwrap();
        let up = |block: &mut Block| {
            let up = &mut block.feed_forward.as_mut().unwrap().up;
            up.weight = with(&up.weight, |values| values[3] += 0.01);
        };
        let norms = |block: &mut Block| {
            std::mem::swap(&mut block.attention_norm, &mut block.feed_forward_norm);
        };
        let bias = |block: &mut Block| {
            let output = &mut block.attention.output;
            let bias = output.bias.as_ref().unwrap();
            output.bias = Some(with(bias, |values| values.fill(0.0)));
        };
        type Fault<'a> = (&'a str, &'a dyn Fn(&mut Block));
        let faults: [Fault<'_>; 3] = [
            ("feed_forward.up", &up),
            ("attention_norm", &norms),
            ("attention.output", &bias),
        ];
        for (part, fault) in faults {
            let bad = tempfile::tempdir().unwrap();
            changed(&good, 1, fault).save(bad.path()).unwrap();
            for location in beside(bad.path(), family) {
                found(&location, &format!("{stack}.layers.1.{part}"));
                let at_fault = location.at_fault().unwrap();
                assert!(at_fault.teacher_forced.is_some() && at_fault.cumulative.is_some());
                assert!(location.node.is_some(), "{location}");
            }
        }
    }
}

#[test]
fn a_file_by_pytorch_agrees_with_itself() {
    for family in ["bert", "gpt2"] {
        let (model, _) = Model::load(
            &fixture(&format!("hf/{family}")),
            None,
            &fluxo_backends::device("flex").unwrap(),
        )
        .unwrap();
        let file = fixture(&format!("torch/{family}.onnx"));
        let inputs = inputs(&model, &file);
        let found = open::locate(&[file], &runtimes(), &inputs).unwrap();
        for location in found.unwrap() {
            assert_eq!((&location.path, &location.note), (&None, &None));
            assert!(location.looked_at > 10, "{location}");
        }
    }
}
