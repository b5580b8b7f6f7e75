//! A module's parameters: replaced by empty tensors for a recording, read by path afterwards.

use std::collections::{BTreeMap, BTreeSet};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use burn_capture::TensorId;

use crate::args::id_of;
use crate::error::Error;
use crate::quiet::abandon;

/// Replaces every parameter by an empty tensor on the capture device, and notes which is which.
pub(crate) struct Replace<'a> {
    device: &'a Device,
    path: Vec<String>,
    pub parameters: BTreeMap<TensorId, String>,
}

impl<'a> Replace<'a> {
    pub fn new(device: &'a Device) -> Self {
        Self {
            device,
            path: Vec::new(),
            parameters: BTreeMap::new(),
        }
    }

    fn note(&mut self, id: std::result::Result<TensorId, String>) {
        match id {
            Ok(id) => self.parameters.insert(id, self.path.join(".")),
            Err(reason) => abandon(Error::Capture(format!(
                "parameter `{}` cannot be recorded: {reason}",
                self.path.join(".")
            ))),
        };
    }
}

impl ModuleMapper for Replace<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, value, mapper) = param.consume();
        let tensor = Tensor::<D>::empty(value.dims(), (self.device, value.dtype()));
        self.note(id_of!(tensor));
        Param::from_mapped_value(id, tensor, mapper)
    }

    fn map_int<const D: usize>(&mut self, param: Param<Tensor<D, Int>>) -> Param<Tensor<D, Int>> {
        let (id, value, mapper) = param.consume();
        let tensor = Tensor::<D, Int>::empty(value.dims(), self.device);
        self.note(id_of!(tensor));
        Param::from_mapped_value(id, tensor, mapper)
    }

    fn map_bool<const D: usize>(
        &mut self,
        param: Param<Tensor<D, Bool>>,
    ) -> Param<Tensor<D, Bool>> {
        let (id, value, mapper) = param.consume();
        let tensor = Tensor::<D, Bool>::empty(value.dims(), self.device);
        self.note(id_of!(tensor));
        Param::from_mapped_value(id, tensor, mapper)
    }
}

/// Reads the parameters with these paths.
struct Read<'a> {
    wanted: &'a BTreeSet<String>,
    path: Vec<String>,
    values: BTreeMap<String, TensorData>,
}

impl Read<'_> {
    fn read(&mut self, data: impl FnOnce() -> TensorData) {
        let path = self.path.join(".");
        if self.wanted.contains(&path) {
            self.values.insert(path, data());
        }
    }
}

impl ModuleVisitor for Read<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.read(|| param.val().to_data());
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        self.read(|| param.val().to_data());
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        self.read(|| param.val().to_data());
    }
}

/// The values of the parameters with these paths.
pub(crate) fn read_parameters<M: Module>(
    module: &M,
    wanted: &BTreeSet<String>,
) -> BTreeMap<String, TensorData> {
    let mut read = Read {
        wanted,
        path: Vec::new(),
        values: BTreeMap::new(),
    };
    module.visit(&mut read);
    read.values
}
