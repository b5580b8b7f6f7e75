//! Lengths that are not sums of sizes: what random modules found wrong once, and what is refused.
#![allow(clippy::unwrap_used)]

mod common;

use burn::module::Module;
use burn::tensor::{Bool, Slice, Tensor};
use common::{ALL, agree, floats, inputs};
use fluxo_onnx::{Args, Error, Input, Options, Outputs, Spec, export};

/// A module without weights.
#[derive(Module, Debug)]
struct Nothing;

fn spec() -> Spec {
    Spec::new("lengths")
        .input(Input::float("x", ["batch", "sequence"]))
        .input(Input::float("y", ["batch", "past"]))
}

/// Burn and the embedded runtimes at sizes that no trace had, even and odd.
fn check(name: &str, forward: impl Fn(Tensor<2>, Tensor<2>) -> Outputs) {
    let cases = [(2, 1, 1), (3, 2, 5), (6, 9, 3), (9, 14, 2), (13, 15, 8)];
    let cases = cases.map(|(batch, sequence, past)| {
        let (x, y) = (floats(&[batch, sequence], 1), floats(&[batch, past], 2));
        inputs([("x", x), ("y", y)])
    });
    let run = |_: &Nothing, args: &mut Args| forward(args.float("x"), args.float("y"));
    agree(name, &Nothing, &spec(), &ALL, 1e-5, run, &cases).unwrap();
}

fn f<const D: usize>(tensor: Tensor<D>) -> Outputs {
    Outputs::new().float("out", tensor)
}

#[test]
fn halves_add_up() {
    check("two halves", |x, _| {
        let [batch, _] = x.dims();
        let half = x.clone().slice_dim(0, 0..batch / 2);
        let rest = x.slice_dim(0, batch / 2..batch);
        f(Tensor::cat(vec![half.neg(), rest], 0))
    });
    check("twice a half", |x, _| {
        let steps = x.slice_dim(0, Slice::new(1, None, 2));
        f(Tensor::cat(vec![steps.clone(), steps], 0))
    });
    check("halves of a sum", |x, y| {
        let both = Tensor::cat(vec![x, y], 1);
        let steps = both.slice_dim(1, Slice::new(0, None, 2));
        f(steps.repeat_dim(1, 2))
    });
}

#[test]
fn sizes_multiply_with_themselves() {
    check("a square", |x, _| {
        let [batch, _] = x.dims();
        let square = x.clone().matmul(x.transpose());
        f(square.reshape([batch * batch]))
    });
    check("as many times as it is long", |_, y| {
        let [batch, _] = y.dims();
        f(y.repeat_dim(0, batch))
    });
}

#[test]
fn an_axis_of_one_element_has_any_step() {
    check("a triangle on a short axis", |x, _| {
        let [batch, _] = x.dims();
        let (rows, columns) = (batch, batch.div_ceil(3));
        let offset = columns as i64 - rows as i64;
        let mask = Tensor::<2, Bool>::triu_mask([rows, columns], offset, &x.device());
        f(mask.float())
    });
}

#[test]
fn what_burn_cuts_to_the_shorter_is_refused() {
    let forward = |_: &Nothing, args: &mut Args| {
        let (x, y) = (args.float::<2>("x"), args.float::<2>("y"));
        let [_, past] = y.dims();
        f(x.slice_dim(0, 0..past)) // the smaller of batch and past
    };
    match export(&Nothing, &spec(), &Options::default(), forward) {
        Err(Error::NoClosedForm { what, .. }) => assert!(what.contains("bound"), "{what}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_bound_behind_the_axis_is_the_end_or_refused() {
    let refused = |forward: &dyn Fn(Tensor<2>, Tensor<2>) -> Tensor<2>, spec: &Spec| {
        let run = |_: &Nothing, args: &mut Args| f(forward(args.float("x"), args.float("y")));
        match export(&Nothing, spec, &Options::default(), run) {
            Err(error @ (Error::NoClosedForm { .. } | Error::Diverges(_))) => error.to_string(),
            other => panic!("{other:?}"),
        }
    };
    // At every recorded size the whole of two columns, and one column at a past of 1.
    let cut = |x: Tensor<2>, y: Tensor<2>| {
        let past = y.dims()[1];
        let two = x.slice_dim(1, 0..2);
        two.slice_dim(1, 0..past)
    };
    let text = refused(&cut, &spec());
    assert!(text.contains("2 becomes 1"), "{text}");
    // The first 512, of fewer.
    let first = |x: Tensor<2>, _: Tensor<2>| x.slice_dim(1, 0..512);
    refused(&first, &spec());
    let short = spec().size_max("sequence", 300);
    let run = |_: &Nothing, args: &mut Args| {
        let y = args.float::<2>("y");
        f(first(args.float("x"), y))
    };
    let case = inputs([("x", floats(&[2, 9], 1)), ("y", floats(&[2, 3], 2))]);
    agree("short", &Nothing, &short, &ALL, 1e-6, run, &[case]).unwrap();
}
