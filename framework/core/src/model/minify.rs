//! Reduces a data set to the posterior of its cells.

use super::{BaseModelClass, BaseModule, Ctx, MinifiedMode, Model, Observer, Silent};
use crate::{
    Params,
    anndata::{AnnData, Dense, Element, Scalar, Slot},
    data::{
        Batch, LATENT_QZM, LATENT_QZV, MinifiedDataType, OBSERVED_LIB_SIZE, counts, for_each_value,
        minified_fields, take_counts_out,
    },
    error::{Error, Result},
    nn::convert,
    registry_keys::{MINIFY_TYPE, REGISTRY_KEYS},
};

/// Cells that are encoded at a time.
const BATCH_SIZE: usize = 128;

/// Arguments of [`Model::minify_adata`].
#[derive(Clone, Debug, PartialEq, Params)]
pub struct MinifyParams {
    /// What to reduce to.
    pub minified_data_type: MinifiedDataType,
    /// Entry of obsm with the means of the posterior; computed when neither entry is there.
    #[param(default = "X_latent_qzm".to_owned())]
    pub use_latent_qzm_key: String,
    /// Entry of obsm with the variances of the posterior.
    #[param(default = "X_latent_qzv".to_owned())]
    pub use_latent_qzv_key: String,
}

type Inference<M> = <<M as BaseModelClass>::Module as BaseModule>::Inference;

impl<M: BaseModelClass> Model<M> {
    /// Whether the model knows of minified data sets, beside full ones.
    pub fn is_minified(&self) -> bool {
        self.registry().is_minified()
    }

    /// A new data set in which the posterior of each cell and its total count stand in place of `X`,
    /// the layers and `raw`; `adata` stays as it is. The model takes both kinds of data sets from then
    /// on, full and minified.
    ///
    /// # Errors
    /// [`Error::MinifiedUnsupported`], [`Error::MinifiedAlready`], [`Error::NotTrained`]; when the
    /// posterior in `adata` does not fit, or the model keeps more of a cell than is stored.
    pub fn minify_adata(
        &mut self,
        adata: &AnnData,
        params: &MinifyParams,
        observer: &mut dyn Observer,
    ) -> Result<AnnData> {
        let module = self.minified_mode()?;
        if let Some(kind) = MinifiedDataType::of(adata)? {
            return Err(Error::MinifiedAlready(kind.word()));
        }
        self.require_trained()?;
        let mut minified = adata.clone();
        self.manager.validate(&mut minified)?;
        let [qzm, qzv] = match given_posterior(adata, params)? {
            Some(given) => {
                let [like, _] = self.posterior(module, &mut minified, Some(&[0]), &mut Silent)?;
                check_posterior(&given, params, adata.n_obs(), like.shape()[1])?;
                given
            }
            None => self.posterior(module, &mut minified, None, observer)?,
        };
        let x = self.registry().location(REGISTRY_KEYS.x)?.clone();
        let sizes = counts::row_sums(x.find(&minified)?, &x.to_string())?;
        let sizes: Vec<f32> = sizes.into_iter().map(|size| size as f32).collect();

        let kind = params.minified_data_type;
        if !kind.has_counts() {
            take_counts_out(&mut minified)?;
        }
        minified.set(Slot::Obsm, LATENT_QZM, qzm)?;
        minified.set(Slot::Obsm, LATENT_QZV, qzv)?;
        minified.set(Slot::Obs, OBSERVED_LIB_SIZE, Element::vector(sizes))?;
        let word = Element::Scalar(Scalar::String(kind.word().into()));
        minified.set(Slot::Uns, MINIFY_TYPE, word)?;
        self.learn_minified(&mut minified)?;
        Ok(minified)
    }

    /// q(z|x) of a minibatch and a sample of it: from the posterior that came with minified cells,
    /// else from their counts.
    ///
    /// # Errors
    /// [`Error::MinifiedUnsupported`]; those of the module.
    pub fn infer(&self, ctx: &Ctx<'_>, batch: &Batch) -> Result<Inference<M>> {
        match batch.is_minified() {
            true => self.minified_mode()?.cached_inference(ctx, batch),
            false => self.module.inference(ctx, batch),
        }
    }

