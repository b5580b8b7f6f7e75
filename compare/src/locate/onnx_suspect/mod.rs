//! An ONNX file in a runtime, part by part: the values between the parts become outputs of a
//! temporary file, and inputs where parts are fed. The outermost parts run one after the other, so
//! that one of them is loaded at a time.

mod match_names;
mod match_parts;
mod match_values;
mod parts;
mod run;
mod state;

pub use state::OnnxSuspect;
