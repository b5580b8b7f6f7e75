//! A wrong kernel of a device: whoever compares is told that it is the device, and where.

use std::process::Command;

use fluxo_compare::Comparison;
use fluxo_compare::report::Severity;

/// What plants it, in a build with debug assertions.
const PLANTED: &str = "FLUXO_PLANTED";

/// Whether this process is the one with the wrong kernel.
pub fn is_here() -> bool {
    std::env::var_os(PLANTED).is_some()
}

/// In a process of its own, [`is_located`].
pub fn is_found() -> Result<(), String> {
    let this = std::env::current_exe().map_err(|e| e.to_string())?;
    let ran = Command::new(this).env(PLANTED, "1").output();
    let ran = ran.map_err(|e| e.to_string())?;
    if ran.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&ran.stdout).into_owned())
    }
}

/// The device's attention is a bug in every layer and nothing else is; flex has none.
pub fn is_located() -> Result<(), String> {
    let model = fluxo_tests::fixture("hf/bert");
    let comparison = Comparison::of([model]).on(["flex", "wgpu"]).locate();
    let report = comparison.run().map_err(|e| e.to_string())?.report;
    let wrong = |runner: &str| {
        let mut all = report.assessments.iter();
        all.find(|found| found.runner == runner)
            .is_some_and(|found| matches!(found.finding, Severity::Bug | Severity::Drift))
    };
    let mut locations = report.locations.iter();
    let place = locations.find(|location| location.runner == "wgpu");
    let path = place.and_then(|location| location.path.as_deref());
    let attention = path.is_some_and(|path| path.ends_with("layers.0.attention"));
    if !wrong("flex") && wrong("wgpu") && attention {
        Ok(())
    } else {
        Err(report.to_string())
    }
}
