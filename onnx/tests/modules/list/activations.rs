//! Activations.

use burn::nn::activation::*;
use burn::tensor::{Device, Tensor};

use super::Sink;

const X: &[&str] = &["batch sequence 4"];

pub fn rows(sink: &mut impl Sink) {
    let device = &Device::flex();
    macro_rules! plain {
        ($($name:literal $module:expr;)*) => {$(
            sink.row($name, $module, X, |m, x: Tensor<3>| m.forward(x));
        )*};
    }
    plain! {
        "Relu" Relu::new();
        "Relu6" Relu6::new();
        "LeakyRelu" LeakyReluConfig::new().init();
        "RRelu" RReluConfig::new().init();
        "Gelu" Gelu::new();
        "Gelu, tanh" Gelu::new_approximate();
        "PRelu" PReluConfig::new().init(device);
        "SwiGlu" SwiGluConfig::new(4, 6).init(device);
        "GLU" GLU::new(2);
        "Sigmoid" Sigmoid::new();
        "LogSigmoid" LogSigmoid::new();
        "HardSigmoid" HardSigmoidConfig::new().init();
        "SiLU" SiLU::new();
        "HardSwish" HardSwish::new();
        "Mish" Mish::new();
        "Softplus" SoftplusConfig::new().init();
        "Softsign" Softsign::new();
        "Tanh" Tanh::new();
        "Tanhshrink" Tanhshrink::new();
        "Hardtanh" HardtanhConfig::new().init();
        "Elu" EluConfig::new().init();
        "Celu" CeluConfig::new().init();
        "Selu" Selu::new();
        "Threshold" ThresholdConfig::new(0.5, -1.0).init();
        "ThresholdedRelu" ThresholdedReluConfig::new().init();
        "Shrink" ShrinkConfig::new().init();
        "HardShrink" HardShrinkConfig::new().init();
        "SoftShrink" SoftShrinkConfig::new().init();
        "Activation" ActivationConfig::HardSwish.init(device);
    }
    let channels = PReluConfig::new().with_num_parameters(3).init(device);
    sink.row(
        "PRelu, per channel",
        channels,
        &["batch 3 height width"],
        |m, x: Tensor<4>| m.forward(x),
    );
}
