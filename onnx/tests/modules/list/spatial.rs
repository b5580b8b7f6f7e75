//! Convolutions, pools, interpolation, and the order of pixels.

use burn::nn::conv::*;
use burn::nn::interpolate::*;
use burn::nn::pool::*;
use burn::nn::{
    Fold4dConfig, PaddingConfig1d, PaddingConfig2d, PixelShuffleConfig, PixelUnshuffleConfig,
    Unfold4dConfig,
};
use burn::tensor::{Device, Tensor};

use super::Sink;

const AUDIO: &[&str] = &["batch 4 time"];
const IMAGE: &[&str] = &["batch 4 height width"];
const VIDEO: &[&str] = &["batch 4 frames height width"];

macro_rules! on {
    ($sink:ident, $shapes:ident, $rank:literal: $($name:literal $module:expr;)*) => {$(
        $sink.row($name, $module, $shapes, |m, x: Tensor<$rank>| m.forward(x));
    )*};
}

pub fn rows(sink: &mut impl Sink) {
    convolutions(sink);
    pools(sink);
    pixels(sink);
}

fn convolutions(sink: &mut impl Sink) {
    let device = &Device::flex();
    on! { sink, AUDIO, 3:
        "Conv1d" Conv1dConfig::new(4, 6, 3).init(device);
        "Conv1d, stride 2, padding 1 and 2"
            Conv1dConfig::new(4, 6, 3).with_stride(2).with_padding(PaddingConfig1d::Explicit(1, 2)).init(device);
        "ConvTranspose1d"
            ConvTranspose1dConfig::new([4, 6], 3).with_stride(2).with_padding(1).with_padding_out(1).init(device);
    }
    on! { sink, IMAGE, 4:
        "Conv2d" Conv2dConfig::new([4, 6], [3, 2]).init(device);
        "Conv2d, same padding" Conv2dConfig::new([4, 6], [3, 3]).with_padding(PaddingConfig2d::Same).init(device);
        "Conv2d, stride 2, dilation 2, groups 2"
            Conv2dConfig::new([4, 6], [3, 2]).with_stride([2, 2]).with_dilation([2, 1]).with_groups(2).init(device);
        "ConvTranspose2d" ConvTranspose2dConfig::new([4, 6], [3, 2]).with_stride([2, 2]).init(device);
    }
    on! { sink, VIDEO, 5:
        "Conv3d" Conv3dConfig::new([4, 2], [2, 3, 2]).with_stride([1, 2, 2]).init(device);
        "ConvTranspose3d" ConvTranspose3dConfig::new([4, 2], [2, 3, 2]).with_stride([1, 2, 2]).init(device);
    }
    let deform = DeformConv2dConfig::new([4, 6], [2, 2]).init(device);
    let sizes = &["batch 4 5 6", "batch 8 4 5", "batch 4 4 5"];
    sink.row(
        "DeformConv2d",
        deform,
        sizes,
        |m, (x, offset, mask): (Tensor<4>, Tensor<4>, Tensor<4>)| m.forward(x, offset, Some(mask)),
    );
}

fn pools(sink: &mut impl Sink) {
    on! { sink, AUDIO, 3:
        "AvgPool1d" AvgPool1dConfig::new(3).with_stride(2).init();
        "MaxPool1d" MaxPool1dConfig::new(3).with_stride(2).init();
        "AdaptiveAvgPool1d" AdaptiveAvgPool1dConfig::new(1).init();
    }
    on! { sink, IMAGE, 4:
        "AvgPool2d" AvgPool2dConfig::new([3, 2]).with_strides([2, 2]).init();
        "AvgPool2d, padded, without the padding"
            AvgPool2dConfig::new([3, 3]).with_strides([2, 1]).with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .with_count_include_pad(false).init();
        "MaxPool2d" MaxPool2dConfig::new([3, 2]).with_strides([2, 2]).init();
        "MaxPool2d, rounded up" MaxPool2dConfig::new([3, 2]).with_strides([2, 2]).with_ceil_mode(true).init();
        "AdaptiveAvgPool2d" AdaptiveAvgPool2dConfig::new([1, 1]).init();
    }
    on! { sink, VIDEO, 5:
        "AdaptiveAvgPool3d" AdaptiveAvgPool3dConfig::new([1, 1, 1]).init();
    }
    sink.row(
        "AdaptiveAvgPool2d, to 3 by 2 of 12 by 10",
        AdaptiveAvgPool2dConfig::new([3, 2]).init(),
        &["batch 4 12 10"],
        |m, x: Tensor<4>| m.forward(x),
    );
}

fn pixels(sink: &mut impl Sink) {
    on! { sink, AUDIO, 3:
        "Interpolate1d"
            Interpolate1dConfig::new().with_scale_factor(Some(2.0)).with_mode(InterpolateMode::Linear).init();
        "Interpolate1d, nearest, to 9" Interpolate1dConfig::new().with_output_size(Some(9)).init();
    }
    on! { sink, IMAGE, 4:
        "Interpolate2d"
            Interpolate2dConfig::new().with_scale_factor(Some([2.0, 2.0])).with_mode(InterpolateMode::Linear).init();
        "Interpolate2d, half pixels"
            Interpolate2dConfig::new().with_scale_factor(Some([2.0, 3.0])).with_align_corners(false)
                .with_mode(InterpolateMode::Linear).init();
        "Interpolate2d, nearest" Interpolate2dConfig::new().with_scale_factor(Some([2.0, 2.0])).init();
        "Interpolate2d, cubic"
            Interpolate2dConfig::new().with_output_size(Some([9, 7])).with_mode(InterpolateMode::Cubic).init();
        "Interpolate2d, Lanczos"
            Interpolate2dConfig::new().with_output_size(Some([9, 7])).with_mode(InterpolateMode::Lanczos).init();
        "PixelShuffle" PixelShuffleConfig::new(2).init();
        "Unfold4d" Unfold4dConfig::new([2, 3]).with_stride([2, 1]).with_padding([1, 0]).init();
    }
    sink.row(
        "PixelUnshuffle",
        PixelUnshuffleConfig::new(2).init(),
        &["batch 4 6 8"],
        |m, x: Tensor<4>| m.forward(x),
    );
    sink.row(
        "Fold4d",
        Fold4dConfig::new([6, 5], [2, 2]).init(),
        &["batch 12 20"],
        |m, x: Tensor<3>| m.forward(x),
    );
}
