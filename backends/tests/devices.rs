//! Every backend of this build computes, or is reported absent by name and counts as ignored;
//! with `FLUXO_REQUIRE_ALL=1` absent is failed.

use burn::tensor::{FloatDType, Tensor};
use fluxo_backends::{BackendKind, Error, device, float_dtypes, statuses};
use libtest_mimic::{Arguments, Failed, Trial};

fn main() {
    let require_all = std::env::var("FLUXO_REQUIRE_ALL").is_ok_and(|value| value == "1");
    let mut trials = vec![
        Trial::test("statuses agree with devices", statuses_agree),
        Trial::test("a backend left out says how to get it", left_out),
        Trial::test("the default is the first usable one", the_default),
    ];
    for status in statuses().into_iter().filter(|status| status.compiled) {
        let absent = !status.usable && !require_all;
        if absent {
            eprintln!(
                "ignored: {}: {}",
                status.name,
                status.reason.as_deref().unwrap_or("no reason given")
            );
        }
        let name = status.name;
        trials.push(
            Trial::test(format!("{name} computes"), move || computes(name))
                .with_ignored_flag(absent),
        );
        trials.push(Trial::test(format!("{name} has no device 99"), move || {
            past_the_end(name)
        }));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn computes(name: &str) -> Result<(), Failed> {
    let device = device(name)?;
    // [2, 2] x [2, 2], whole numbers: exact on every backend.
    let a = Tensor::<2>::from_floats([[1.0, 2.0], [3.0, 4.0]], &device);
    let product = a.clone().matmul(a).into_data().try_to_vec::<f32>()?;
    equal(&product, &vec![7.0, 10.0, 15.0, 22.0])?;
    // The second time it is the same device.
    equal(&fluxo_backends::device(name)?, &device)?;
    if float_dtypes(&device).contains(&FloatDType::F32) {
        Ok(())
    } else {
        Err("no float32".into())
    }
}

fn past_the_end(name: &str) -> Result<(), Failed> {
    match device(&format!("{name}:99")) {
        Err(error @ Error::NotPresent { .. }) => {
            let message = error.to_string();
            let start = format!("backend `{name}:99` is not on this machine: ");
            if message.starts_with(&start) && !message.contains('\n') {
                Ok(())
            } else {
                Err(message.into())
            }
        }
        other => Err(format!("{other:?}").into()),
    }
}

fn left_out() -> Result<(), Failed> {
    for kind in BackendKind::ALL {
        if kind.compiled() {
            continue;
        }
        let name = kind.name();
        let message = match device(name) {
            Err(error) => error.to_string(),
            Ok(device) => return Err(format!("{name} gave {device:?}").into()),
        };
        let expected =
            format!("backend `{name}` is not in this build: rebuild with `--features {name}`");
        equal(&message, &expected)?;
    }
    Ok(())
}

fn statuses_agree() -> Result<(), Failed> {
    let statuses = statuses();
    let names: Vec<_> = statuses.iter().map(|status| status.name).collect();
    equal(&names, &BackendKind::ALL.map(BackendKind::name).to_vec())?;
    for status in &statuses {
        equal(&device(status.name).is_ok(), &status.usable)?;
        if !status.compiled {
            equal(&status.adapters.len(), &0)?;
        }
        // Whoever is not usable says why.
        equal(&(status.usable || status.reason.is_some()), &true)?;
    }
    let json = serde_json::to_value(&statuses)?;
    equal(&json[0]["name"], &"flex".into())
}

fn the_default() -> Result<(), Failed> {
    let default = fluxo_backends::default_name();
    let first = statuses().into_iter().find(|status| status.usable);
    equal(&first.as_ref().map(|status| status.name), &default)?;
    equal(&first.is_none_or(|status| status.default), &true)?;
    if cfg!(feature = "flex") {
        equal(&default, &Some("flex"))?;
    }
    Ok(())
}

fn equal<T: PartialEq + std::fmt::Debug>(found: &T, expected: &T) -> Result<(), Failed> {
    if found == expected {
        Ok(())
    } else {
        Err(format!("found {found:?}, expected {expected:?}").into())
    }
}
