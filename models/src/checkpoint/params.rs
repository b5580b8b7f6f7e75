//! A network's parameters by path.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{DType, Device, Tensor, TensorData};

use crate::error::{Error, Result};
use crate::network::{Network, NetworkConfig};

/// Paths and shapes of the parameters, in the module's order. Fresh weights stay unmade.
pub fn shapes(network: &Network) -> Vec<(String, Vec<usize>)> {
    let mut visitor = Shapes::default();
    network.visit(&mut visitor);
    visitor.found
}

/// Paths and values of the parameters, in float32.
///
/// # Errors
/// When the device cannot give them.
pub fn values(network: &Network) -> Result<Vec<(String, TensorData)>> {
    let mut visitor = Values::default();
    network.visit(&mut visitor);
    match visitor.problem {
        Some(problem) => Err(Error::Config(problem)),
        None => Ok(visitor.found),
    }
}

/// The network with `values` on `device` in place of its own, in the element type `dtype`, but for
/// what a network in it keeps in another ([`NetworkConfig::dtype_of`]). A table
/// of tokens without values is empty: making one up takes long, and it is read whatever runs.
pub fn assign(
    network: Network,
    values: BTreeMap<String, TensorData>,
    device: &Device,
    dtype: DType,
) -> Network {
    let config = network.config().clone();
    network.map(&mut Assign {
        config,
        path: Vec::new(),
        values,
        device: device.clone(),
        dtype,
    })
}

#[derive(Default)]
struct Shapes {
    path: Vec<String>,
    found: Vec<(String, Vec<usize>)>,
}

impl ModuleVisitor for Shapes {
    fn enter_module(&mut self, name: &str, _kind: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _kind: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.found
            .push((self.path.join("."), param.lazy_shape().to_vec()));
    }
}

#[derive(Default)]
struct Values {
    path: Vec<String>,
    found: Vec<(String, TensorData)>,
    problem: Option<String>,
}

impl ModuleVisitor for Values {
    fn enter_module(&mut self, name: &str, _kind: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _kind: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let path = self.path.join(".");
        match param.val().try_into_data() {
            Ok(data) => self.found.push((path, data.convert::<f32>())),
            Err(e) => self.problem = Some(format!("{path}: {e}")),
        }
    }
}

struct Assign {
    config: NetworkConfig,
    path: Vec<String>,
    values: BTreeMap<String, TensorData>,
    device: Device,
    dtype: DType,
}

impl ModuleMapper for Assign {
    fn enter_module(&mut self, name: &str, _kind: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _kind: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let path = self.path.join(".");
        match self.values.remove(&path) {
            Some(data) => {
                let dtype = self.config.dtype_of(&path, self.dtype);
                if dtype != DType::F32 {
                    let data = data.convert_dtype(dtype);
                    let value = Tensor::from_data(data, (&self.device, dtype));
                    return Param::from_tensor(value);
                }
                let mut fresh = Param::from_data(data, &self.device);
                fresh.id = param.id;
                fresh
            }
            None if path.ends_with(super::TOKENS) => {
                let shape = param.lazy_shape();
                // Zeros of the system's, which hold no memory until they are written.
                let empty = TensorData::new(vec![0_f32; shape.num_elements()], shape);
                let empty = empty.convert_dtype(self.dtype);
                Param::from_tensor(Tensor::from_data(empty, (&self.device, self.dtype)))
            }
            None => param,
        }
    }
}
