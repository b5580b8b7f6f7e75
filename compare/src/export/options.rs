//! What is exported, and how.

use std::collections::BTreeMap;

use fluxo_onnx::Target;

use super::taps::TapChoice;

/// What is exported, and how.
#[derive(Debug, Clone)]
pub struct ExportOptions {
    /// The version of ONNX's operators, from 17 to 24.
    pub opset: i64,
    /// Where the file will run; [`Target::opset`] serves it best.
    pub target: Target,
    /// The largest file, in bytes, that holds its weights itself.
    pub external_over: usize,
    /// Pairs stored in the files, beside the configuration and what the check found.
    pub metadata: BTreeMap<String, String>,
    /// Whether a decoder takes and gives its cache. With one, an encoder-decoder becomes two
    /// files, an encoder's and a decoder's; without, one that reads both texts whole.
    pub cache: bool,
    /// Whether the file is run and compared before it is published.
    pub verify: bool,
    /// Whether it is published, and marked, where that does not hold.
    pub keep: bool,
    /// Height and width of the images that the file reads; the configuration's where it is
    /// `None`.
    pub image_size: Option<[usize; 2]>,
    /// Taps of the residual stream among the outputs.
    pub taps: TapChoice,
    /// Whether the hidden states of every layer are among the outputs.
    pub hidden_states: bool,
    /// Sizes that are fixed, by name: `batch`, `sequence` and so on.
    pub static_sizes: BTreeMap<String, usize>,
    /// Whether positions are an input, `position_ids` of `[batch, sequence]`; without it the file
    /// counts them itself.
    pub position_ids: bool,
}

impl Default for ExportOptions {
    fn default() -> Self {
        Self {
            opset: Target::Any.opset(),
            target: Target::Any,
            external_over: usize::MAX,
            metadata: BTreeMap::new(),
            cache: true,
            verify: true,
            keep: false,
            image_size: None,
            taps: TapChoice::None,
            hidden_states: false,
            static_sizes: BTreeMap::new(),
            position_ids: false,
        }
    }
}
