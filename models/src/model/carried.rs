//! Files of a checkpoint that go where the model goes.

use std::path::{Component, Path, PathBuf};

use serde_json::Value;

use crate::chat::MORE_TEMPLATES;

/// How it writes, sees, hears and talks.
const FILES: [&str; 5] = [
    "generation_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "chat_template.jinja",
    "chat_template.json",
];
/// The list of the parts that sentence-transformers puts behind the model.
const MODULES: &str = "modules.json";
/// Its own settings.
const SENTENCES: &str = "config_sentence_transformers.json";
/// Parts that are the model itself.
const MODELS: [&str; 2] = ["Transformer", "CLIPModel"];
/// Files that the parts may have together, and folders one in the other.
const MOST: usize = 256;
const DEEPEST: usize = 3;

/// A file of a checkpoint, and where in a folder it belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Carried {
    pub from: PathBuf,
    pub to: PathBuf,
}

/// What of the checkpoint in `dir` is carried, and what should be but leads out of it.
///
/// What is read as part of the checkpoint may be a link, as `config.json` may. What is only
/// copied must lie in the folder itself, or among the files that a model hub's cache keeps beside
/// its snapshots: a folder from elsewhere must not take what lies outside along.
pub(super) fn of(dir: &Path) -> (Vec<Carried>, Vec<String>) {
    let mut found = Found {
        roots: roots(dir),
        dir,
        carried: Vec::new(),
        refused: Vec::new(),
    };
    for name in FILES {
        let (from, to) = (dir.join(name), PathBuf::from(name));
        if from.is_file() {
            found.carried.push(Carried { from, to });
        }
    }
    found.folder(Path::new(MORE_TEMPLATES), 0, &|name| {
        name.ends_with(".jinja")
    });
    if dir.join(MODULES).is_file() {
        found.sentences();
    }
    (found.carried, found.refused)
}

/// Where files may lie that are copied.
fn roots(dir: &Path) -> Vec<PathBuf> {
    let Ok(dir) = dir.canonicalize() else {
        return Vec::new();
    };
    let snapshots = dir.parent();
    let cache = snapshots
        .filter(|parent| parent.file_name().is_some_and(|name| name == "snapshots"))
        .and_then(Path::parent)
        .map(|repository| repository.join("blobs"));
    [dir.clone()].into_iter().chain(cache).collect()
}

struct Found<'a> {
    dir: &'a Path,
    roots: Vec<PathBuf>,
    carried: Vec<Carried>,
    refused: Vec<String>,
}

impl Found<'_> {
    /// The files of sentence-transformers: its settings, and the folders of the parts behind the
    /// model.
    fn sentences(&mut self) {
        self.file(Path::new(MODULES));
        self.file(Path::new(SENTENCES));
        let settings = |name: &str| name.starts_with("sentence_") && name.ends_with("_config.json");
        for name in names(self.dir) {
            if settings(&name) {
                self.file(Path::new(&name));
            }
        }
        let list = std::fs::read(self.dir.join(MODULES)).ok();
        let list: Option<Vec<Value>> = list.and_then(|json| serde_json::from_slice(&json).ok());
        let Some(list) = list else {
            self.refused
                .push(format!("{MODULES} is no list, so its parts are unknown"));
            return;
        };
        for part in list {
            let text = |key: &str| part.get(key).and_then(Value::as_str).unwrap_or_default();
            let (path, class) = (text("path"), text("type"));
            if path.is_empty() || MODELS.iter().any(|model| class.ends_with(model)) {
                continue;
            }
            let inside = |part| matches!(part, Component::Normal(_));
            if Path::new(path).components().all(inside) {
                self.folder(Path::new(path), 0, &|_| true)
            } else {
                self.refused.push(format!(
                    "{MODULES} names `{path}`, which is not in the folder"
                ))
            }
        }
    }

    /// The files in the folder `inside` of the checkpoint whose names `wanted` takes.
    fn folder(&mut self, inside: &Path, depth: usize, wanted: &dyn Fn(&str) -> bool) {
        if !self.holds(inside) {
            return;
        }
        for name in names(&self.dir.join(inside)) {
            let path = inside.join(&name);
            if self.carried.len() > MOST {
                return;
            }
            match self.dir.join(&path).is_dir() {
                true if depth < DEEPEST => self.folder(&path, depth + 1, wanted),
                true => {}
                false if wanted(&name) => self.file(&path),
                false => {}
            }
        }
    }

    /// The file `inside` of the checkpoint, where there is one.
    fn file(&mut self, inside: &Path) {
        let from = self.dir.join(inside);
        if from.is_file() && self.holds(inside) {
            let to = inside.to_path_buf();
            self.carried.push(Carried { from, to });
        }
    }

    /// Whether what is at `inside` lies where it may, and is there; notes it where it does not.
    fn holds(&mut self, inside: &Path) -> bool {
        let Ok(real) = self.dir.join(inside).canonicalize() else {
            return false;
        };
        let within = self.roots.iter().any(|root| real.starts_with(root));
        if !within {
            let told = format!("{} is a link out of the folder", inside.display());
            self.refused.push(told);
        }
        within
    }
}

