//! The names of backends and their devices: `flex`, `wgpu`, `cuda:1`, `wgpu:unfused`.

use std::{fmt, str::FromStr};

use crate::Error;

/// A backend that Burn has and this project knows, compiled in or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BackendKind {
    /// Burn's own CPU backend.
    Flex,
    /// The older CPU backend, on the `ndarray` crate.
    NdArray,
    /// wgpu on the graphics API it finds best.
    Wgpu,
    /// wgpu on Vulkan, its shaders compiled to SPIR-V.
    Vulkan,
    /// wgpu on Metal, its shaders compiled to MSL.
    Metal,
    /// NVIDIA cards.
    Cuda,
    /// AMD cards.
    Rocm,
    /// CubeCL's compiler for the CPU.
    Cpu,
}

impl BackendKind {
    /// All of them, in the order in which they are listed and a default is looked for.
    pub const ALL: [Self; 8] = [
        Self::Flex,
        Self::NdArray,
        Self::Wgpu,
        Self::Vulkan,
        Self::Metal,
        Self::Cuda,
        Self::Rocm,
        Self::Cpu,
    ];

    /// The name on the command line, also that of the cargo feature.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flex => "flex",
            Self::NdArray => "ndarray",
            Self::Wgpu => "wgpu",
            Self::Vulkan => "vulkan",
            Self::Metal => "metal",
            Self::Cuda => "cuda",
            Self::Rocm => "rocm",
            Self::Cpu => "cpu",
        }
    }

    /// Whether this build holds it.
    pub const fn compiled(self) -> bool {
        match self {
            Self::Flex => cfg!(feature = "flex"),
            Self::NdArray => cfg!(feature = "ndarray"),
            Self::Wgpu => cfg!(feature = "wgpu"),
            Self::Vulkan => cfg!(feature = "vulkan"),
            Self::Metal => cfg!(feature = "metal"),
            Self::Cuda => cfg!(feature = "cuda"),
            Self::Rocm => cfg!(feature = "rocm"),
            Self::Cpu => cfg!(feature = "cpu"),
        }
    }

    /// Whether it runs on graphics cards (a software adapter of theirs counts as one).
    pub const fn is_gpu(self) -> bool {
        match self {
            Self::Flex | Self::NdArray | Self::Cpu => false,
            Self::Wgpu | Self::Vulkan | Self::Metal | Self::Cuda | Self::Rocm => true,
        }
    }

    /// Whether it fuses operations into few kernels, as all of CubeCL's do.
    pub const fn fuses(self) -> bool {
        match self {
            Self::Flex | Self::NdArray => false,
            Self::Wgpu | Self::Vulkan | Self::Metal | Self::Cuda | Self::Rocm | Self::Cpu => true,
        }
    }
}

/// A backend and which of its devices: `cuda:1`. Without an index the first is meant, so `cuda`
/// and `cuda:0` are equal. With `:unfused` behind it every operation is a kernel of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BackendName {
    /// The backend.
    pub kind: BackendKind,
    /// Its device, counted from 0 in the order of [`Status::adapters`](crate::Status::adapters).
    pub index: usize,
    /// Whether the device goes without the backend's fusion of operations.
    pub unfused: bool,
}

/// What stands behind the name of a device that goes without fusion.
const UNFUSED: &str = "unfused";

impl BackendName {
    /// The first device of `kind`, as the backend has it.
    pub(crate) const fn first(kind: BackendKind) -> Self {
        Self {
            kind,
            index: 0,
            unfused: false,
        }
    }
}

impl fmt::Display for BackendName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        if self.index > 0 {
            write!(f, ":{}", self.index)?;
        }
        if self.unfused {
            write!(f, ":{UNFUSED}")?;
        }
        Ok(())
    }
}