    fn minified_mode(&self) -> Result<&dyn MinifiedMode<Inference = Inference<M>>> {
        self.module.as_minified().ok_or(Error::MinifiedUnsupported(M::NAME))
    }

    /// Mean and variance of q(z|x), each float32 `[n_cells, n_latent]`.
    fn posterior(
        &self,
        module: &dyn MinifiedMode<Inference = Inference<M>>,
        adata: &mut AnnData,
        indices: Option<&[usize]>,
        observer: &mut dyn Observer,
    ) -> Result<[Element; 2]> {
        let (mut means, mut variances) = (Vec::new(), Vec::new());
        self.for_each_batch(adata, indices, BATCH_SIZE, observer, |ctx, batch| {
            let inferred = self.module.inference(ctx, batch)?;
            let qz = module.posterior(&inferred);
            means.push(qz.mean().to_device(tch::Device::Cpu));
            variances.push(qz.variance().to_device(tch::Device::Cpu));
            Ok(())
        })?;
        let joined = |blocks: &[tch::Tensor]| -> Result<Dense> {
            convert::to_dense(&tch::Tensor::cat(blocks, 0))
        };
        Ok([Element::Dense(joined(&means)?), Element::Dense(joined(&variances)?)])
    }

    /// Adds the fields of minified data sets to the model's terms, if the model can work with
    /// `minified`: one minibatch is decoded.
    fn learn_minified(&mut self, minified: &mut AnnData) -> Result<()> {
        let before = self.manager.clone();
        match self.is_minified() {
            true => self.manager.validate(minified)?,
            false => self.manager.register_new_fields(minified_fields(), minified)?,
        }
        let first: Vec<usize> = (0..minified.n_obs().min(BATCH_SIZE)).collect();
        let decoded =
            self.for_each_batch(minified, Some(&first), BATCH_SIZE, &mut Silent, |ctx, batch| {
                let inferred = self.infer(ctx, batch)?;
                self.module.generative(ctx, batch, &inferred).map(drop)
            });
        decoded.inspect_err(|_| self.manager = before)
    }
}

/// The posterior that the caller computed before; `None` where there is none under the usual names.
fn given_posterior(adata: &AnnData, params: &MinifyParams) -> Result<Option<[Element; 2]>> {
    let keys = [&params.use_latent_qzm_key, &params.use_latent_qzv_key];
    let usual = MinifyParams::default();
    let are_usual = keys == [&usual.use_latent_qzm_key, &usual.use_latent_qzv_key];
    let found = keys.map(|key| adata.get(Slot::Obsm, key));
    if are_usual && found.iter().all(|found| found.is_err()) {
        return Ok(None);
    }
    let [qzm, qzv] = found;
    Ok(Some([qzm?.clone(), qzv?.clone()]))
}

/// Refuses what cannot be mean and variance of the model's posterior.
fn check_posterior(
    given: &[Element; 2],
    params: &MinifyParams,
    n_obs: usize,
    n_latent: usize,
) -> Result<()> {
    for (element, key) in given.iter().zip([&params.use_latent_qzm_key, &params.use_latent_qzv_key])
    {
        let (what, expected) = (format!("obsm[{key:?}]"), vec![n_obs, n_latent]);
        if element.shape() != expected {
            return Err(Error::Shape { what, expected, found: element.shape() });
        }
    }
    let what = format!("obsm[{:?}]", params.use_latent_qzv_key);
    let mut negative = None;
    for_each_value(&given[1], &what, |row, _, value| {
        if value < 0.0 {
            negative.get_or_insert((row, value));
        }
    })?;
    match negative {
        None => Ok(()),
        Some((row, value)) => Err(Error::Kind {
            what,
            expected: "variances, none below zero".into(),
            found: format!("{value} for cell {row}"),
        }),
    }
}