/// The names in the folder `dir`, in order; none where it is no folder.
fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn write(dir: &Path, path: &str, text: &str) {
        let path = dir.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn carried(dir: &Path) -> Vec<String> {
        let (carried, refused) = of(dir);
        assert_eq!(refused, Vec::<String>::new());
        let slashes = |file: Carried| file.to.to_str().unwrap().replace('\\', "/");
        carried.into_iter().map(slashes).collect()
    }

    /// A model of sentences as sentence-transformers saves it, with a layer behind its pooling.
    fn sentences(dir: &Path) {
        write(
            dir,
            MODULES,
            r#"[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
                {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
                {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"},
                {"idx": 3, "name": "3", "path": "3_Normalize", "type": "sentence_transformers.models.Normalize"}]"#,
        );
        for file in [
            SENTENCES,
            "sentence_bert_config.json",
            "1_Pooling/config.json",
            "2_Dense/config.json",
            "2_Dense/model.safetensors",
            "model.safetensors",
            "README.md",
            "9_Other/config.json",
        ] {
            write(dir, file, "{}");
        }
    }

    #[test]
    fn what_a_model_of_sentences_needs_goes_along() {
        let dir = tempfile::tempdir().unwrap();
        sentences(dir.path());
        let wanted = [
            MODULES,
            SENTENCES,
            "sentence_bert_config.json",
            "1_Pooling/config.json",
            "2_Dense/config.json",
            "2_Dense/model.safetensors",
        ];
        assert_eq!(carried(dir.path()), wanted);
    }

    #[test]
    fn templates_and_settings_go_along() {
        let dir = tempfile::tempdir().unwrap();
        for file in [
            "processor_config.json",
            "chat_template.jinja",
            "additional_chat_templates/rag.jinja",
            "additional_chat_templates/notes.txt",
        ] {
            write(dir.path(), file, "{}");
        }
        let wanted = [
            "processor_config.json",
            "chat_template.jinja",
            "additional_chat_templates/rag.jinja",
        ];
        assert_eq!(carried(dir.path()), wanted);
    }

    #[test]
    fn nothing_outside_the_folder_is_named() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("model");
        write(home.path(), "outside/secret.json", "{}");
        for path in ["../outside", "/etc", "1_Pooling/../../outside"] {
            let list = format!(r#"[{{"path": {path:?}, "type": "x.Pooling"}}]"#);
            write(&dir, MODULES, &list);
            let (carried, refused) = of(&dir);
            assert_eq!(carried.len(), 1, "{carried:?}");
            assert!(refused[0].contains(path), "{refused:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_lead_nowhere_but_to_a_hubs_cache() {
        use std::os::unix::fs::symlink;
        let home = tempfile::tempdir().unwrap();
        write(home.path(), "secret.json", "{}");
        let dir = home.path().join("model");
        sentences(&dir);
        std::fs::remove_file(dir.join("1_Pooling/config.json")).unwrap();
        symlink(
            home.path().join("secret.json"),
            dir.join("1_Pooling/config.json"),
        )
        .unwrap();
        std::fs::remove_dir_all(dir.join("2_Dense")).unwrap();
        symlink(home.path(), dir.join("2_Dense")).unwrap();
        let (found, refused) = of(&dir);
        assert!(
            found.iter().all(|file| file.to.components().count() == 1),
            "{found:?}"
        );
        assert!(
            refused
                .iter()
                .any(|told| told.starts_with("1_Pooling/config.json is a link"))
        );
        assert!(
            refused
                .iter()
                .any(|told| told.starts_with("2_Dense is a link")),
            "{refused:?}"
        );
        // As a hub's cache lays a repository out.
        let repository = home.path().join("models--a--b");
        let snapshot = repository.join("snapshots/0123");
        write(&repository, "blobs/abc", "{}");
        sentences(&snapshot);
        std::fs::remove_file(snapshot.join("1_Pooling/config.json")).unwrap();
        let blob = Path::new("../../../blobs/abc");
        symlink(blob, snapshot.join("1_Pooling/config.json")).unwrap();
        assert!(carried(&snapshot).contains(&"1_Pooling/config.json".to_string()));
    }
}
