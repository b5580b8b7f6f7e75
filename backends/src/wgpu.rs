//! wgpu's adapters, for the names `wgpu` (the best graphics API there is), `vulkan` and `metal`.
//!
//! The machine is asked once: Vulkan's loader crashes when instances come and go on several
//! threads, so ours is made once, before any of Burn's, and lives as long as the process.

use std::{
    collections::HashMap,
    sync::{Mutex, OnceLock, PoisonError},
};

use burn::tensor::{
    Device, DeviceKind, read_sync,
    wgpu::{
        WgpuBackend, WgpuInitError, WgpuSetup,
        wgpu::{AdapterInfo, Backend, Backends, DeviceType, Instance, InstanceDescriptor},
    },
};
use burn_cubecl::CubeDevice;
use burn_cubecl::cubecl::wgpu::{RuntimeOptions, try_init_device};

use crate::{
    BackendKind, BackendName, Error,
    adapter::{Absent, Adapter},
};

/// The adapters of `kind`, the fastest sort first, as its indices count them.
pub(crate) fn adapters(kind: BackendKind) -> Result<Vec<Adapter>, Absent> {
    let found = selected(kind);
    if found.is_empty() {
        return Err(absent(kind));
    }
    Ok(found
        .into_iter()
        .map(|(info, kind)| Adapter {
            name: format!("{}, {:?}, {:?}", info.name, info.device_type, info.backend),
            refused: refused(info, kind.as_ref()),
        })
        .collect())
}

/// Opens an adapter that [`adapters`] lists and does not refuse.
pub(crate) fn open(name: BackendName) -> Result<Device, Error> {
    // A device is set up once in a process; a second time Burn calls it an error.
    static OPEN: Mutex<Vec<Open>> = Mutex::new(Vec::new());
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(open) = open.iter().find(|open| open.name == name) {
        return Ok(open.device.clone());
    }

    let fused = BackendName {
        unfused: false,
        ..name
    };
    let opened = match open.iter().find(|open| open.name == fused) {
        Some(opened) => opened.clone(),
        None => {
            let opened = set_up(fused)?;
            open.push(opened.clone());
            opened
        }
    };
    if !name.unfused {
        return Ok(opened.device);
    }
    let device = again(name, opened)?;
    open.push(Open {
        name,
        device: device.clone(),
        setup: None,
    });
    Ok(device)
}

/// A device that is set up.
#[derive(Clone)]
struct Open {
    name: BackendName,
    device: Device,
    /// What it was made of; `None` where somebody else made it.
    setup: Option<WgpuSetup>,
}

/// The same card as a second device of Burn's, which fuses nothing.
fn again(name: BackendName, opened: Open) -> Result<Device, Error> {
    let unusable = |reason: String| Error::Unusable { name, reason };
    let Some(setup) = opened.setup else {
        return Err(unusable(format!(
            "`{}` was opened by other code than ours: open this one first",
            opened.name
        )));
    };
    let options = RuntimeOptions::try_default().map_err(|error| unusable(error.to_string()))?;
    let device = try_init_device(setup, options).map_err(|error| unusable(error.to_string()))?;
    crate::fusion::never(CubeDevice::Wgpu(device.clone()));
    Ok(Device::new(device))
}

fn set_up(name: BackendName) -> Result<Open, Error> {
    let api = api(name.kind);
    let kind = selected(name.kind)
        .into_iter()
        .nth(name.index)
        .and_then(|(_, kind)| kind)
        .unwrap_or_default();
    let (device, setup) = match Device::wgpu_options()
        .graphics_api(api)
        .device_kind(kind.clone())
        .init_with_setup()
    {
        Ok((device, setup)) => (device, Some(setup)),
        // Somebody used Burn without us before: the device is there and set up.
        Err(WgpuInitError::Registration { .. }) => (lazy(name.kind, kind), None),
        Err(error) => {
            return Err(Error::Unusable {
                name,
                reason: format!(
                    "{}; update the graphics driver, or take another backend",
                    error.to_string().replace('\n', " ")
                ),
            });
        }
    };
    Ok(Open {
        name,
        device,
        setup,
    })
}

fn api(kind: BackendKind) -> WgpuBackend {
    match kind {
        BackendKind::Vulkan => WgpuBackend::Vulkan,
        BackendKind::Metal => WgpuBackend::Metal,
        _ => WgpuBackend::Auto,
    }
}

