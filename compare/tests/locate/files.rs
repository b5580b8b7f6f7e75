//! In exported files, and in checkpoints whose outputs do not show it.

use super::*;

/// A checkpoint of `good` beside an export of `bad`, and where the runtimes part from it.
fn exported(good: &Model, bad: &Model) -> Vec<Location> {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["good", "bad"].map(|name| folder.path().join(name));
    good.save(&paths[0]).unwrap();
    let options = ExportOptions {
        verify: false,
        ..ExportOptions::default()
    };
    export(bad, &paths[1], &options).unwrap();
    let inputs = samples::inputs(good.config(), 2, 9);
    let on = names(&["tract", "rten"]);
    let found = open::locate(&paths, &on, &inputs).unwrap().unwrap();
    let opened = open::open(&paths, &on, OutputOptions::default()).unwrap();
    judged(good, opened.runners, found.clone());
    found
}

#[test]
fn faults_in_exported_files() {
    for (family, stack) in FAMILIES {
        let good = model(family, &[], 11);
        let bad = changed(&good, 1, |block| {
            let up = &mut block.feed_forward.as_mut().unwrap().up;
            up.weight = with(&up.weight, |values| values[3] += 0.01);
        });
        let path = format!("{stack}.layers.1.feed_forward.up");
        for location in exported(&good, &bad) {
            found(&location, &path);
            let node = location.node.as_ref().unwrap();
            assert!(node.starts_with(&path), "{node}");
        }
        let bad = changed(&good, 1, |block| {
            std::mem::swap(&mut block.attention_norm, &mut block.feed_forward_norm);
        });
        for location in exported(&good, &bad) {
            found(&location, &format!("{stack}.layers.1.attention_norm"));
        }
    }
    let good = model("llama", &[], 12);
    let bad = configured(&good, |config| {
        for block in &mut main_stack(config).blocks {
            block.attention.rotary.as_mut().unwrap().layout = RotaryLayout::Interleaved;
        }
    });
    for location in exported(&good, &bad) {
        found(&location, "decoder.layers.0.attention");
    }
    let good = model("bert", &[], 13);
    let bad = changed(&good, 1, |block| block.attention.output.bias = None);
    for location in exported(&good, &bad) {
        found(&location, "encoder.layers.1.attention.output");
    }
}

#[test]
fn faults_of_configuration_in_exported_files() {
    let set = |family, key, value| model(family, &[(key, value)], 16);
    let bert = model("bert", &[], 17);
    let tanh = configured(&bert, |config| {
        for block in &mut main_stack(config).blocks {
            block.feed_forward.activation = Activation::GeluTanh;
        }
    });
    for (good, bad, path) in [
        (
            model("gpt2", &[], 16),
            set("gpt2", "layer_norm_epsilon", "1e-4"),
            "decoder.layers.0.attention_norm",
        ),
        (
            model("llama", &[], 16),
            set("llama", "rms_norm_eps", "1e-5"),
            "decoder.layers.0.attention_norm",
        ),
        (
            // The mask, one position further.
            set("mistral", "sliding_window", "4"),
            set("mistral", "sliding_window", "5"),
            "decoder.layers.0.attention",
        ),
        (bert, tanh, "encoder.layers.0.feed_forward"),
    ] {
        for location in exported(&good, &bad) {
            found(&location, path);
        }
    }
}

#[test]
fn faults_of_one_layer_in_exported_files() {
    let good = model("llama", &[], 18);
    for location in exported(&good, &head_off(&good)) {
        found(&location, "decoder.layers.1.attention.key");
    }
    for (family, stack) in FAMILIES {
        let good = model(family, &[], 19);
        for location in exported(&good, &half(&good)) {
            found(&location, &format!("{stack}.layers.1"));
        }
    }
}

#[test]
fn what_does_not_show_at_the_outputs_is_drift() {
    let good = model("bert", &[], 14);
    // Some units of the last place of one weight's product.
    let bad = changed(&good, 0, |block| {
        let value = &mut block.attention.value;
        value.weight = with(&value.weight, |values| values[5] += 3.2e-5);
    });
    let folder = tempfile::tempdir().unwrap();
    let paths = ["good", "bad"].map(|name| folder.path().join(name));
    good.save(&paths[0]).unwrap();
    bad.save(&paths[1]).unwrap();
    let on = names(&["flex"]);
    let cases = [("here".to_string(), samples::inputs(good.config(), 2, 9))];
    let mut opened = open::open(&paths, &on, OutputOptions::default()).unwrap();
    let references = referee::reference_outputs(&good, OutputOptions::default(), &cases)
        .unwrap()
        .unwrap();
    let mut report = compare_refereed(&mut opened.runners, &cases, &references).unwrap();
    assert!(report.agrees(), "{report}");
    report.place(open::locate(&paths, &on, &cases[0].1).unwrap().unwrap());
    let path = "encoder.layers.0.attention.value";
    assert!(
        !report.agrees() && report.located.as_deref() == Some(path),
        "{report}"
    );
    let bad = report
        .assessments
        .iter()
        .find(|s| s.runner == "bad:flex")
        .unwrap();
    assert_eq!(bad.finding, Severity::Drift);
    assert!(bad.reason.starts_with(path), "{}", bad.reason);
}

#[test]
fn files_without_a_checkpoint_part_at_a_node() {
    let good = model("bert", &[], 15);
    let bad = changed(&good, 1, |block| {
        let up = &mut block.feed_forward.as_mut().unwrap().up;
        up.weight = with(&up.weight, |values| values[3] += 0.01);
    });
    let folder = tempfile::tempdir().unwrap();
    let paths = ["good", "bad"].map(|name| folder.path().join(name));
    let options = ExportOptions {
        verify: false,
        ..ExportOptions::default()
    };
    export(&good, &paths[0], &options).unwrap();
    export(&bad, &paths[1], &options).unwrap();
    let inputs = samples::inputs(good.config(), 2, 9);
    let found = open::locate(&paths, &names(&["tract", "rten"]), &inputs)
        .unwrap()
        .unwrap();
    // Its own error, not only what reaches it.
    for location in &found[1..] {
        let at_fault = location.at_fault().unwrap();
        assert!(
            at_fault.teacher_forced.unwrap() > 100.0 * at_fault.noise,
            "{location}"
        );
        let behind = location.parts.iter().filter(|part| !part.at_fault);
        assert!(behind.count() > 0, "{location}");
    }
    let located: Vec<_> = found
        .iter()
        .map(|l| (l.runner.as_str(), l.path.as_deref()))
        .collect();
    let node = Some("encoder.layers.1.feed_forward.up/MatMul");
    assert_eq!(
        located,
        [("good:rten", None), ("bad:tract", node), ("bad:rten", node)]
    );
}
