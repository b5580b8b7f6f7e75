//! What modules there are, from burn-nn's source, and which have a row.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use burn::module::Module;

use super::list::{self, Sink};
use super::take::{Given, Taken};

/// Its result can be read only by `TransformerDecoder`, whose rows run it.
pub const WITHOUT_A_ROW: [&str; 1] = ["TransformerDecoderLayer"];

#[derive(Default)]
struct Names(Vec<&'static str>);

impl Sink for Names {
    fn row<M: Module, I: Given, O: Taken>(
        &mut self,
        name: &'static str,
        _module: M,
        _shapes: &[&'static str],
        _forward: impl Fn(&M, I) -> O,
    ) {
        self.0.push(name);
    }
}

/// The name of every row.
pub fn rows() -> Vec<&'static str> {
    let mut names = Names::default();
    list::all(&mut names);
    names.0
}

/// The modules that have a row.
pub fn listed() -> BTreeSet<String> {
    let module = |name: &str| name.split(',').next().unwrap().to_string();
    rows().into_iter().map(module).collect()
}

/// Every type of burn-nn that derives `Module`, losses aside.
pub fn of_burn_nn() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for folder in ["modules", "activation"] {
        read(&source().join(folder), &mut names);
    }
    assert!(names.contains("Linear") && names.len() > 70, "{names:?}");
    names
}

/// The `src` folder of the burn-nn that this was compiled with.
fn source() -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let manifest = text
        .split("\"manifest_path\":\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .find(|path| path.contains("/burn-nn-"))
        .unwrap();
    Path::new(manifest).parent().unwrap().join("src")
}

fn read(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, names);
            continue;
        }
        let mut derives = false;
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let words = || line.split(|c: char| !c.is_alphanumeric() && c != '_');
            if line.starts_with("#[derive(") {
                derives = words().any(|word| word == "Module");
            }
            let mut item = words();
            let kind = (item.next(), item.next());
            if let (Some("pub"), Some("struct" | "enum")) = kind
                && std::mem::take(&mut derives)
            {
                names.extend(item.next().map(str::to_string));
            }
        }
    }
}