impl FromStr for BackendName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (device, unfused) = match text.rsplit_once(':') {
            Some((device, UNFUSED)) => (device, true),
            _ => (text, false),
        };
        let (base, index) = match device.split_once(':') {
            Some((base, index)) => (base, Some(index)),
            None => (device, None),
        };
        let kind = BackendKind::ALL
            .into_iter()
            .find(|kind| kind.name() == base)
            .ok_or_else(|| Error::Unknown {
                name: text.to_owned(),
                hint: hint(base),
            })?;
        let index = match index {
            None => 0,
            Some(index) => index.parse().map_err(|_| Error::Index {
                name: text.to_owned(),
                index: index.to_owned(),
                kind: kind.name(),
            })?,
        };
        if unfused && !kind.fuses() {
            return Err(Error::FusesNothing {
                name: text.to_owned(),
                kind: kind.name(),
            });
        }
        Ok(Self {
            kind,
            index,
            unfused,
        })
    }
}

/// The known name nearest to `base`, or all of them where none is near.
fn hint(base: &str) -> String {
    let base = base.to_lowercase();
    let names = BackendKind::ALL.map(BackendKind::name);
    let nearest = names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&base, name), name))
        .min();
    match nearest {
        // More than half of the name wrong is no longer a slip of the hand.
        Some((slips, name)) if slips * 2 <= name.len() => format!("did you mean `{name}`?"),
        _ => format!("write one of {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_name_reads_back() {
        for kind in BackendKind::ALL {
            for index in [0, 1, 12] {
                for unfused in [false, kind.fuses()] {
                    let name = BackendName {
                        kind,
                        index,
                        unfused,
                    };
                    assert_eq!(name.to_string().parse::<BackendName>().unwrap(), name);
                }
            }
        }
    }

    #[test]
    fn without_fusion_is_another_device_of_what_fuses() {
        let name: BackendName = "wgpu:1:unfused".parse().unwrap();
        assert!(name.unfused && name.index == 1);
        assert_ne!("wgpu:unfused".parse::<BackendName>(), "wgpu".parse());
        let message = "flex:unfused"
            .parse::<BackendName>()
            .unwrap_err()
            .to_string();
        assert_eq!(
            message,
            "backend `flex:unfused`: `flex` fuses nothing anyway; write `flex`"
        );
        let message = "wgpu:unfused:1"
            .parse::<BackendName>()
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("`unfused:1` is not a device index"),
            "{message}"
        );
    }

    #[test]
    fn without_an_index_the_first_is_meant() {
        let first: BackendName = "cuda:0".parse().unwrap();
        assert_eq!("cuda".parse::<BackendName>().unwrap(), first);
        assert_eq!(first.to_string(), "cuda");
        assert_eq!("wgpu:1".parse::<BackendName>().unwrap().index, 1);
    }

    #[test]
    fn a_slip_of_the_hand_is_mended() {
        for (typed, meant) in [
            ("wgup", "wgpu"),
            ("WGPU", "wgpu"),
            ("vulcan:1", "vulkan"),
            ("nd-array", "ndarray"),
            ("cude:0", "cuda"),
            ("flx", "flex"),
            ("rcom", "rocm"),
        ] {
            let message = typed.parse::<BackendName>().unwrap_err().to_string();
            assert_eq!(
                message,
                format!("unknown backend `{typed}`: did you mean `{meant}`?")
            );
        }
    }

    #[test]
    fn a_name_like_none_lists_them_all() {
        for typed in ["tensorflow", "", ":1"] {
            let message = typed.parse::<BackendName>().unwrap_err().to_string();
            assert_eq!(
                message,
                format!(
                    "unknown backend `{typed}`: write one of flex, ndarray, wgpu, vulkan, metal, \
                     cuda, rocm, cpu"
                )
            );
        }
    }

    #[test]
    fn an_index_is_a_number() {
        for index in ["x", "", "-1", "1:2", "99999999999999999999999"] {
            let message = format!("cuda:{index}")
                .parse::<BackendName>()
                .unwrap_err()
                .to_string();
            assert_eq!(
                message,
                format!(
                    "backend `cuda:{index}`: `{index}` is not a device index; write a number, as \
                     in `cuda:0`"
                )
            );
        }
    }
}
