//! The element types of a file.

use burn::tensor::DType;

/// The element types of a file, by their ONNX numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(i32)]
#[allow(missing_docs)]
pub enum DataType {
    Float = 1,
    Uint8 = 2,
    Int8 = 3,
    Uint16 = 4,
    Int16 = 5,
    Int32 = 6,
    Int64 = 7,
    Bool = 9,
    Float16 = 10,
    Double = 11,
    Uint32 = 12,
    Uint64 = 13,
    BFloat16 = 16,
}

impl DataType {
    /// The type that a recorded tensor has in the file; none for quantized ones.
    pub(crate) fn of(dtype: DType) -> Option<Self> {
        Some(match dtype {
            DType::F64 => Self::Double,
            DType::F32 | DType::Flex32 => Self::Float,
            DType::F16 => Self::Float16,
            DType::BF16 => Self::BFloat16,
            DType::I64 => Self::Int64,
            DType::I32 => Self::Int32,
            DType::I16 => Self::Int16,
            DType::I8 => Self::Int8,
            DType::U64 => Self::Uint64,
            DType::U32 => Self::Uint32,
            DType::U16 => Self::Uint16,
            DType::U8 => Self::Uint8,
            DType::Bool(_) => Self::Bool,
            DType::QFloat(_) => return None,
        })
    }

    /// Whether the type is a float.
    pub fn is_float(self) -> bool {
        matches!(
            self,
            Self::Float | Self::Double | Self::Float16 | Self::BFloat16
        )
    }

    /// Whether the type is a float of 16 bits.
    pub fn is_half(self) -> bool {
        matches!(self, Self::Float16 | Self::BFloat16)
    }

    /// Bytes an element takes.
    pub fn size(self) -> usize {
        match self {
            Self::Uint8 | Self::Int8 | Self::Bool => 1,
            Self::Uint16 | Self::Int16 | Self::Float16 | Self::BFloat16 => 2,
            Self::Float | Self::Int32 | Self::Uint32 => 4,
            Self::Int64 | Self::Double | Self::Uint64 => 8,
        }
    }
}
