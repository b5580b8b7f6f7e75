//! Files of half and bfloat16 weights: judged by the precision that they declare, by the check of an
//! export and by a comparison alike.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Tensor};
use fluxo_compare::report::Severity;
use fluxo_compare::{
    ExportOptions, Report, compare_refereed, export, inputs::samples, open, referee, verify,
};
use fluxo_models::{Model, OutputOptions};

const FAMILIES: [&str; 4] = ["bert", "gpt2", "t5", "llama"];

fn hf(family: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../tests/fixtures/hf/{family}"))
}

fn load(folder: &Path, dtype: DType) -> Model {
    let device = fluxo_backends::device("flex").unwrap();
    Model::load_as(folder, None, &device, dtype).unwrap().0
}

/// Whether anything here reads files of bfloat16 weights.
fn reads_bf16() -> bool {
    let here = open::runtimes();
    let ort = here.iter().find(|it| it.name == "ort").unwrap();
    let required = std::env::var("FLUXO_REQUIRE_ALL").is_ok_and(|all| all == "1");
    assert!(ort.usable || !required, "{}", ort.about);
    if !ort.usable {
        eprintln!("skipped: bfloat16 in ONNX Runtime: {}", ort.about);
    }
    ort.usable
}

/// What `fluxo compare CHECKPOINT EXPORT` says.
fn compared(checkpoint: &Path, exported: &Path) -> Report {
    let models = [checkpoint.to_path_buf(), exported.to_path_buf()];
    let mut opened = open::open(&models, &[], OutputOptions::default()).unwrap();
    let model = opened.model.unwrap();
    let inputs = samples::inputs(model.config(), 2, 9);
    let cases = [("on these inputs".to_string(), inputs)];
    let declared = opened.runners.iter().filter_map(|it| it.label().declared);
    let references = referee::reference_outputs_on(&model, opened.request, &cases, declared);
    let references = references.unwrap().unwrap();
    let mut report = compare_refereed(&mut opened.runners, &cases, &references).unwrap();
    report.skipped.extend(opened.skipped);
    report
}

/// Makes the largest matrices wrong by 2 %: more than their precision rounds them.
struct Wrong;

impl ModuleMapper for Wrong {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|value| if D == 2 { value * 1.02 } else { value })
    }
}

#[test]
fn a_file_is_judged_by_the_precision_that_it_declares() {
    for family in FAMILIES {
        for dtype in [DType::F16, DType::BF16] {
            if dtype == DType::BF16 && !reads_bf16() {
                continue;
            }
            let folder = tempfile::tempdir().unwrap();
            let (checkpoint, options) = (hf(family), ExportOptions::default());
            let model = load(&checkpoint, dtype);
            let report = export(&model, folder.path(), &options).unwrap();
            let checked = report.verification.unwrap();
            assert!(checked.agrees(), "{family} {dtype:?}: {checked}");
            let report = compared(&checkpoint, folder.path());
            assert!(report.agrees(), "{family} {dtype:?}: {report}");
            let label = folder
                .path()
                .file_name()
                .unwrap()
                .to_string_lossy()
                .to_string();
            let ran = |name: &str| report.runners.contains(&format!("{label}:{name}"));
            if dtype == DType::BF16 {
                // Nobody else is asked, and it is said why.
                assert!(ran("ort") && !ran("tract") && !ran("rten"), "{report}");
                for name in ["tract", "rten"] {
                    let runner = format!("{label}:{name}");
                    let mut skipped = report.skipped.iter();
                    let reason = &skipped.find(|it| it.runner == runner).unwrap().reason;
                    assert!(reason.contains("bfloat16"), "{reason}");
                }
            } else {
                assert!(ran("tract"), "{report}");
            }

            // What rounding does not explain both find.
            let mut wrong = load(&checkpoint, dtype);
            wrong.network = wrong.network.map(&mut Wrong);
            let bad = tempfile::tempdir().unwrap();
            let unchecked = ExportOptions {
                verify: false,
                ..options.clone()
            };
            export(&wrong, bad.path(), &unchecked).unwrap();
            let checked = verify(&model, bad.path(), &options).unwrap();
            assert!(!checked.agrees(), "{family} {dtype:?}: {checked}");
            let report = compared(&checkpoint, bad.path());
            assert!(!report.agrees(), "{family} {dtype:?}: {report}");
            let right = report
                .assessments
                .iter()
                .filter(|it| !it.runner.contains(':'));
            for assessment in right {
                assert!(assessment.finding < Severity::Drift, "{report}");
            }
        }
    }
}
