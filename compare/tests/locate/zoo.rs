//! No false alarm.

use super::*;

/// How many sets of inputs the zoo is looked at with: `FLUXO_SEEDS`, or 2.
fn seeds() -> usize {
    let given = std::env::var("FLUXO_SEEDS").ok();
    given.and_then(|seeds| seeds.parse().ok()).unwrap_or(2)
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    let hf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/hf");
    let mut all = vec!["flex", "ndarray", "tract", "rten"];
    all.extend(["ort", "wgpu"].into_iter().filter(|name| works(name)));
    let mut folders: Vec<PathBuf> = std::fs::read_dir(hf)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    folders.sort();
    assert!(folders.len() > 50);
    for folder in folders {
        let device = fluxo_backends::device("flex").unwrap();
        let (model, _) = Model::load(&folder, None, &device).unwrap();
        for seed in 0..seeds() {
            let lengths = model.config().max_positions().min(24) - 4;
            let inputs = samples::inputs(model.config(), 1 + seed % 3, 5 + seed % lengths);
            let found = open::locate(std::slice::from_ref(&folder), &names(&all), &inputs);
            let found = found.unwrap().unwrap();
            assert_eq!(found.len(), all.len());
            for location in found {
                let nothing = (location.path.is_none(), &location.note);
                assert_eq!(
                    nothing,
                    (true, &None),
                    "{} {seed}: {location}",
                    folder.display()
                );
                // Most parts are seen in files too.
                assert!(
                    4 * location.looked_at >= 3 * location.of || folder.ends_with("mixtral"),
                    "{location}"
                );
            }
        }
    }
}

fn works(name: &str) -> bool {
    let usable = match name {
        "ort" => open::runtimes().iter().any(|r| r.name == name && r.usable),
        _ => fluxo_backends::device(name).is_ok(),
    };
    if !usable {
        eprintln!("skipped: {name} is not here");
    }
    usable
}
