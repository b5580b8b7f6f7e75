//! Burn's fusion of operations, which every backend of CubeCL has here, and devices that go without.
//!
//! Burn asks a registry for the fusers of a device when the device runs its first operation. Its
//! own are replaced by the same ones behind a question: whether this device is to fuse at all. So
//! one process holds devices that fuse and devices that do not, and tells what fusion makes wrong.

use std::marker::PhantomData;
use std::sync::{Mutex, OnceLock, PoisonError};

use burn_cubecl::CubeDevice;
use burn_cubecl::fusion::{
    CubeFuser, CubeOptimization, FusedOperation, OptimizationProvider, RegistryError, register,
    remove,
};
use burn_cubecl_fusion::optim::elemwise::{ElementWiseFuser, ElemwiseOptimization};
use burn_cubecl_fusion::optim::matmul::{MatmulFuser, MatmulOptimization};
use burn_cubecl_fusion::optim::nhwc_relayout::{NHWCRelayoutFuser, NHWCRelayoutOptimization};
use burn_cubecl_fusion::optim::reduce::ReduceOptimization;
use burn_cubecl_fusion::optim::reduce_broadcasted::ReduceBroadcastedOptimization;
use burn_fusion::{FuserProperties, FuserStatus, OperationFuser};
use burn_ir::{BaseOperationIr, OperationIr};

use crate::{BackendKind, BackendName, Error};

/// The devices that fuse nothing.
static UNFUSED: Mutex<Vec<CubeDevice>> = Mutex::new(Vec::new());

/// Settles whether the device `name` fuses, before it is opened.
///
/// # Errors
/// [`Error::Unusable`] where it is too late: Burn has been at work without us, or the same card is
/// open the other way, and Burn knows a card of this backend by one name only.
pub(crate) fn settle(name: BackendName) -> Result<(), Error> {
    static SETTLED: Mutex<Vec<BackendName>> = Mutex::new(Vec::new());

    let installed = install();
    if name.unfused && installed.is_err() {
        return Err(Error::Unusable {
            name,
            reason: "Burn has computed here before and its fusion is settled: open this device \
                     before the first tensor"
                .to_owned(),
        });
    }
    let device = match name.kind {
        BackendKind::Cuda => CubeDevice::cuda(name.index),
        BackendKind::Rocm => CubeDevice::rocm(name.index),
        BackendKind::Cpu => CubeDevice::cpu(),
        // Its unfused device is a device of its own (`wgpu::open`).
        _ => return Ok(()),
    };
    let mut settled = SETTLED.lock().unwrap_or_else(PoisonError::into_inner);
    let other = BackendName {
        unfused: !name.unfused,
        ..name
    };
    if settled.contains(&other) {
        return Err(Error::Unusable {
            name,
            reason: format!(
                "`{other}` is open in this process, and Burn has one device per card: compare \
                 each with another backend, in two runs"
            ),
        });
    }
    if !settled.contains(&name) {
        settled.push(name);
        if let (true, Ok(device)) = (name.unfused, device) {
            never(device);
        }
    }
    Ok(())
}

/// Puts the question in front of Burn's fusers. To be called before any backend of CubeCL runs its
/// first operation; later calls give what the first one gave.
///
/// # Errors
/// Somebody has computed with Burn before: its fusers are settled.
fn install() -> Result<(), RegistryError> {
    static INSTALLED: OnceLock<Result<(), RegistryError>> = OnceLock::new();
    INSTALLED
        .get_or_init(|| {
            // In the order of `burn_cubecl::fusion::BUILTIN_NAMES`, in which they are tried.
            replace::<ElemwiseOptimization>(|device| straight(ElementWiseFuser::new(device)))?;
            replace::<MatmulOptimization>(|device| straight(MatmulFuser::new(device)))?;
            // Sums are fused where Burn tunes kernels. Elsewhere one fuser runs them alone all the same,
            // and the other writes four values where one has a place (`docs/upstream.md`).
            remove(ReduceOptimization::NAME)?;
            remove(ReduceBroadcastedOptimization::NAME)?;
            replace::<NHWCRelayoutOptimization>(|device| {
                CubeFuser::new(NHWCRelayoutFuser::new(device))
            })
        })
        .clone()
}

