//! What the targets share: bytes as a file of a folder, and a checkpoint's tensors read whole.

use std::path::Path;
use std::sync::LazyLock;

use fluxo_models::checkpoint::store::Store;
use tempfile::TempDir;

/// The folder of this process: one, as each run writes the same files.
static FOLDER: LazyLock<TempDir> =
    LazyLock::new(|| tempfile::tempdir().expect("a folder for temporary files"));

/// Puts `bytes` into the file `name` of a folder, and gives the folder.
pub fn in_file(name: &str, bytes: &[u8]) -> &'static Path {
    let folder = FOLDER.path();
    std::fs::write(folder.join(name), bytes).expect("a file in it");
    folder
}

/// Opens the weights in `folder` and reads each tensor. A view that repeats its elements may
/// have any number of them, so larger ones than any input has are left.
pub fn read_store(folder: &Path) {
    let Ok(store) = Store::open(folder) else {
        return;
    };
    for name in store.names() {
        let Some(entry) = store.get(name) else {
            continue;
        };
        if entry.shape().iter().product::<usize>() < 1 << 20 {
            let _ = entry.read(&mut |_, _| {});
        }
    }
}
