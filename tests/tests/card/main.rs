//! What only backends of CubeCL have: operations fused into few kernels, values that are read in the
//! middle of a pass, memory of a device of their own. On software Vulkan counts are those of a card.
#![allow(clippy::unwrap_used)]

mod early;
mod launches;
mod memory;
mod planted;

use fluxo_tests::trial;
use libtest_mimic::Arguments;

/// A check, and what it is called.
type Check = (&'static str, fn() -> Result<(), String>);

const CHECKS: [Check; 6] = [
    (
        "kernels of a pass, a token and an update",
        launches::are_few,
    ),
    ("values that are read early", early::are_right),
    (
        "a column and its transposition",
        early::a_column_and_its_transposition,
    ),
    ("memory while it trains", memory::stays_when_training),
    ("memory while it writes", memory::stays_when_writing),
    ("a wrong kernel is found", planted::is_found),
];

/// In a process with a wrong kernel.
const PLANTED: [Check; 1] = [("a wrong kernel is located", planted::is_located)];

fn main() {
    // Kernels are counted, and memory is held, by the whole process.
    let arguments = Arguments {
        test_threads: Some(1),
        ..Arguments::from_args()
    };
    let needs = fluxo_backends::device("wgpu").map(drop);
    let needs = needs.map_err(|error| error.to_string());
    let checks = if planted::is_here() {
        PLANTED.to_vec()
    } else {
        CHECKS.to_vec()
    };
    let checks = checks.into_iter();
    let trials = checks.map(|(name, check)| trial(name, needs.clone(), check));
    libtest_mimic::run(&arguments, trials.collect()).exit();
}
