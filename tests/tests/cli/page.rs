//! The page of `fluxo compare --html`, in a browser.

use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;

use crate::common::*;

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
        for assessment in report["standings"].as_array().unwrap() {
            let runner = assessment["runner"].as_str().unwrap();
            let row = cells.iter().position(|cell| cell == runner).unwrap();
            assert_eq!(cells[row + 1], assessment["finding"].as_str().unwrap());
            assert_eq!(cells[row + 2], assessment["output"].as_str().unwrap());
        }
        assert!(cells.iter().any(|cell| cell.ends_with(" !")), "{cells:?}");
    }
}
