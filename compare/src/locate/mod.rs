//! Where a difference begins.
//!
//! The referee's model runs in float64 and says what each part of it reads and writes. A suspect,
//! another model or the same one elsewhere, runs twice: as it is, which shows the error that has
//! gathered at each part, and with every part fed what the referee's part reads (teacher forcing),
//! which shows the part's own error. The own error stands against the part's own rounding, measured
//! with the same inputs as [`referee`](crate::referee) measures that of the whole model. The part
//! whose own error rounding does not explain is at fault, however small its effect is at the end;
//! the others carry the error on.
//!
//! Parts are looked at level by level: the blocks and what stands around them, then the parts of
//! one block, then theirs. Beside the weights only the values of one level are held, and the weights
//! are brought into float64 one block at a time. Of checkpoints on disk one is in memory at a time;
//! within a block, that block of each.

mod backend_suspect;
mod bisect;
mod model_source;
mod onnx_suspect;
mod reference;
mod search;
mod suspect;

pub use backend_suspect::BackendSuspect;
pub use bisect::bisect;
pub use fluxo_verify::report::{Location, PartError};
pub use onnx_suspect::OnnxSuspect;
pub use search::Locator;
pub use suspect::{ForcedInputs, ProbeRequest, Suspect};
