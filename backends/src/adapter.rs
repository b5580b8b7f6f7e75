//! A device, or why there is none.

/// A device found on this machine.
#[derive(Clone, Debug)]
pub(crate) struct Adapter {
    /// As its driver calls it.
    pub name: String,
    /// Why it cannot be used, with the mend; `None` where it can.
    pub refused: Option<String>,
}

impl Adapter {
    #[cfg(any(
        feature = "flex",
        feature = "ndarray",
        feature = "cpu",
        feature = "rocm"
    ))]
    pub fn usable(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            refused: None,
        }
    }
}

/// Why a backend has no device here, and what to do: the two halves of [`Error::NotPresent`].
#[cfg(any(feature = "wgpu", feature = "cuda", feature = "rocm"))]
pub(crate) struct Absent {
    pub found: String,
    pub mend: String,
}
