//! What is asked of a module and its tensors before they are recorded.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{DType, Tensor};

/// The recorded tensor behind a tensor on the capture device.
macro_rules! id_of {
    ($tensor:expr) => {
        $tensor
            .clone()
            .try_into_primitive::<::burn_capture::CaptureBackend>()
            .map(|primitive| primitive.id())
            .map_err(|error| format!("{error:?}"))
    };
}
pub(crate) use id_of;

/// The type of the module's first float parameter; 32 bits where it has none.
pub(crate) fn float_type<M: Module>(module: &M) -> DType {
    struct First(Option<DType>);
    impl ModuleVisitor for First {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if self.0.is_none() {
                self.0 = Some(param.val().dtype()).filter(|dtype| dtype.is_float());
            }
        }
    }
    let mut first = First(None);
    module.visit(&mut first);
    first.0.unwrap_or(DType::F32)
}
