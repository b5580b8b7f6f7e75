//! What a pickle of tensors is made of.

use std::rc::Rc;

use burn::tensor::{BoolStore, DType};

use super::one_line;

/// An object's number in the order in which they were made. Objects refer to each other by it,
/// so that one that is used twice is not copied, and none can be nested too deeply to drop.
pub(super) type Id = usize;

/// An object of a pickle.
#[derive(Debug, Clone)]
pub(super) enum Object {
    /// Something that says nothing about tensors: nothing, a number with a point, bytes.
    Other,
    Bool(bool),
    Int(i128),
    Text(Rc<str>),
    /// A list or a set.
    List(Vec<Id>),
    Tuple(Vec<Id>),
    /// A dictionary's keys and values in their order; a key that was set twice is there twice.
    Dict(Vec<(Id, Id)>),
    Global(Global),
    Storage(Rc<Storage>),
    Tensor(Rc<Tensor>),
}

/// The names that a pickle of tensors refers to. All others are refused, so that no file gets
/// further by what it would have Python do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Global {
    OrderedDict,
    Size,
    /// `_rebuild_tensor` and `_rebuild_tensor_v2`.
    Tensor,
    /// `_rebuild_parameter` and `_rebuild_parameter_with_state`.
    Parameter,
    /// `_rebuild_from_type_v2`: a tensor with attributes, which are left out.
    WithAttributes,
    /// A class that is only named.
    Class,
    /// A storage of such elements.
    Storage(DType),
}

impl Global {
    /// What `module.name` stands for.
    pub fn find(module: &str, name: &str) -> Result<Self, String> {
        Ok(match (module, name) {
            ("collections", "OrderedDict") => Self::OrderedDict,
            ("torch", "Size") => Self::Size,
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Self::Tensor,
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => {
                Self::Parameter
            }
            ("torch._tensor", "_rebuild_from_type_v2") => Self::WithAttributes,
            ("torch", "Tensor") | ("torch.nn.parameter", "Parameter") => Self::Class,
            ("torch", "DoubleStorage") => Self::Storage(DType::F64),
            ("torch", "FloatStorage") => Self::Storage(DType::F32),
            ("torch", "HalfStorage") => Self::Storage(DType::F16),
            ("torch", "BFloat16Storage") => Self::Storage(DType::BF16),
            ("torch", "LongStorage") => Self::Storage(DType::I64),
            ("torch", "IntStorage") => Self::Storage(DType::I32),
            ("torch", "ShortStorage") => Self::Storage(DType::I16),
            ("torch", "CharStorage") => Self::Storage(DType::I8),
            ("torch", "ByteStorage") => Self::Storage(DType::U8),
            ("torch", "BoolStorage") => Self::Storage(DType::Bool(BoolStore::Native)),
            _ => {
                let full = one_line(&format!("{module}.{name}"));
                return Err(match module.split('.').next() {
                    Some("torch") => {
                        format!("holds {full}, which is not read; save it as safetensors")
                    }
                    _ => format!("holds code ({full}), which is not run; save it as safetensors"),
                });
            }
        })
    }
}

/// Elements in a file, as a pickle refers to them.
#[derive(Debug)]
pub(super) struct Storage {
    /// Its name in the file.
    pub key: Rc<str>,
    pub dtype: DType,
    /// Elements it has.
    pub count: u64,
    /// Elements of it that come before those that tensors count from.
    pub skipped: u64,
}

/// A tensor: a view of a storage.
#[derive(Debug)]
pub(super) struct Tensor {
    pub storage: Rc<Storage>,
    /// Elements of the storage before its first.
    pub offset: u64,
    pub shape: Vec<usize>,
    /// Elements of the storage from one index of each axis to the next.
    pub strides: Vec<usize>,
}

/// Tensors and their names.
pub(super) type Named = Vec<(Rc<str>, Rc<Tensor>)>;

/// The objects of one pickle.
#[derive(Debug)]
pub(super) struct Objects {
    /// Each object at the place of its number.
    pub all: Vec<Object>,
    /// The one that was pickled.
    pub root: Id,
}

impl Objects {
    /// The tensors of a state dict, by name: those of the root or, where it has none itself, of
    /// what it calls `state_dict` or `model`, as training scripts do.
    pub fn state_dict(&self) -> Result<Named, String> {
        let of_root = self.tensors(self.root);
        if !of_root.is_empty() {
            return Ok(of_root);
        }
        ["state_dict", "model"]
            .iter()
            .filter_map(|key| self.value(self.root, key))
            .map(|id| self.tensors(id))
            .find(|tensors| !tensors.is_empty())
            .ok_or_else(|| {
                "holds no tensors by name, nor do `state_dict` or `model` in it; save the model's \
                 state_dict"
                    .into()
            })
    }

    /// The tensors that dictionary `id` holds under names.
    fn tensors(&self, id: Id) -> Named {
        let entries = self.entries(id);
        let tensors = entries.filter_map(|(name, value)| match value {
            Object::Tensor(tensor) => Some((name.clone(), tensor.clone())),
            _ => None,
        });
        tensors.collect()
    }

    /// What dictionary `id` holds under the text `key`.
    pub fn value(&self, id: Id, key: &str) -> Option<Id> {
        let Object::Dict(pairs) = self.all.get(id)? else {
            return None;
        };
        let found = pairs.iter().rev().find(
            |(name, _)| matches!(self.all.get(*name), Some(Object::Text(name)) if **name == *key),
        );
        found.map(|(_, value)| *value)
    }

    fn entries(&self, id: Id) -> impl Iterator<Item = (&Rc<str>, &Object)> {
        let pairs = match self.all.get(id) {
            Some(Object::Dict(pairs)) => pairs.as_slice(),
            _ => &[],
        };
        pairs.iter().filter_map(|(name, value)| {
            match (self.all.get(*name)?, self.all.get(*value)?) {
                (Object::Text(name), value) => Some((name, value)),
                _ => None,
            }
        })
    }
}
