//! Which checkpoint a file came from.

use std::fs::File;
use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::Result;
use crate::error::io as failed;

/// The SHA-256 of the weights in the checkpoint folder `dir`, in hexadecimal: of the one file, as
/// `sha256sum` gives it, and of the listing that `sha256sum` gives of several in the order of
/// their names.
///
/// # Errors
/// When a file cannot be read.
pub fn digest(dir: &Path) -> Result<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(|e| failed(dir, e))? {
        let name = entry.map_err(|e| failed(dir, e))?.file_name();
        let name = name.to_string_lossy().into_owned();
        if name.ends_with(".safetensors") && name.starts_with("model")
            || name.ends_with(".bin") && name.starts_with("pytorch_model")
        {
            names.push(name);
        }
    }
    names.sort();
    let mut listing = String::new();
    for name in &names {
        let path = dir.join(name);
        let hash = of_file(&path).map_err(|e| failed(&path, e))?;
        if names.len() == 1 {
            return Ok(hash);
        }
        listing += &format!("{hash}  {name}\n");
    }
    Ok(hex(&Sha256::digest(&listing)))
}

/// The SHA-256 of the file at `path`, in hexadecimal.
pub(crate) fn of_file(path: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    io::copy(&mut File::open(path)?, &mut hasher)?;
    Ok(hex(&hasher.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_file_and_several() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str| std::fs::write(dir.path().join(name), "abc").unwrap();
        write("model-00001-of-00002.safetensors");
        write("notes.txt");
        // FIPS 180-2, appendix B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest(dir.path()).unwrap(), abc);
        write("model-00002-of-00002.safetensors");
        let listing = format!(
            "{abc}  model-00001-of-00002.safetensors\n{abc}  model-00002-of-00002.safetensors\n"
        );
        assert_eq!(digest(dir.path()).unwrap(), hex(&Sha256::digest(listing)));
    }
}
