//! Images in folders, a folder a class: `DATA/cat/1.png`, `DATA/dog/2.jpg`.
//!
//! A class is called as its folder; folders of one name in several `data` are one class. PNG
//! and JPEG files in them are read, by their endings; hidden and other files are passed over.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::text::hexadecimal;
use super::{Splits, labels};
use crate::config::TrainConfig;
use crate::error::{Error, Result};

/// All images of a run.
#[derive(Debug)]
pub(crate) struct Images {
    /// Files and the numbers of their labels.
    pub(crate) examples: Splits<(PathBuf, usize)>,
    /// The classes.
    pub(crate) labels: Vec<String>,
    /// SHA-256 over names and contents, in hexadecimal.
    pub(crate) digest: String,
}

impl Images {
    /// Finds the images of `config`.
    ///
    /// # Errors
    /// When a folder cannot be read, is no folder, or has no class with an image.
    pub(crate) fn load(config: &TrainConfig) -> Result<Self> {
        let mut found = Vec::new();
        for root in &config.data {
            let classes = entries(root)?.into_iter().filter(|path| path.is_dir());
            let before = found.len();
            for class in classes {
                let name = name(&class);
                let images: Vec<_> = entries(&class)?
                    .into_iter()
                    .filter(|p| is_image(p))
                    .collect();
                if images.is_empty() {
                    let class = class.display();
                    return Err(Error::Data(format!(
                        "{class}: no .png, .jpg or .jpeg file in it"
                    )));
                }
                found.extend(images.into_iter().map(|path| (path, name.clone())));
            }
            if found.len() == before {
                let root = root.display();
                return Err(Error::Data(format!(
                    "{root}: no folder in it; put the images of each class into a folder of its \
                     own, as {root}/cat/1.png"
                )));
            }
        }
        let labels = labels(found.iter().map(|(_, class)| class.as_str()))?;
        let mut digest = Sha256::new();
        let mut examples = Vec::with_capacity(found.len());
        for (path, class) in found {
            let bytes = std::fs::read(&path).map_err(Error::io(&path))?;
            digest.update(format!("{class}/{}\0{}\0", name(&path), bytes.len()));
            digest.update(&bytes);
            let label = labels.iter().position(|label| *label == class);
            examples.push((path, label.unwrap_or_default()));
        }
        Ok(Self {
            examples: Splits::of(examples, config.validation_fraction)?,
            labels,
            digest: hexadecimal(digest),
        })
    }
}

/// What is in the folder, by name, hidden entries left out.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(Error::io(folder))?;
    let entries = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut entries = entries
        .collect::<std::io::Result<Vec<_>>>()
        .map_err(Error::io(folder))?;
    entries.retain(|path| !name(path).starts_with('.'));
    entries.sort();
    Ok(entries)
}

fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn is_image(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
    path.is_file() && ["png", "jpg", "jpeg"].iter().any(|known| ending == *known)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_folder_is_a_class() {
        let dir = tempfile::tempdir().unwrap();
        let load = || {
            let mut config = TrainConfig::new("vit", vec![dir.path().into()], dir.path());
            config.validation_fraction = 0.5;
            Images::load(&config)
        };
        let refused = || load().unwrap_err().to_string();
        assert!(
            refused().contains("no folder in it; put the images"),
            "{}",
            refused()
        );
        std::fs::create_dir(dir.path().join("dog")).unwrap();
        assert!(
            refused().contains("dog: no .png, .jpg or .jpeg"),
            "{}",
            refused()
        );
        let write = |name: &str| std::fs::write(dir.path().join(name), name).unwrap();
        write("dog/b.PNG");
        write("dog/notes.txt");
        write("dog/.a.png");
        assert!(refused().contains("needs two labels"), "{}", refused());
        std::fs::create_dir(dir.path().join("cat")).unwrap();
        write("cat/z.jpeg");
        let images = load().unwrap();
        assert_eq!(images.labels, ["cat", "dog"]);
        let file = |example: &(PathBuf, usize)| (name(&example.0), example.1);
        assert_eq!(file(&images.examples.training[0]), ("z.jpeg".into(), 0));
        assert_eq!(file(&images.examples.evaluation[0]), ("b.PNG".into(), 1));
        std::fs::write(dir.path().join("dog/b.PNG"), "other").unwrap();
        assert_ne!(images.digest, load().unwrap().digest);
    }
}
