//! NVIDIA cards: the driver, asked for before Burn loads it, because Burn panics where it is missing.
//!
//! CubeCL makes kernels by LLVM, which is part of the build (its build script downloads it) and needs
//! nothing more here. Only where a crate of the build switches on `cubecl-cuda/cpp` are kernels CUDA
//! C++, and the toolkit's compiler and headers are asked for too.

use cubecl_cuda::compiler::CudaBackend;
use cudarc::{driver, nvrtc};

use crate::adapter::{Absent, Adapter};

/// The cards in the driver's order.
pub(crate) fn adapters() -> Result<Vec<Adapter>, Absent> {
    // SAFETY: opens the driver's library by name and closes it again.
    if !unsafe { driver::sys::is_culib_present() } {
        return Err(absent("the NVIDIA driver (libcuda) was not found"));
    }
    let refused = toolkit_missing();
    let adapters = names().map_err(|error| {
        absent(&format!(
            "the NVIDIA driver was found, but it reports {error}"
        ))
    })?;
    if adapters.is_empty() {
        return Err(absent("the NVIDIA driver was found, but no card"));
    }
    Ok(adapters
        .into_iter()
        .map(|name| Adapter {
            name,
            refused: refused.map(str::to_owned),
        })
        .collect())
}

fn names() -> Result<Vec<String>, driver::DriverError> {
    driver::result::init()?;
    (0..driver::result::device::get_count()?)
        .map(|card| driver::result::device::get_name(driver::result::device::get(card)?))
        .collect()
}

/// What CubeCL needs beside the driver to compile its kernels, and what is not here.
fn toolkit_missing() -> Option<&'static str> {
    if CudaBackend::default() == CudaBackend::Llvm {
        return None;
    }
    // SAFETY: opens the compiler's library by name and closes it again.
    if !unsafe { nvrtc::sys::is_culib_present() } {
        return Some("the CUDA compiler (libnvrtc) was not found: install the CUDA toolkit");
    }
    if cubecl_cuda::install::cuda_path().is_none() {
        return Some(
            "the CUDA toolkit's headers were not found: install the toolkit or set CUDA_PATH",
        );
    }
    None
}

fn absent(found: &str) -> Absent {
    Absent {
        found: found.to_owned(),
        mend: "install the driver, or take another backend".to_owned(),
    }
}
