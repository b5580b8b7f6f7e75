//! What a pickle's calls make: dictionaries, storages and tensors.

use std::rc::Rc;

use super::objects::{Global, Id, Object, Storage, Tensor};
use super::pickle::{Machine, Step, broken};

/// The most axes of a tensor.
const MOST_AXES: usize = 16;

impl Machine<'_> {
    /// The object that `callee` makes of `arguments`.
    pub(super) fn call(&mut self, mut callee: Global, mut arguments: Vec<Id>) -> Step<Id> {
        // A tensor with attributes: (function, class, its arguments, attributes).
        while callee == Global::WithAttributes {
            let [function, _, inner, ..] = *arguments else {
                return Err(broken());
            };
            let (Object::Global(function), Object::Tuple(inner)) =
                (&self.all[function], &self.all[inner])
            else {
                return Err(broken());
            };
            (callee, arguments) = (*function, inner.clone());
            self.spend(arguments.len())?;
        }
        let first = arguments.first().copied();
        let made = match (callee, first) {
            (Global::OrderedDict, None) => Object::Dict(Vec::new()),
            // Python 2 wrote its entries as a list of pairs.
            (Global::OrderedDict, Some(list)) => Object::Dict(self.listed_pairs(list)?),
            (Global::Size, Some(sizes)) => return Ok(sizes),
            (Global::Parameter, Some(tensor)) => return Ok(tensor),
            (Global::Tensor, Some(_)) => Object::Tensor(Rc::new(self.tensor(&arguments)?)),
            _ => return Err(broken()),
        };
        Ok(self.make(made))
    }

    /// `(storage, offset, shape, strides, …)`.
    fn tensor(&self, arguments: &[Id]) -> Step<Tensor> {
        let [storage, offset, shape, strides, ..] = *arguments else {
            return Err(broken());
        };
        let Object::Storage(storage) = &self.all[storage] else {
            return Err(broken());
        };
        Ok(Tensor {
            storage: storage.clone(),
            offset: self.count(offset)?,
            shape: self.axes(shape)?,
            strides: self.axes(strides)?,
        })
    }

    /// `('storage', type, key, location, count)` and, in old files, `(key, skipped, count)` of a
    /// part of it.
    pub(super) fn storage(&self, fields: &[Id]) -> Step<Storage> {
        let [tag, kind, key, _, count, ref part @ ..] = *fields else {
            return Err(broken());
        };
        let (Object::Text(tag), Object::Global(Global::Storage(dtype)), Object::Text(key)) =
            (&self.all[tag], &self.all[kind], &self.all[key])
        else {
            return Err(broken());
        };
        if **tag != *"storage" {
            return Err(broken());
        }
        let skipped = match part.first().map(|part| &self.all[*part]) {
            Some(Object::Tuple(part)) => match part[..] {
                [_, skipped, _] => self.count(skipped)?,
                _ => return Err(broken()),
            },
            _ => 0,
        };
        Ok(Storage {
            key: key.clone(),
            dtype: *dtype,
            count: self.count(count)?,
            skipped,
        })
    }

    fn count(&self, id: Id) -> Step<u64> {
        match self.all[id] {
            Object::Int(value) => u64::try_from(value)
                .map_err(|_| format!("has a tensor of size {value}; download the file again")),
            _ => Err(broken()),
        }
    }

    fn axes(&self, id: Id) -> Step<Vec<usize>> {
        let (Object::Tuple(items) | Object::List(items)) = &self.all[id] else {
            return Err(broken());
        };
        if items.len() > MOST_AXES {
            let axes = items.len();
            return Err(format!(
                "has a tensor of {axes} axes, and at most {MOST_AXES} are read"
            ));
        }
        let sizes = items.iter().map(|item| {
            let size = self.count(*item)?;
            usize::try_from(size).map_err(|_| broken())
        });
        sizes.collect()
    }

    fn listed_pairs(&mut self, list: Id) -> Step<Vec<(Id, Id)>> {
        let Object::List(items) = &self.all[list] else {
            return Err(broken());
        };
        let mut found = Vec::with_capacity(items.len());
        for item in items {
            match &self.all[*item] {
                Object::List(pair) | Object::Tuple(pair) => match pair[..] {
                    [key, value] => found.push((key, value)),
                    _ => return Err(broken()),
                },
                _ => return Err(broken()),
            }
        }
        self.spend(found.len())?;
        Ok(found)
    }
}
