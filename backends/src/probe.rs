//! What is on this machine, found by asking and never by trying and crashing.

use burn::tensor::Device;

#[cfg(any(feature = "wgpu", feature = "cuda", feature = "rocm"))]
use crate::adapter::Absent;
use crate::adapter::Adapter;
use crate::{BackendKind, BackendName, Error};

/// The devices of `kind` in the order of their indices, at least one.
pub(crate) fn adapters(kind: BackendKind) -> Result<Vec<Adapter>, Error> {
    #[cfg(any(feature = "wgpu", feature = "cuda", feature = "rocm"))]
    let absent = |Absent { found, mend }| Error::NotPresent {
        name: BackendName::first(kind),
        found,
        mend,
    };
    match kind {
        #[cfg(feature = "flex")]
        BackendKind::Flex => Ok(vec![Adapter::usable(PROCESSOR)]),
        #[cfg(feature = "ndarray")]
        BackendKind::NdArray => Ok(vec![Adapter::usable(PROCESSOR)]),
        #[cfg(feature = "cpu")]
        BackendKind::Cpu => Ok(vec![Adapter::usable(PROCESSOR)]),
        #[cfg(feature = "wgpu")]
        BackendKind::Wgpu => crate::wgpu::adapters(kind).map_err(absent),
        #[cfg(feature = "vulkan")]
        BackendKind::Vulkan => crate::wgpu::adapters(kind).map_err(absent),
        #[cfg(feature = "metal")]
        BackendKind::Metal => crate::wgpu::adapters(kind).map_err(absent),
        #[cfg(feature = "cuda")]
        BackendKind::Cuda => crate::cuda::adapters().map_err(absent),
        #[cfg(feature = "rocm")]
        BackendKind::Rocm => rocm_adapters().map_err(absent),
        #[allow(unreachable_patterns)] // where every feature is on
        _ => Err(Error::NotCompiled { name: kind.name() }),
    }
}

#[cfg(any(feature = "flex", feature = "ndarray", feature = "cpu"))]
const PROCESSOR: &str = "this processor";

/// Whether at least one device of `kind` can be used.
pub(crate) fn usable(kind: BackendKind) -> bool {
    adapters(kind).is_ok_and(|found| found.iter().any(|adapter| adapter.refused.is_none()))
}

/// The device called `name`, probed first.
pub(crate) fn device(name: BackendName) -> Result<Device, Error> {
    let found = adapters(name.kind).map_err(|error| match error {
        Error::NotPresent { found, mend, .. } => Error::NotPresent { name, found, mend },
        other => other,
    })?;
    match found.get(name.index) {
        None => Err(Error::NotPresent {
            name,
            found: format!("found {}", listed(name.kind, &found)),
            mend: "take one of these".to_owned(),
        }),
        Some(Adapter {
            refused: Some(reason),
            ..
        }) => Err(Error::Unusable {
            name,
            reason: reason.clone(),
        }),
        Some(_) => open(name),
    }
}

/// "`wgpu` (llvmpipe), `wgpu:1` (NVIDIA T4)".
fn listed(kind: BackendKind, found: &[Adapter]) -> String {
    let listed = found.iter().enumerate().map(|(index, adapter)| {
        let name = BackendName {
            index,
            ..BackendName::first(kind)
        };
        format!("`{name}` ({})", adapter.name)
    });
    listed.collect::<Vec<_>>().join(", ")
}

/// The Burn device of an adapter that [`adapters`] has found and not refused.
fn open(name: BackendName) -> Result<Device, Error> {
    #[cfg(feature = "cubecl")]
    crate::fusion::settle(name)?;
    match name.kind {
        #[cfg(feature = "flex")]
        BackendKind::Flex => Ok(Device::flex()),
        #[cfg(feature = "ndarray")]
        #[allow(deprecated)] // Kept as a second opinion beside flex as long as Burn has it.
        BackendKind::NdArray => Ok(Device::ndarray()),
        #[cfg(feature = "cpu")]
        BackendKind::Cpu => Ok(Device::cpu()),
        #[cfg(feature = "wgpu")]
        BackendKind::Wgpu => crate::wgpu::open(name),
        #[cfg(feature = "vulkan")]
        BackendKind::Vulkan => crate::wgpu::open(name),
        #[cfg(feature = "metal")]
        BackendKind::Metal => crate::wgpu::open(name),
        #[cfg(feature = "cuda")]
        BackendKind::Cuda => Ok(Device::cuda(name.index)),
        #[cfg(feature = "rocm")]
        BackendKind::Rocm => Ok(Device::rocm(name.index)),
        #[allow(unreachable_patterns)] // where every feature is on
        _ => Err(Error::NotCompiled {
            name: name.kind.name(),
        }),
    }
}

/// Burn counts the cards itself, and counts none where the HIP libraries are missing.
#[cfg(feature = "rocm")]
fn rocm_adapters() -> Result<Vec<Adapter>, Absent> {
    use burn::tensor::DeviceType;

    let cards = Device::enumerate(DeviceType::Rocm).into_iter().count();
    if cards == 0 {
        return Err(Absent {
            found: "no AMD card with the ROCm libraries was found".to_owned(),
            mend: "install ROCm, or take another backend".to_owned(),
        });
    }
    Ok((0..cards)
        .map(|card| Adapter::usable(format!("ROCm device {card}")))
        .collect())
}
