//! Blocks against formulas written with plain matrix products.

use tch::{Device, Kind, Tensor};

use super::{
    BatchNorm1d, Encoder, FcConfig, FcLayers, LatentDistribution, LayerNorm, Linear, Store,
    VarActivation, one_hot,
};
use crate::model::Ctx;

const OPTIONS: (Kind, Device) = (Kind::Double, Device::Cpu);

fn store() -> Store {
    tch::manual_seed(1);
    Store::with_kind(Device::Cpu, Kind::Double)
}

fn training() -> Ctx<'static> {
    Ctx::training(Device::Cpu, 1.0)
}

fn eval() -> Ctx<'static> {
    Ctx::eval(Device::Cpu)
}

#[track_caller]
fn assert_close(found: &Tensor, expected: &Tensor) {
    assert_eq!(found.size(), expected.size());
    assert!(found.allclose(expected, 1e-10, 1e-10, false), "{found} != {expected}");
}

#[test]
fn linear_starts_uniform_within_its_bound() {
    let store = store();
    let _ = Linear::new(store.root() / "l", 16, 4000);
    let state = store.state_dict();
    for name in ["l.weight", "l.bias"] {
        let largest = state[name].abs().max().double_value(&[]);
        assert!((0.249..=0.25).contains(&largest), "{name}: {largest}");
    }
}

#[test]
fn batch_norm_uses_the_minibatch_then_running_statistics() {
    let store = store();
    let norm = BatchNorm1d::new(store.root() / "bn", 3);
    let x = Tensor::randn([5, 3], OPTIONS) * 2.0 + 1.0;
    let mean = x.mean_dim(0, false, None);
    let biased = x.var_dim(0, false, false);
    let expected = (&x - &mean) / (&biased + 1e-3).sqrt();
    assert_close(&norm.forward(&training(), &x).unwrap(), &expected);

    let state = store.state_dict();
    let unbiased = x.var_dim(0, true, false);
    assert_close(&state["bn.running_mean"], &(&mean * 0.01));
    assert_close(&state["bn.running_var"], &(&unbiased * 0.01 + 0.99));
    assert_eq!(state["bn.num_batches_tracked"].int64_value(&[]), 1);
    assert_eq!(state["bn.num_batches_tracked"].size(), [0i64; 0]);

    let expected = (&x - &state["bn.running_mean"]) / (&state["bn.running_var"] + 1e-3).sqrt();
    assert_close(&norm.forward(&eval(), &x).unwrap(), &expected);
    assert_eq!(state["bn.num_batches_tracked"].int64_value(&[]), 1);
}

#[test]
fn batch_norm_treats_samples_one_by_one() {
    let x = Tensor::randn([4, 5, 3], OPTIONS);
    for ctx in [training(), eval()] {
        let (store, other) = (store(), store());
        let norm = BatchNorm1d::new(store.root(), 3);
        let all = norm.forward(&ctx, &x).unwrap();
        let norm = BatchNorm1d::new(other.root(), 3);
        for i in 0..4 {
            assert_close(&all.get(i), &norm.forward(&ctx, &x.get(i)).unwrap());
        }
        assert_close(&store.state_dict()["running_var"], &other.state_dict()["running_var"]);
    }
}

#[test]
fn batch_norm_refuses_to_train_on_one_cell() {
    let store = store();
    let norm = BatchNorm1d::new(store.root(), 3);
    let x = Tensor::zeros([1, 3], OPTIONS);
    assert_eq!(
        norm.forward(&training(), &x).unwrap_err().to_string(),
        "batch normalisation needs two cells or more in a minibatch while training, found 1; \
         choose another batch_size"
    );
    assert_eq!(store.state_dict()["num_batches_tracked"].int64_value(&[]), 0);
    let _ = norm.forward(&eval(), &x).unwrap();
}

#[test]
fn layer_norm_normalises_each_cell() {
    let x = Tensor::randn([2, 5, 3], OPTIONS);
    let mean = x.mean_dim(-1, true, None);
    let expected = (&x - mean) / (x.var_dim(-1, false, true) + 1e-5).sqrt();
    assert_close(&LayerNorm::new(3).forward(&x).unwrap(), &expected);
}

fn config() -> FcConfig {
    let (n_hidden, n_cats) = (6, vec![2, 1, 3]);
    FcConfig {
        n_layers: 2,
        n_hidden,
        n_cats,
        batch_norm: false,
        dropout_rate: 0.0,
        ..FcConfig::default()
    }
}

/// A batch of two categories, a covariate of one, a covariate of three.
fn codes() -> [Tensor; 3] {
    [[0i64, 1, 1, 0], [0, 0, 0, 0], [2, 0, 1, 1]].map(|c| Tensor::from_slice(&c).unsqueeze(-1))
}

