//! `fluxo compare` beyond its verdict: pages, bundles, isolation, hard inputs.

use fluxo_compare::{artifact, compare};
use fluxo_models::Request;

use super::*;

/// A GPT-2 whose last layer's feed-forward network is off by a hundredth, and the right one.
fn wrong() -> (tempfile::TempDir, PathBuf) {
    let dir = copy("gpt2");
    let path = dir.path().join("model.safetensors");
    let mut weights = tensors::read(&path).unwrap();
    let name = weights
        .keys()
        .find(|name| name.ends_with("h.1.mlp.c_fc.weight"));
    let name = name.unwrap().clone();
    let moved: Vec<f32> = weights[&name].iter::<f32>().map(|w| w * 1.01).collect();
    let shape = weights[&name].shape().to_vec();
    weights.insert(name, TensorData::new(moved, shape));
    tensors::write(&path, &weights).unwrap();
    (dir, fixture("hf/gpt2"))
}

fn said(args: &[&str]) -> (Option<i32>, String) {
    let output = fluxo(args);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &error;
    (output.status.code(), said)
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
        let standings = report["standings"].as_array().unwrap();
        standings.iter().map(|s| s["finding"].clone()).collect()
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

// Elsewhere a shell does not limit the address space.
#[cfg(target_os = "linux")]
#[test]
fn a_runner_that_dies_or_runs_out_of_memory_is_its_own_row() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("fluxo");
    // For one little more than it takes to run at all, for another a signal.
    let kib = least(dir.path()) + 20_000;
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *'--on ndarray'*) ulimit -v {kib};; *'--on rten'*) kill -9 $$;; esac\nexec '{}' \"$@\"\n",
        binary().display()
    );
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let names = ["flex", "ndarray", "rten", "tract"].map(String::from);
    let model = fixture("hf/gpt2");
    let opened = artifact::open_isolated(&[model], &names, Request::default(), &program);
    // The scores of one layer: 600 rows of 4 heads of 64 by 64 take 39 MB, several times.
    let ids = TensorData::new(vec![1_i64; 600 * 64], [600, 64]);
    let inputs = Tensors::from([("input_ids".to_string(), ids)]);
    let report = compare(&mut opened.unwrap().runners, &inputs, None).unwrap();
    assert!(report.agrees(), "{report}");
    assert_eq!(report.runners, ["flex", "tract"]);
    let reasons: Vec<_> = report.skipped.iter().map(|s| s.reason.as_str()).collect();
    assert!(
        reasons[0].starts_with("ndarray: killed by signal 6 (aborted: out of memory?)"),
        "{reasons:?}"
    );
    assert!(reasons[0].contains("memory allocation of"), "{reasons:?}");
    assert_eq!(reasons[1], "rten: killed by signal 9 (out of memory?)");
}

/// The address space, in KiB and to 20 MB, in which the binary runs a few tokens.
#[cfg(unix)]
fn least(dir: &Path) -> u64 {
    let (inputs, out) = (dir.join("in.safetensors"), dir.join("out.safetensors"));
    let ids = TensorData::new(vec![1_i64; 4], [1, 4]);
    tensors::write(&inputs, &Tensors::from([("input_ids".to_string(), ids)])).unwrap();
    let command = format!(
        "exec '{}' run '{}' --on ndarray --inputs '{}' --out '{}'",
        binary().display(),
        fixture("hf/gpt2").display(),
        inputs.display(),
        out.display()
    );
    let runs = |kib: &u64| {
        let limited = format!("ulimit -v {kib}; {command}");
        let output = Command::new("sh").args(["-c", &limited]).output().unwrap();
        output.status.success()
    };
    (1..200).map(|step| step * 20_000).find(runs).unwrap()
}

/// Opens a copy of `page` in `browser`, `width` pixels wide, and gives the text of its tables'
/// cells and whether it is wider than the window.
fn opened(browser: &str, page: &Path, width: usize) -> (Vec<String>, bool) {
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("page.html");
    let script = r##"<script>
        const cells = [...document.querySelectorAll("#findings td, #findings th, #matrix td")];
        const said = cells.map(cell => cell.textContent);
        const root = document.documentElement;
        said.push(String(root.scrollWidth > root.clientWidth));
        document.body.innerHTML = "";
        document.body.append("READ" + JSON.stringify(said) + "READ");
    </script>"##;
    let text_of = std::fs::read_to_string(page).unwrap();
    std::fs::write(
        &copy,
        text_of.replace("</body>", &format!("{script}</body>")),
    )
    .unwrap();
    let profile = dir.path().join("profile");
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("--window-size={width},900"))
        .arg(format!("file://{}", copy.display()))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let said = said
        .split("READ")
        .nth(1)
        .unwrap_or_else(|| panic!("{said}"));
    let mut cells: Vec<String> = serde_json::from_str(&said.replace("&amp;", "&")).unwrap();
    let wide = cells.pop().unwrap() == "true";
    (cells, wide)
}

#[test]
fn the_page_opens_in_a_browser() {
    let (wrong, right) = wrong();
    let dir = tempfile::tempdir().unwrap();
    let page = dir.path().join("page.html");
    let models = [text(&right), text(wrong.path())];
    let args = [
        "compare",
        models[0],
        models[1],
        "--on",
        "flex,tract",
        "--taps",
        "--html",
        text(&page),
    ];
    let report: Value =
        serde_json::from_slice(&fluxo(&[&args[..], &["--json"]].concat()).stdout).unwrap();
    let runs = |name: &&&str| {
        let output = Command::new(name).arg("--version").output();
        output.is_ok_and(|output| output.status.success())
    };
    let browsers = ["chromium", "chromium-browser", "google-chrome", "chrome"];
    let Some(browser) = browsers.iter().find(runs) else {
        let all = std::env::var(fluxo_tests::REQUIRE_ALL).is_ok_and(|value| value == "1");
        assert!(
            !all,
            "the page in a browser was skipped: no {}",
            browsers.join(", ")
        );
        eprintln!("skipped: the page in a browser: no {}", browsers.join(", "));
        return;
    };
    for width in [1280, 500, 360] {
        let (cells, wide) = opened(browser, &page, width);
        assert!(!wide, "the page is wider than {width}");
        for standing in report["standings"].as_array().unwrap() {
            let runner = standing["runner"].as_str().unwrap();
            let row = cells.iter().position(|cell| cell == runner).unwrap();
            assert_eq!(cells[row + 1], standing["finding"].as_str().unwrap());
            assert_eq!(cells[row + 2], standing["output"].as_str().unwrap());
        }
        assert!(cells.iter().any(|cell| cell.ends_with(" !")), "{cells:?}");
    }
}
