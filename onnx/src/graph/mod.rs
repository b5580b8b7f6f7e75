//! The graph that is being put together, and what is done to it before it is written.

pub mod build;
pub mod check;
pub mod data;
mod data_type;
pub mod opset;
pub mod quantized;
pub mod rewrite;

pub use data_type::DataType;
