//! How many kernels a pass starts: on a card each costs some microseconds before it computes anything.

use std::collections::BTreeMap;

use burn::tensor::Device;

/// Kernels by name, and how often each was started.
pub type Launches = BTreeMap<&'static str, usize>;

/// What `run` gives, and the kernels that backends of CubeCL started meanwhile, on any thread of
/// this process; none where `device` is not one of theirs. What `run` leaves in a queue is waited for.
pub fn launches<T>(device: &Device, run: impl FnOnce() -> T) -> (T, Launches) {
    #[cfg(feature = "cubecl")]
    return watched::launches(device, run);
    #[cfg(not(feature = "cubecl"))]
    {
        let _ = device;
        (run(), Launches::new())
    }
}

#[cfg(feature = "cubecl")]
mod watched {
    use std::sync::{Arc, Mutex, PoisonError};

    use burn::tensor::Device;
    use burn_cubecl::cubecl::logging::{LaunchObservation, LaunchObserver};

    use super::Launches;

    #[derive(Default)]
    struct Counted(Mutex<Launches>);

    impl LaunchObserver for Counted {
        fn launched(&self, kernel: &'static str) {
            let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            *counted.entry(kernel).or_default() += 1;
        }
    }

    pub fn launches<T>(device: &Device, run: impl FnOnce() -> T) -> (T, Launches) {
        // What was asked for before is not of this run. A device that fails here fails in `run` too.
        let _ = device.sync();
        let counted = Arc::new(Counted::default());
        let watching = LaunchObservation::new(counted.clone());
        let given = run();
        let _ = device.sync();
        drop(watching);
        let counted =
            std::mem::take(&mut *counted.0.lock().unwrap_or_else(PoisonError::into_inner));
        (given, counted)
    }
}
