//! A network's parameters, by the names that a family's tables have.

use std::collections::BTreeMap;

use super::params;
use crate::network::Network;

/// One parameter.
#[derive(Debug, Clone)]
pub(super) struct Parameter {
    /// Its path in the module.
    pub path: String,
    /// The same without the name of an only stack.
    pub plain: String,
    /// Its shape.
    pub shape: Vec<usize>,
}

/// All parameters of a network.
#[derive(Debug)]
pub(super) struct Ours {
    parameters: Vec<Parameter>,
    /// Their numbers, by path and by plain name.
    numbers: BTreeMap<String, usize>,
}

impl Ours {
    /// The parameters of `network`. Fresh weights stay unmade.
    pub fn of(network: &Network) -> Self {
        let parameters: Vec<_> = params::shapes(network)
            .into_iter()
            .map(|(path, shape)| Parameter {
                plain: network.config().parameter(&path).to_string(),
                path,
                shape,
            })
            .collect();
        let mut numbers = BTreeMap::new();
        for (number, parameter) in parameters.iter().enumerate() {
            numbers.insert(parameter.path.clone(), number);
            numbers.insert(parameter.plain.clone(), number);
        }
        Self {
            parameters,
            numbers,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.parameters.len()
    }

    /// Parameter number `number`.
    pub fn get(&self, number: usize) -> &Parameter {
        &self.parameters[number]
    }

    /// The number of the parameter of that path or plain name.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.numbers.get(name).copied()
    }

    /// Path and plain name.
    pub fn names(&self, number: usize) -> [&str; 2] {
        let parameter = self.get(number);
        [&parameter.path, &parameter.plain]
    }
}