#[test]
fn layers_take_covariates_as_one_hots() {
    let x = Tensor::randn([4, 5], OPTIONS);
    let [batch, _, site] = codes();
    let parts = [&batch, &site].map(|c| c.shallow_clone());
    let one_hots = Tensor::cat(
        &[
            one_hot(&parts[0], 2, Kind::Double).unwrap(),
            one_hot(&parts[1], 3, Kind::Double).unwrap(),
        ],
        -1,
    );
    for deep_injection in [true, false] {
        let store = store();
        let config = FcConfig { deep_injection, ..config() };
        let layers = FcLayers::new(store.root(), 5, 4, &config);
        let state = store.state_dict();
        let names: Vec<&str> = state.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            ["Layer 0.0.weight", "Layer 0.0.bias", "Layer 1.0.weight", "Layer 1.0.bias"]
                .map(|n| format!("fc_layers.{n}"))
        );
        let layer = |i: usize, x: &Tensor| {
            let weight = &state[&format!("fc_layers.Layer {i}.0.weight")];
            (x.matmul(&weight.tr()) + &state[&format!("fc_layers.Layer {i}.0.bias")]).relu()
        };
        let with = |x: &Tensor| Tensor::cat(&[x, &one_hots], -1);
        let h = layer(0, &with(&x));
        let expected = layer(1, &if deep_injection { with(&h) } else { h });
        assert_close(&layers.forward(&eval(), &x, &codes()).unwrap(), &expected);
    }
}

#[test]
fn layers_take_one_hots_that_are_ready_and_samples_and_ignore_surplus() {
    let store = store();
    let layers = FcLayers::new(store.root(), 5, 4, &config());
    let x = Tensor::randn([3, 4, 5], OPTIONS);
    let mut covariates = Vec::from(codes());
    let from_codes = layers.forward(&eval(), &x, &covariates).unwrap();
    covariates[0] = one_hot(&covariates[0], 2, Kind::Double).unwrap();
    covariates.push(Tensor::zeros([4, 1], (Kind::Int64, Device::Cpu)));
    assert_close(&layers.forward(&eval(), &x, &covariates).unwrap(), &from_codes);
    assert_close(&layers.forward(&eval(), &x.get(1), &codes()).unwrap(), &from_codes.get(1));
}

#[test]
fn layers_refuse_missing_covariates_and_unknown_codes() {
    let store = store();
    let layers = FcLayers::new(store.root(), 5, 4, &config());
    let x = Tensor::zeros([4, 5], OPTIONS);
    assert_eq!(
        layers.forward(&eval(), &x, &codes()[..1]).unwrap_err().to_string(),
        "categorical covariates of a layer: expected shape [3], found [1]"
    );
    let mut unknown = codes();
    unknown[0] = Tensor::from_slice(&[0i64, 1, 2, 0]).unsqueeze(-1);
    let error = layers.forward(&eval(), &x, &unknown).unwrap_err().to_string();
    assert!(error.contains("smaller than num_classes"), "{error}");
}

#[test]
fn dropout_acts_in_training_only() {
    let store = store();
    let config = FcConfig { batch_norm: false, dropout_rate: 0.5, ..FcConfig::default() };
    let layers = FcLayers::new(store.root(), 5, 400, &config);
    let x = Tensor::ones([50, 5], OPTIONS);
    let zeros = |ctx: &Ctx| {
        let h = layers.forward(ctx, &x, &[]).unwrap();
        h.eq(0.0).to_kind(Kind::Double).mean(None).double_value(&[])
    };
    let (idle, dropped) = (zeros(&eval()), zeros(&training()));
    let expected = idle + 0.5 * (1.0 - idle);
    assert!((dropped - expected).abs() < 0.02, "{idle} {dropped}");
}

#[test]
fn encoder_has_positive_variance_by_either_activation() {
    let x = Tensor::randn([4, 5], OPTIONS);
    for (activation, function) in [
        (VarActivation::Exp, Tensor::exp as fn(&Tensor) -> Tensor),
        (VarActivation::Softplus, Tensor::softplus),
    ] {
        let store = store();
        let encoder = Encoder::builder(5, 2).var_activation(activation).build(store.root());
        let qz = encoder.forward(&eval(), &x, &[]).unwrap();
        let state = store.state_dict();
        let h = encoder.encoder.forward(&eval(), &x, &[]).unwrap();
        let head = |name: &str| {
            h.matmul(&state[&format!("{name}.weight")].tr()) + &state[&format!("{name}.bias")]
        };
        assert_close(qz.mean(), &head("mean_encoder"));
        assert_close(&qz.variance(), &(function(&head("var_encoder")) + 1e-4));
    }
}

#[test]
fn logistic_normal_is_on_the_simplex() {
    let z = LatentDistribution::LogisticNormal.transform(Tensor::randn([4, 5], OPTIONS));
    assert_close(&z.sum_dim_intlist(-1, false, None), &Tensor::ones([4], OPTIONS));
}
