//! Tensors whose kind and rank are known at run time only.

use burn::tensor::{Bool, Int, Shape, Tensor, TensorData};

/// A tensor of one to four axes.
#[derive(Clone)]
pub enum Rank<A, B, C, D> {
    R1(A),
    R2(B),
    R3(C),
    R4(D),
}
pub type Floats = Rank<Tensor<1>, Tensor<2>, Tensor<3>, Tensor<4>>;
pub type Ints = Rank<Tensor<1, Int>, Tensor<2, Int>, Tensor<3, Int>, Tensor<4, Int>>;
pub type Bools = Rank<Tensor<1, Bool>, Tensor<2, Bool>, Tensor<3, Bool>, Tensor<4, Bool>>;

/// A tensor of any kind.
#[derive(Clone)]
pub enum Value {
    F(Floats),
    I(Ints),
    B(Bools),
}

/// The result of an operation on a tensor of any rank, which keeps its rank.
macro_rules! each {
    ($rank:expr, $t:ident => $body:expr) => {
        match $rank {
            Rank::R1($t) => Rank::R1($body),
            Rank::R2($t) => Rank::R2($body),
            Rank::R3($t) => Rank::R3($body),
            Rank::R4($t) => Rank::R4($body),
        }
    };
}

/// The same of two tensors of the same rank.
macro_rules! both {
    ($a:expr, $b:expr, $x:ident, $y:ident => $body:expr) => {
        match ($a, $b) {
            (Rank::R1($x), Rank::R1($y)) => Rank::R1($body),
            (Rank::R2($x), Rank::R2($y)) => Rank::R2($body),
            (Rank::R3($x), Rank::R3($y)) => Rank::R3($body),
            (Rank::R4($x), Rank::R4($y)) => Rank::R4($body),
            _ => unreachable!("operands of the same rank"),
        }
    };
}

/// The same of a tensor of any kind.
macro_rules! every {
    ($value:expr, $t:ident => $body:expr) => {
        match $value {
            Value::F(rank) => Value::F($crate::value::each!(rank, $t => $body)),
            Value::I(rank) => Value::I($crate::value::each!(rank, $t => $body)),
            Value::B(rank) => Value::B($crate::value::each!(rank, $t => $body)),
        }
    };
}

/// Something read off a tensor of any rank.
macro_rules! read {
    ($rank:expr, $t:ident => $body:expr) => {
        match $rank {
            Rank::R1($t) => $body,
            Rank::R2($t) => $body,
            Rank::R3($t) => $body,
            Rank::R4($t) => $body,
        }
    };
}

/// A tensor in another shape, by a method that takes one: `reshape`, `expand`.
macro_rules! to_shape {
    ($value:expr, $dims:expr, $method:ident) => {
        match $value {
            Value::F(rank) => Value::F(read!(rank, t => to_shape!(@ t, $dims, $method))),
            Value::I(rank) => Value::I(read!(rank, t => to_shape!(@ t, $dims, $method))),
            Value::B(rank) => Value::B(read!(rank, t => to_shape!(@ t, $dims, $method))),
        }
    };
    (@ $t:expr, $dims:expr, $method:ident) => {
        match $dims.len() {
            1 => Rank::R1($t.$method::<1, Shape>(Shape::from($dims))),
            2 => Rank::R2($t.$method::<2, Shape>(Shape::from($dims))),
            3 => Rank::R3($t.$method::<3, Shape>(Shape::from($dims))),
            _ => Rank::R4($t.$method::<4, Shape>(Shape::from($dims))),
        }
    };
}
pub(crate) use {both, each, every, read};

/// The kind of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    F,
    I,
    B,
}

impl Value {
    pub fn kind(&self) -> Kind {
        match self {
            Self::F(_) => Kind::F,
            Self::I(_) => Kind::I,
            Self::B(_) => Kind::B,
        }
    }

    pub fn dims(&self) -> Vec<usize> {
        match self {
            Self::F(rank) => read!(rank, t => t.dims().to_vec()),
            Self::I(rank) => read!(rank, t => t.dims().to_vec()),
            Self::B(rank) => read!(rank, t => t.dims().to_vec()),
        }
    }

    pub fn data(&self) -> TensorData {
        match self {
            Self::F(rank) => read!(rank, t => t.to_data()),
            Self::I(rank) => read!(rank, t => t.to_data()),
            // Some operations on booleans give Burn's bytes of another type.
            Self::B(rank) => read!(rank, t => {
                let data = t.to_data();
                TensorData::new(data.iter::<bool>().collect::<Vec<_>>(), data.shape().clone())
            }),
        }
    }

    pub fn numbers(&self) -> Vec<f64> {
        self.data().iter::<f64>().collect()
    }

    pub fn f(self) -> Floats {
        match self {
            Self::F(rank) => rank,
            _ => unreachable!("a float"),
        }
    }

    pub fn i(self) -> Ints {
        match self {
            Self::I(rank) => rank,
            _ => unreachable!("an integer"),
        }
    }

    pub fn b(self) -> Bools {
        match self {
            Self::B(rank) => rank,
            _ => unreachable!("a boolean"),
        }
    }

    /// Burn takes a length of 0 for "as before": no empty axis may be in it.
    pub fn reshape(self, dims: Vec<usize>) -> Self {
        assert!(!dims.contains(&0) && !self.dims().contains(&0));
        to_shape!(self, dims, reshape)
    }

    pub fn expand(self, dims: Vec<usize>) -> Self {
        to_shape!(self, dims, expand)
    }
}

macro_rules! from {
    ($($variant:ident $kind:ty, $rank:ident $axes:literal;)*) => {$(
        impl From<Tensor<$axes, $kind>> for Value {
            fn from(tensor: Tensor<$axes, $kind>) -> Self {
                Self::$variant(Rank::$rank(tensor))
            }
        }
    )*};
}
from! {
    F burn::tensor::Float, R1 1; F burn::tensor::Float, R2 2;
    F burn::tensor::Float, R3 3; F burn::tensor::Float, R4 4;
    I Int, R1 1; I Int, R2 2; I Int, R3 3; I Int, R4 4;
    B Bool, R1 1; B Bool, R2 2; B Bool, R3 3; B Bool, R4 4;
}

/// A tensor of exactly this rank.
macro_rules! only {
    ($rank:expr, $variant:ident) => {
        match $rank {
            Rank::$variant(t) => t,
            _ => unreachable!("a tensor of that rank"),
        }
    };
}
pub(crate) use only;
