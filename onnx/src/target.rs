//! Which forms a file takes, by where it will run. What a runtime does with a form was measured:
//! `tests/targets.rs` repeats it for the embedded ones, the project's own tests for ONNX Runtime.

use burn::tensor::DType;

use crate::error::{Error, Result};

/// Where a file will run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Target {
    /// Anywhere: plain operators of set 18, which every runtime has.
    #[default]
    Any,
    /// ONNX Runtime 1.32 on CPUs, set 24: all but `Swish`, which took three times as long as its
    /// parts. `Attention` took a fifth to a half of their time, `RMSNormalization` under a half,
    /// `Gelu` by its tangent a tenth. What bias and residual are added by decides whether the norm
    /// behind them is joined to an operator that takes six times as long.
    Ort,
    /// tract 0.23, set 23: all but `Swish`, whose `alpha` it reads as 1, and `Attention`: it takes
    /// no boolean mask, and gives NaN for some rows under a mask of numbers. Its `LSTM`, `GRU` and
    /// `RNN` of one direction go forwards whatever their attribute says.
    Tract,
    /// rten 0.27, set 24: all of them, and `Loop` where others take `Scan`. It has no `RNN`, and no
    /// `GRU` that resets the state before its product.
    Rten,
    /// onnxruntime-web: as anywhere.
    Web,
}

/// Which operators are written as one node where they could be several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Forms {
    pub gelu: bool,
    pub swish: bool,
    pub rms_norm: bool,
    pub rotary: bool,
    pub attention: bool,
    /// `Sum` of bias and residual.
    pub sums: bool,
    /// `Loop` for `Scan`.
    pub counted: bool,
    /// `RNN`, and `GRU` that resets the state before its product.
    pub rnn: bool,
    /// `LSTM`, `GRU` and `RNN` from the end of a sequence to its beginning.
    pub backwards: bool,
}

impl Target {
    /// Every target.
    pub const ALL: [Self; 5] = [Self::Any, Self::Ort, Self::Tract, Self::Rten, Self::Web];

    /// Its name on a command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Ort => "ort",
            Self::Tract => "tract",
            Self::Rten => "rten",
            Self::Web => "web",
        }
    }

    /// The operator set that serves it best.
    pub fn opset(self) -> i64 {
        match self {
            Self::Any | Self::Web => 18,
            Self::Tract => 23,
            Self::Rten | Self::Ort => 24,
        }
    }

    /// Refuses a float type of weights that is not served, or that the target does not read.
    pub(crate) fn check(self, dtype: DType) -> Result<()> {
        let name = format!("dtype {dtype:?}");
        match (dtype, self) {
            (DType::BF16, Self::Tract | Self::Rten) => Err(Error::Option(format!(
                "{name}: {self} reads no such weights; F16 takes as much room"
            ))),
            (DType::F64 | DType::F32 | DType::F16 | DType::BF16, _) => Ok(()),
            _ => Err(Error::Option(format!(
                "{name}: F64, F32, F16 and BF16 are served"
            ))),
        }
    }

    /// The forms that it runs well, of those that a set has.
    pub(crate) fn forms(self, opset: i64) -> Forms {
        let all = Forms {
            gelu: true,
            swish: true,
            rms_norm: true,
            rotary: true,
            attention: true,
            sums: false,
            counted: false,
            rnn: true,
            backwards: true,
        };
        let runs = match self {
            Self::Any | Self::Web => Forms {
                rnn: true,
                ..Forms::default()
            },
            Self::Ort => Forms {
                swish: false,
                sums: true,
                ..all
            },
            Self::Tract => Forms {
                swish: false,
                attention: false,
                backwards: false,
                ..all
            },
            Self::Rten => Forms {
                counted: true,
                rnn: false,
                ..all
            },
        };
        Forms {
            gelu: runs.gelu && opset >= 20,
            swish: runs.swish && opset >= 24,
            rms_norm: runs.rms_norm && opset >= 23,
            rotary: runs.rotary && opset >= 23,
            attention: runs.attention && opset >= 23,
            sums: runs.sums,
            counted: runs.counted,
            rnn: runs.rnn,
            backwards: runs.backwards,
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Target {
    type Err = String;

    fn from_str(name: &str) -> std::result::Result<Self, String> {
        let found = Self::ALL.into_iter().find(|target| target.name() == name);
        found.ok_or_else(|| "the targets are any, ort, tract, rten and web".into())
    }
}
