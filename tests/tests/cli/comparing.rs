//! `fluxo compare` beyond its verdict: tolerances, places, texts, times, bundles, hard inputs.

use assert_cmd::Command;
use fluxo_tests::fixture;
use serde_json::Value;

use crate::common::*;

fn said(args: &[&str]) -> (Option<i32>, String) {
    let output = fluxo(args);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &error;
    (output.status.code(), said)
}

#[test]
fn the_faulty_module_is_named() {
    let (wrong, right) = wrong();
    let path = "decoder.layers.1.feed_forward.up";
    let by_torch = fixture("torch/gpt2.onnx");
    for (other, on) in [
        (&right, "flex"),
        (&right, "ndarray"),
        (&by_torch, "flex,tract"),
    ] {
        let args = [
            "compare",
            text(wrong.path()),
            text(other),
            "--on",
            on,
            "--locate",
        ];
        let (code, told) = said(&args);
        assert_eq!(code, Some(1), "{told}");
        assert!(
            told.contains(&format!("the difference begins in {path}")),
            "{told}"
        );
        assert!(told.contains("teacher-forced"), "{told}");
        let output = fluxo(&[&args[..], &["--json"]].concat());
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["located"], path, "{report}");
    }
    let args = [
        "compare",
        text(&right),
        text(&by_torch),
        "--on",
        "flex,tract",
        "--locate",
    ];
    let (code, told) = said(&args);
    assert_eq!(code, Some(0), "{told}");
    assert!(!told.contains("not located"), "{told}");
}

#[test]
fn the_terminal_shows_a_screen() {
    let (wrong, right) = wrong();
    let models = [text(&right), text(wrong.path())];
    let args = [
        "compare",
        models[0],
        models[1],
        "--on",
        "flex,ndarray,tract",
        "--taps",
    ];
    let (code, said) = said(&args);
    assert_eq!(code, Some(1), "{said}");
    // A screen is 24 to 50 lines; every output of every pair would be over 500.
    assert!(said.lines().count() < 40, "{said}");
    assert!(said.starts_with("runner"), "{said}");
    assert!(
        said.contains("worst scaled") && said.contains("!"),
        "{said}"
    );
    let bugs = said.lines().filter(|line| line.contains(": bug: ")).count();
    assert_eq!(bugs, 3, "{said}");
}

#[test]
fn atol_and_rtol_decide_instead_of_the_referee() {
    let (wrong, right) = wrong();
    let args = ["compare", text(&right), text(wrong.path()), "--on", "flex"];
    let differ = |more: &[&str]| fluxo(&[&args[..], more].concat()).status.code();
    assert_eq!(differ(&[]), Some(1));
    assert_eq!(differ(&["--atol", "0.5"]), Some(0));
    assert_eq!(differ(&["--atol", "1e-6"]), Some(1));
    let alone = ["compare", text(&right), "--on", "flex,ndarray"];
    let report = json(&[&alone[..], &["--atol", "1e-4", "--rtol", "1e-4"]].concat());
    assert!(report["pairs"][0]["tolerance"].is_null());
    assert!(report["pairs"][0]["excess"].as_f64().unwrap() <= 1.0);
    assert!(!report["standings"].as_array().unwrap().is_empty());
    // Relative to what is small, rounding is large.
    assert_eq!(
        fluxo(&[&alone[..], &["--rtol", "1e-9"]].concat())
            .status
            .code(),
        Some(1)
    );
    refused(&[&alone[..], &["--atol=-1"]].concat(), "0 or more");
}

#[test]
fn texts_that_runners_write_are_compared() {
    for family in ["gpt2", "t5"] {
        let model = fixture(&format!("hf/{family}"));
        let report = json(&[
            "compare",
            text(&model),
            "--on",
            "flex,tract",
            "--greedy",
            "6",
        ]);
        let greedy = report["greedy"].as_array().unwrap();
        assert_eq!(greedy.len(), 3, "{family}");
        for row in greedy {
            assert_eq!(
                (row["common"].as_u64(), row["of"].as_u64()),
                (Some(6), Some(6)),
                "{row}"
            );
            assert_eq!(row["against"], "float64");
            assert_eq!(row["tokens"][1].as_array().unwrap().len(), 6);
        }
    }
    let model = fixture("hf/bert");
    refused(
        &[
            "compare",
            text(&model),
            "--on",
            "flex,ndarray",
            "--greedy",
            "6",
        ],
        "write text",
    );
}

#[test]
fn time_and_memory_stand_beside() {
    let model = fixture("hf/gpt2");
    let report = json(&["compare", text(&model), "--on", "flex,rten", "--time", "3"]);
    let timings = report["timings"].as_array().unwrap();
    assert_eq!(timings.len(), 2);
    for timing in timings {
        let of = |key: &str| timing[key].as_f64().unwrap();
        assert!(
            of("lower_ms") <= of("median_ms") && of("median_ms") <= of("upper_ms"),
            "{timing}"
        );
        assert!(of("lower_ms") > 0.0 && of("runs") == 3.0);
        if cfg!(target_os = "linux") {
            // A binary with its libraries is over a megabyte.
            assert!(of("peak_bytes") > 1e6, "{timing}");
        }
    }
}

