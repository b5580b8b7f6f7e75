//! Random modules of random operations and sizes: Burn, ONNX Runtime and the ONNX checker must
//! agree on every one; tract and rten, where they run it, on all but what is their own fault.
//! `FLUXO_CASES=10000` tries so many (300 otherwise), `FLUXO_SEED=N` begins at one, and is that one
//! where there is no number.
#![allow(clippy::unwrap_used)]

mod builder;
#[path = "../common/mod.rs"]
mod common;
mod elementwise;
mod extent;
mod generate;
mod index;
#[path = "../judge/mod.rs"]
mod judge;
mod layout;
mod modules;
mod program;
mod quiet;
mod recurrent;
mod reduce;
mod rng;
mod sizes;
mod trial;
mod value;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use judge::Judge;
use trial::{Counts, Outcome};

/// What all the cases together gave.
#[derive(Default)]
struct Tally {
    agree: usize,
    invalid: usize,
    steps: usize,
    operations: Counts,
    refused: Counts,
    /// Those of them that do take another way at some size.
    branching: usize,
    absent: Counts,
    /// Modules that an embedded runtime computes wrongly, though ONNX Runtime does not.
    faulty: Vec<(u64, String)>,
    wrong: Vec<(u64, String)>,
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn random_modules_agree_everywhere() {
    let seed = number("FLUXO_SEED");
    let cases = number("FLUXO_CASES").unwrap_or(if seed.is_some() { 1 } else { 300 });
    let first = seed.unwrap_or(0);
    let last = first + cases;
    let (next, tally) = (AtomicU64::new(first), Mutex::new(Tally::default()));
    let here = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..here.min(4) {
            scope.spawn(|| {
                let Some(mut judge) = Judge::start() else {
                    return;
                };
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= last || tally.lock().unwrap().wrong.len() > 20 {
                        return;
                    }
                    let start = std::time::Instant::now();
                    one(seed, &mut judge, &tally);
                    if start.elapsed().as_secs() >= 10 {
                        println!("FLUXO_SEED={seed} took {:?}", start.elapsed());
                    }
                }
            });
        }
    });
    let tally = tally.into_inner().unwrap();
    let refused: usize = tally.refused.values().sum();
    let tried = tally.agree + refused + tally.wrong.len();
    println!(
        "{tried} modules of {} steps: {} agree, {refused} refused ({} with branches on sizes), {} \
         wrong, {} right in ONNX Runtime and wrong in tract or rten; {} more that Burn does not run",
        tally.steps,
        tally.agree,
        tally.branching,
        tally.wrong.len(),
        tally.faulty.len(),
        tally.invalid
    );
    for (seed, message) in &tally.faulty {
        println!("FLUXO_SEED={seed}: {message}");
    }
    for (what, counts) in [
        ("operations", &tally.operations),
        ("refused", &tally.refused),
        ("not run", &tally.absent),
    ] {
        for (message, count) in counts {
            println!("{what}: {count} × {message}");
        }
    }
    let wrong: Vec<String> = tally
        .wrong
        .iter()
        .map(|(seed, message)| format!("FLUXO_SEED={seed}: {message}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Where ONNX Runtime and the checker agree with Burn, the fault is tract's (products of
    // expanded tensors) or rten's: few.
    assert!(
        tally.faulty.len() * 100 <= tried,
        "{} of {tried} in tract or rten",
        tally.faulty.len()
    );
    // A refusal is for what has no closed form: products and quotients of sizes in odd places; and
    // for what takes another way at some size.
    let refused = refused - tally.branching;
    assert!(refused * 20 <= tried, "{refused} of {tried} refused");
}

fn one(seed: u64, judge: &mut Judge, tally: &Mutex<Tally>) {
    let Some(case) = generate::case(seed) else {
        tally.lock().unwrap().invalid += 1;
        return;
    };
    let outcome = trial::run(judge, &case, &case.program);
    let found = trial::complaint(&outcome);
    let found = found.map(|message| format!("{message}\n{}", trial::shrunk(judge, &case)));
    let mut tally = tally.lock().unwrap();
    match outcome {
        Outcome::Agrees(embedded) => {
            tally.faulty.extend(found.map(|found| (seed, found)));
            tally.agree += 1;
            tally.steps += case.program.steps.len();
            for step in &case.program.steps {
                *tally.operations.entry(step.name.into()).or_default() += 1;
            }
            for (runtime, message) in embedded.absent {
                let message = format!("{runtime}: {}", trial::kind_of(&message));
                *tally.absent.entry(message).or_default() += 1;
            }
        }
        Outcome::Refused(message) => {
            if std::env::var_os("FLUXO_SHOW_REFUSED").is_some() {
                println!("seed {seed}: {message}");
            }
            let mut steps = case.program.steps.iter();
            tally.branching += usize::from(steps.any(|step| step.name == sizes::BRANCH));
            *tally.refused.entry(trial::kind_of(&message)).or_default() += 1;
        }
        Outcome::Invalid => tally.invalid += 1,
        Outcome::Wrong(_) => tally.wrong.extend(found.map(|found| (seed, found))),
    }
}