fn lazy(backend: BackendKind, kind: DeviceKind) -> Device {
    match backend {
        #[cfg(feature = "vulkan")]
        BackendKind::Vulkan => Device::vulkan(kind),
        #[cfg(feature = "metal")]
        BackendKind::Metal => Device::metal(kind),
        _ => Device::wgpu(kind),
    }
}

/// Every adapter of every graphics API on this machine.
fn all() -> &'static [AdapterInfo] {
    static ALL: OnceLock<(Instance, Vec<AdapterInfo>)> = OnceLock::new();
    let (_, adapters) = ALL.get_or_init(|| {
        let instance = Instance::new(InstanceDescriptor::new_without_display_handle());
        let adapters = read_sync(instance.enumerate_adapters(Backends::all()));
        let adapters = adapters.iter().map(|adapter| adapter.get_info()).collect();
        (instance, adapters)
    });
    adapters
}

/// The adapters that `kind` reaches, the fastest sort first, each with Burn's way of naming it
/// (`None` where Burn has none).
fn selected(kind: BackendKind) -> Vec<(&'static AdapterInfo, Option<DeviceKind>)> {
    let on = |api: Backend| all().iter().filter(move |info| info.backend == api);
    let api = match kind {
        BackendKind::Vulkan => Some(Backend::Vulkan),
        BackendKind::Metal => Some(Backend::Metal),
        // As CubeCL settles it: the first API with a card, else the first with anything.
        _ => {
            let apis = [Backend::Vulkan, Backend::Metal, Backend::Dx12, Backend::Gl];
            apis.into_iter()
                .find(|api| on(*api).any(|info| info.device_type != DeviceType::Cpu))
                .or_else(|| apis.into_iter().find(|api| on(*api).next().is_some()))
        }
    };
    let Some(api) = api else { return Vec::new() };

    let alone = on(api).count() == 1;
    let mut seen = HashMap::new();
    let mut found: Vec<_> = on(api)
        .map(|info| {
            let nth = seen.entry(info.device_type).or_insert(0);
            let kind = device_kind(info.device_type, *nth, alone);
            *nth += 1;
            (info, kind)
        })
        .collect();
    found.sort_by_key(|(info, _)| match info.device_type {
        DeviceType::DiscreteGpu => 0,
        DeviceType::IntegratedGpu => 1,
        DeviceType::VirtualGpu => 2,
        DeviceType::Other => 3,
        DeviceType::Cpu => 4,
    });
    found
}

/// Burn names an adapter by its sort and its number among those of that sort. It knows one
/// software adapter, and one that will not say what it is (OpenGL's) only by there being no other.
fn device_kind(sort: DeviceType, nth: usize, alone: bool) -> Option<DeviceKind> {
    match sort {
        DeviceType::DiscreteGpu => Some(DeviceKind::DiscreteGpu(nth)),
        DeviceType::IntegratedGpu => Some(DeviceKind::IntegratedGpu(nth)),
        DeviceType::VirtualGpu => Some(DeviceKind::VirtualGpu(nth)),
        DeviceType::Cpu => (nth == 0).then_some(DeviceKind::Cpu),
        DeviceType::Other => alone.then_some(DeviceKind::DefaultDevice),
    }
}

/// Why `info` cannot be used, with the mend.
fn refused(info: &AdapterInfo, kind: Option<&DeviceKind>) -> Option<String> {
    if kind.is_none() {
        return Some(format!(
            "Burn cannot address `{}` beside the others: take another adapter",
            info.name
        ));
    }
    // Mesa's llvmpipe segfaults on CubeCL's SPIR-V, which a build with `vulkan` uses for every
    // Vulkan adapter, also under the name `wgpu`.
    let software = info.device_type == DeviceType::Cpu && info.backend == Backend::Vulkan;
    (cfg!(feature = "vulkan") && software).then(|| {
        format!(
            "`{}` is software and crashes on the SPIR-V of a build with `vulkan`: rebuild with \
             `--features wgpu` and without `vulkan`, and take `wgpu`",
            info.name
        )
    })
}

fn absent(kind: BackendKind) -> Absent {
    if kind == BackendKind::Metal {
        return Absent {
            found: "no Metal adapter was found".to_owned(),
            mend: "Metal is Apple's: take `wgpu` elsewhere".to_owned(),
        };
    }
    Absent {
        found: "no graphics adapter was found".to_owned(),
        mend: "install a graphics driver (in software: Debian's mesa-vulkan-drivers and \
               libvulkan1), or take another backend"
            .to_owned(),
    }
}