#[test]
fn hard_images_have_the_size_that_the_file_reads() {
    let home = tempfile::tempdir().unwrap();
    let (model, out) = (fixture("hf/dinov2"), home.path().join("out"));
    // The checkpoint's are 16x16.
    let size = ["--image-size", "24", "--out", text(&out)];
    json(&[&["export", text(&model)][..], &size].concat());
    let on = ["--on", "flex,tract", "--stress", "--seeds", "1"];
    let report = json(&[&["compare", text(&model), text(&out)][..], &on].concat());
    assert_eq!(report["conclusion"]["outcome"], "agree", "{report}");
    assert_eq!(report["stress"]["left_out"], serde_json::json!([]));
}

#[test]
fn a_bundle_repeats_the_finding() {
    let (wrong, right) = wrong();
    let home = tempfile::tempdir().unwrap();
    let bundle = home.path().join("found");
    let args = [
        "compare",
        text(&right),
        text(wrong.path()),
        "--stress",
        "--seeds",
        "2",
    ];
    let output = fluxo(
        &[
            &args[..],
            &["--on", "flex,tract", "--bundle", text(&bundle)],
        ]
        .concat(),
    );
    assert_eq!(output.status.code(), Some(1));
    let read = |name: &str| -> Value {
        serde_json::from_slice(&std::fs::read(bundle.join(name)).unwrap()).unwrap()
    };
    let (about, report) = (read("about.json"), read("report.json"));
    let shrunk = &report["stress"]["shrunk"]["shapes"];
    assert!(
        shrunk.to_string().contains(r#"["input_ids",[1,1]]"#),
        "{shrunk}"
    );
    let repeat: Vec<&str> = about["repeat"]
        .as_array()
        .unwrap()
        .iter()
        .map(|w| w.as_str().unwrap())
        .collect();
    let readme = std::fs::read_to_string(bundle.join("README.md")).unwrap();
    assert!(readme.contains(&repeat.join(" ")), "{readme}");
    // Somewhere else, and without what it was made of.
    let moved = home.path().join("moved");
    std::fs::rename(&bundle, &moved).unwrap();
    std::fs::remove_dir_all(wrong.path()).unwrap();
    let mut command = Command::new(binary());
    let output = command
        .current_dir(&moved)
        .args(&repeat[1..])
        .arg("--json")
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(1),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let again: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(again["verdict"], report["verdict"]);
    let findings = |report: &Value| -> Vec<Value> {
        let assessments = report["standings"].as_array().unwrap();
        assessments.iter().map(|s| s["finding"].clone()).collect()
    };
    assert_eq!(findings(&again), findings(&report));
    let again = [
        "compare",
        text(&right),
        "--on",
        "flex,ndarray",
        "--bundle",
        text(&moved),
    ];
    refused(&again, "is there already");
}

#[test]
fn hard_inputs_are_no_false_alarm() {
    for family in ["gpt2", "bert", "t5", "vit"] {
        let model = fixture(&format!("hf/{family}"));
        let args = [
            "compare",
            text(&model),
            "--on",
            "flex,tract",
            "--stress",
            "--seeds",
            "3",
        ];
        let report = json(&args);
        assert_eq!(report["verdict"], "agree", "{family}");
        assert!(
            report["stress"]["cases"].as_array().unwrap().len() >= 6,
            "{family}"
        );
        assert!(report["stress"]["shrunk"].is_null());
    }
}

#[test]
fn isolated_runners_give_the_same() {
    let model = fixture("hf/gpt2");
    let args = [
        "compare",
        text(&model),
        "--on",
        "flex,tract,flex:f16",
        "--isolate",
        "--taps",
    ];
    let report = json(&args);
    assert_eq!(report["verdict"], "agree");
    assert_eq!(report["runners"].as_array().unwrap().len(), 4);
}

/// A configuration that names no model is completed for made-up inputs as it is for loading.
#[test]
fn a_model_told_by_its_weights_is_compared() {
    let dir = copy("bert-classify");
    let path = dir.path().join("config.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let map = config.as_object_mut().unwrap();
    map.remove("model_type").unwrap();
    map.remove("architectures").unwrap();
    std::fs::write(&path, config.to_string()).unwrap();
    for more in [&[] as &[&str], &["--stress", "--seeds", "1"]] {
        let args = ["compare", text(dir.path()), "--on", "flex,ndarray"];
        let report = json(&[&args, more].concat());
        assert_eq!(report["verdict"], "agree");
        assert!(!report["pairs"].as_array().unwrap().is_empty());
    }
}
