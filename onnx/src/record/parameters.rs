//! A module's parameters: replaced by empty tensors for a recording, found by path afterwards.

use std::collections::{BTreeMap, BTreeSet};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Bool, DType, Device, Int, Tensor, TensorData};
use burn_capture::TensorId;

use crate::error::{Error, Result, Unsupported};
use crate::graph::build::{Data, DataType};
use crate::graph::quantized::{Quantized, quantized};
use crate::record::module::id_of;
use crate::record::panic_capture::abandon;

/// A parameter, and how it is stored.
pub(crate) enum Parameter {
    /// Its numbers.
    Plain(Data),
    /// 8-bit integers and their scales, which stand for numbers of a type in a shape.
    Quantized {
        stored: Quantized,
        dims: Vec<usize>,
        dtype: DataType,
    },
}

/// The type that weights stored as `dtype` are computed with. No runtime that was measured (ONNX
/// Runtime's CPU provider, tract, rten) computes in bfloat16: it is a type of storage, and the
/// arithmetic is that of 32 bits.
pub(crate) fn computes(dtype: DType) -> DType {
    match dtype {
        DType::BF16 | DType::QFloat(_) => DType::F32,
        dtype => dtype,
    }
}

/// Replaces every parameter by an empty tensor on the capture device, and notes which is which.
pub(crate) struct Replace<'a> {
    device: &'a Device,
    /// The type of floats, where it is not the module's own.
    dtype: Option<DType>,
    path: Vec<String>,
    pub parameters: BTreeMap<TensorId, String>,
}

impl<'a> Replace<'a> {
    pub fn new(device: &'a Device, dtype: Option<DType>) -> Self {
        Self {
            device,
            dtype,
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
        let dtype = computes(self.dtype.unwrap_or(value.dtype()));
        let tensor = Tensor::<D>::empty(value.dims(), (self.device, dtype));
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

/// Finds the parameters with these paths.
struct Find<'a> {
    wanted: &'a BTreeSet<String>,
    dtype: Option<DType>,
    path: Vec<String>,
    found: BTreeMap<String, Parameter>,
    refused: Vec<Unsupported>,
}

impl Find<'_> {
    /// Keeps the tensor, which shares the module's memory, and reads it when it is written.
    fn keep(
        &mut self,
        dtype: DType,
        dims: Vec<usize>,
        read: impl Fn() -> TensorData + Send + Sync + 'static,
    ) {
        let path = self.path.join(".");
        if !self.wanted.contains(&path) {
            return;
        }
        let refusal = match (DataType::of(dtype), dtype) {
            (Some(dtype), _) => {
                let data = Data::lazy(dtype, dims, read);
                self.found.insert(path, Parameter::Plain(data));
                return;
            }
            (None, DType::QFloat(scheme)) => match quantized(&scheme, &dims, read) {
                Ok(stored) => {
                    let dtype = computes(self.dtype.unwrap_or(dtype));
                    let dtype = DataType::of(dtype).unwrap_or(DataType::Float);
                    let parameter = Parameter::Quantized {
                        stored,
                        dims,
                        dtype,
                    };
                    self.found.insert(path, parameter);
                    return;
                }
                Err(reason) => Some(reason),
            },
            (None, _) => None,
        };
        self.refused.push(Unsupported {
            operation: "quantized weight".into(),
            module: path,
            reason: refusal,
        });
    }
}

impl ModuleVisitor for Find<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        let dims = value.dims().to_vec();
        let whole = matches!(value.dtype(), DType::QFloat(_));
        match self.dtype.filter(|dtype| *dtype != value.dtype()) {
            Some(dtype) if !whole => {
                let read = move || value.to_data().convert_dtype(dtype);
                self.keep(dtype, dims, read);
            }
            _ => self.keep(value.dtype(), dims, move || value.to_data()),
        }
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        let value = param.val();
        let dims = value.dims().to_vec();
        self.keep(value.dtype(), dims, move || value.to_data());
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        let value = param.val();
        let dims = value.dims().to_vec();
        self.keep(value.dtype(), dims, move || value.to_data());
    }
}

/// The parameters with these paths, floats in `dtype` where one is given.
///
/// # Errors
/// If some are quantized in a way that has no form in ONNX: all of them are named.
pub(crate) fn read_parameters<M: Module>(
    module: &M,
    wanted: &BTreeSet<String>,
    dtype: Option<DType>,
) -> Result<BTreeMap<String, Parameter>> {
    let mut find = Find {
        wanted,
        dtype,
        path: Vec::new(),
        found: BTreeMap::new(),
        refused: Vec::new(),
    };
    module.visit(&mut find);
    if find.refused.is_empty() {
        Ok(find.found)
    } else {
        Err(Error::Unsupported(find.refused))
    }
}
