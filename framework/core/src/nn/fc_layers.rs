//! Fully connected layers into which covariates are injected.

use tch::Tensor;

use super::{BatchNorm1d, LayerNorm, Linear, Part, Path, Role, one_hot};
use crate::{
    error::{Error, Result},
    model::Ctx,
};

/// How a stack of fully connected layers is built.
#[derive(Clone, Debug, PartialEq)]
pub struct FcConfig {
    /// Layers.
    pub n_layers: i64,
    /// Nodes of each layer but the last.
    pub n_hidden: i64,
    /// Categories of each covariate that goes in as a one-hot; a covariate of one category does not.
    pub n_cats: Vec<i64>,
    /// Inject covariates into every layer, not only the first.
    pub deep_injection: bool,
    /// Normalise over the minibatch.
    pub batch_norm: bool,
    /// Normalise over features.
    pub layer_norm: bool,
    /// Share of nodes that training drops at random.
    pub dropout_rate: f64,
}

impl Default for FcConfig {
    fn default() -> Self {
        Self {
            n_layers: 1,
            n_hidden: 128,
            n_cats: Vec::new(),
            deep_injection: true,
            batch_norm: true,
            layer_norm: false,
            dropout_rate: 0.1,
        }
    }
}

/// Setters of the fully connected part, for builders with a field `fc`.
macro_rules! fc_setters {
    () => {
        /// How the fully connected part is built, as a whole.
        pub fn fc(mut self, fc: $crate::nn::FcConfig) -> Self {
            self.fc = fc;
            self
        }

        /// Hidden layers; 1 by default.
        pub fn n_layers(mut self, n_layers: i64) -> Self {
            self.fc.n_layers = n_layers;
            self
        }

        /// Nodes per hidden layer; 128 by default.
        pub fn n_hidden(mut self, n_hidden: i64) -> Self {
            self.fc.n_hidden = n_hidden;
            self
        }

        /// Categories of each covariate that is injected; none by default.
        pub fn n_cats(mut self, n_cats: impl Into<Vec<i64>>) -> Self {
            self.fc.n_cats = n_cats.into();
            self
        }
    };
}
pub(super) use fc_setters;

/// Linear map, normalisations, ReLU and dropout, repeated.
///
/// Names are those of scvi-tools: `fc_layers.Layer 0.0.weight`, where the second number says which
/// part of the layer it is: 0 linear, 1 batch norm (2 layer norm, 3 ReLU and 4 dropout have no
/// parameters).
#[derive(Debug)]
pub struct FcLayers {
    layers: Vec<Layer>,
    n_cats: Vec<i64>,
    dropout_rate: f64,
    part: Part,
}

#[derive(Debug)]
struct Layer {
    takes_covariates: bool,
    linear: Linear,
    batch_norm: Option<BatchNorm1d>,
    layer_norm: Option<LayerNorm>,
}

impl FcLayers {
    /// Fresh layers from `n_in` to `n_out` features.
    pub fn new(path: Path<'_>, n_in: i64, n_out: i64, config: &FcConfig) -> Self {
        let part = path.part();
        let layers = (0..config.n_layers).map(|i| {
            let path = &path / "fc_layers" / format_args!("Layer {i}");
            let takes_covariates = i == 0 || config.deep_injection;
            let role = if i == 0 { Role::FirstLayer } else { Role::Any };
            let n_in = if i == 0 { n_in } else { config.n_hidden };
            let n_cats = if takes_covariates { config.n_cats.as_slice() } else { &[] };
            let n_out = if i + 1 == config.n_layers { n_out } else { config.n_hidden };
            Layer {
                takes_covariates,
                linear: Linear::with_one_hots((&path / 0).in_role(role), n_in, n_cats, n_out),
                batch_norm: config.batch_norm.then(|| BatchNorm1d::new(&path / 1, n_out)),
                layer_norm: config.layer_norm.then(|| LayerNorm::new(n_out)),
            }
        });
        Self {
            layers: layers.collect(),
            n_cats: config.n_cats.clone(),
            dropout_rate: config.dropout_rate,
            part,
        }
    }

    /// From `[.., n_cells, n_in]` to `[.., n_cells, n_out]`. Covariates are codes `[n_cells, 1]`, or
    /// one-hots already `[n_cells, n_categories]`, in the order of [`FcConfig::n_cats`].
    ///
    /// # Errors
    /// When covariates are missing, a code is unknown, or a shape does not fit.
    pub fn forward(&self, ctx: &Ctx<'_>, x: &Tensor, covariates: &[Tensor]) -> Result<Tensor> {
        let one_hots = self.one_hots(x, covariates)?; // each [n_cells, n_categories]
        let drops = ctx.train && !ctx.freezing.is_some_and(|f| f.dropout(self.part));
        let mut h = x.shallow_clone();
        for layer in &self.layers {
            h = match layer.takes_covariates && !one_hots.is_empty() {
                true => layer.linear.forward_with(&h, &one_hots)?, // [.., n_cells, n_out]
                false => layer.linear.forward(&h)?,
            };
            if let Some(norm) = &layer.batch_norm {
                h = norm.forward(ctx, &h)?;
            }
            if let Some(norm) = &layer.layer_norm {
                h = norm.forward(&h)?;
            }
            h = h.relu();
            if drops && self.dropout_rate > 0.0 {
                h = h.dropout(self.dropout_rate, true);
            }
        }
        Ok(h)
    }

    fn one_hots(&self, x: &Tensor, covariates: &[Tensor]) -> Result<Vec<Tensor>> {
        if covariates.len() < self.n_cats.len() {
            return Err(Error::Shape {
                what: "categorical covariates of a layer".into(),
                expected: vec![self.n_cats.len()],
                found: vec![covariates.len()],
            });
        }
        let given = covariates.iter().zip(&self.n_cats).filter(|&(_, &n)| n > 1);
        given.map(|(codes, &n)| self.one_hot(x, codes, n)).collect()
    }

    fn one_hot(&self, x: &Tensor, codes: &Tensor, n_categories: i64) -> Result<Tensor> {
        if codes.size().last() == Some(&n_categories) {
            return Ok(codes.to_kind(x.kind()));
        }
        one_hot(codes, n_categories, x.kind())
    }
}

/// What each cell has `[n_cells, n]`, repeated for the samples that `like` has in front
/// `[.., n_cells, n]`.
pub(super) fn spread(per_cell: &Tensor, like: &Tensor) -> Result<Tensor> {
    let mut shape = like.size();
    shape.pop();
    shape.extend(per_cell.size().last());
    Ok(per_cell.f_expand(shape, false)?)
}