/// From now on `device`, which has run nothing yet, fuses nothing.
pub(crate) fn never(device: CubeDevice) {
    let mut unfused = UNFUSED.lock().unwrap_or_else(PoisonError::into_inner);
    unfused.push(device);
}

fn fuses(device: &CubeDevice) -> bool {
    let unfused = UNFUSED.lock().unwrap_or_else(PoisonError::into_inner);
    !unfused.contains(device)
}

fn replace<O: FusedOperation>(fuser: fn(CubeDevice) -> CubeFuser) -> Result<(), RegistryError> {
    remove(O::NAME)?;
    register(Asked::<O> {
        fuser,
        operation: PhantomData,
    })
}

/// One of Burn's optimizations, for the devices that fuse.
struct Asked<O> {
    fuser: fn(CubeDevice) -> CubeFuser,
    operation: PhantomData<fn() -> O>,
}

impl<O: FusedOperation> OptimizationProvider for Asked<O> {
    type Operation = O;

    fn fuser(&self, device: &CubeDevice) -> CubeFuser {
        if fuses(device) {
            (self.fuser)(device.clone())
        } else {
            CubeFuser::new(Idle)
        }
    }
}

/// A fuser that leaves transpositions alone: fused, `a + s + sᵀ` of `a` `[n, n]` and `s` `[n, 1]` reads
/// the wrong elements of `sᵀ` (`docs/upstream.md`). Alone they move nothing and start no kernel.
#[derive(Clone)]
struct Straight<F> {
    fuser: F,
    /// Whether a transposition ended it.
    ended: bool,
}

fn straight(fuser: impl OperationFuser<CubeOptimization> + Clone + 'static) -> CubeFuser {
    CubeFuser::new(Straight {
        fuser,
        ended: false,
    })
}

fn transposes(operation: &OperationIr) -> bool {
    matches!(
        operation,
        OperationIr::BaseFloat(BaseOperationIr::SwapDims(_))
            | OperationIr::BaseInt(BaseOperationIr::SwapDims(_))
            | OperationIr::BaseBool(BaseOperationIr::SwapDims(_))
    )
}

impl<F: OperationFuser<CubeOptimization> + Clone + 'static> OperationFuser<CubeOptimization>
    for Straight<F>
{
    fn fuse(&mut self, operation: &OperationIr) {
        self.ended |= transposes(operation);
        if !self.ended {
            self.fuser.fuse(operation);
        }
    }

    fn finish(&mut self) -> CubeOptimization {
        self.fuser.finish()
    }

    fn reset(&mut self) {
        self.ended = false;
        self.fuser.reset();
    }

    fn status(&self) -> FuserStatus {
        if self.ended {
            FuserStatus::Closed
        } else {
            self.fuser.status()
        }
    }

    fn properties(&self) -> FuserProperties {
        self.fuser.properties()
    }

    fn len(&self) -> usize {
        self.fuser.len()
    }

    fn clone_dyn(&self) -> Box<dyn OperationFuser<CubeOptimization>> {
        Box::new(self.clone())
    }
}

/// A fuser that takes no operation.
#[derive(Clone)]
struct Idle;

impl OperationFuser<CubeOptimization> for Idle {
    fn fuse(&mut self, _: &OperationIr) {}

    fn finish(&mut self) -> CubeOptimization {
        unreachable!("it is never ready")
    }

    fn reset(&mut self) {}

    fn status(&self) -> FuserStatus {
        FuserStatus::Closed
    }

    fn properties(&self) -> FuserProperties {
        FuserProperties {
            score: 0,
            ready: false,
        }
    }

    fn len(&self) -> usize {
        0
    }

    fn clone_dyn(&self) -> Box<dyn OperationFuser<CubeOptimization>> {
        Box::new(self.clone())
    }
}
