//! What the queries about expression have in common: cells are encoded, and decoded as if they had
//! been measured in their own batch or in others.

use serde_json::Value;
use tch::{Kind, Tensor};

use crate::{
    anndata::{AnnData, Slot},
    data::Batch,
    error::{Error, Result},
    model::{BaseModelClass, BaseModule, HasQz, Model, Observer},
    registry_keys::REGISTRY_KEYS,
};

/// Which cells are decoded, how often and in which batches.
#[derive(Clone, Debug)]
pub(super) struct Decoding {
    /// Rows to use; all when `None`.
    pub indices: Option<Vec<usize>>,
    /// Cells per minibatch.
    pub batch_size: usize,
    /// Draws of the latent variables per cell.
    pub n_samples: usize,
    /// Codes of the batches to decode in; each cell's own when `None`.
    pub batches: Vec<Option<i64>>,
}

/// What the module of `M` infers.
pub(super) type Inference<M> = <<M as BaseModelClass>::Module as BaseModule>::Inference;
/// What the module of `M` generates.
pub(super) type Generative<M> = <<M as BaseModelClass>::Module as BaseModule>::Generative;

impl<M: BaseModelClass> Model<M>
where
    Inference<M>: HasQz,
{
    /// Encodes and decodes minibatch after minibatch, in evaluation mode. The visitor gets what was
    /// generated, once per entry of [`Decoding::batches`], for the same draws: `[n_cells, ..]`, or
    /// `[n_samples, n_cells, ..]` for several.
    pub(super) fn decode(
        &self,
        adata: &mut AnnData,
        how: &Decoding,
        observer: &mut dyn Observer,
        mut visit: impl FnMut(Vec<Generative<M>>) -> Result<()>,
    ) -> Result<()> {
        let indices = how.indices.as_deref();
        self.for_each_batch(adata, indices, how.batch_size, observer, |ctx, batch| {
            let mut inferred = self.infer(ctx, batch)?;
            if how.n_samples > 1 {
                let draws = inferred.qz().rsample_n(ctx, how.n_samples as i64);
                inferred = inferred.at(ctx, &draws)?;
            }
            let generated = how
                .batches
                .iter()
                .map(|&code| self.module.generative(ctx, &in_batch(batch, code)?, &inferred));
            visit(generated.collect::<Result<_>>()?)
        })
    }

    /// Codes of batches named by their category in this argument; one `None` when none is named.
    ///
    /// # Errors
    /// [`Error::Argument`], listing the categories, for a batch that the model does not know.
    pub(super) fn batch_codes(&self, argument: &str, named: &[String]) -> Result<Vec<Option<i64>>> {
        if named.is_empty() {
            return Ok(vec![None]);
        }
        let known = self.batch_names();
        let code = |name: &String| {
            let code = known.iter().position(|category| category == name);
            code.map(|code| Some(code as i64)).ok_or_else(|| Error::Argument {
                name: argument.into(),
                expected: format!("batches of the model ({})", crate::error::list(&known)),
                found: name.clone(),
            })
        };
        named.iter().map(code).collect()
    }

    /// Codes of all batches of the model.
    pub(super) fn all_batches(&self) -> Vec<Option<i64>> {
        (0..self.batch_names().len() as i64).map(Some).collect()
    }

    fn batch_names(&self) -> Vec<String> {
        let state = self.manager.registry().state(REGISTRY_KEYS.batch);
        let categories: Vec<Value> =
            state.and_then(|s| s.read("categorical_mapping")).unwrap_or_default();
        categories.iter().map(plain).collect()
    }

    /// Positions of genes, in the order of the data; all when `None`.
    ///
    /// # Errors
    /// [`Error::Argument`], with the nearest name, for a gene that the model does not know.
    pub(super) fn gene_positions(&self, gene_list: Option<&[String]>) -> Result<Vec<i64>> {
        let Some(genes) = gene_list else { return Ok((0..self.var_names.len() as i64).collect()) };
        if let Some(unknown) = genes.iter().find(|gene| !self.var_names.contains(gene)) {
            let nearest = crate::params::nearest(unknown, &self.var_names);
            let hint = nearest.map(|n| format!(" (did you mean `{n}`?)")).unwrap_or_default();
            return Err(Error::Argument {
                name: "gene_list".into(),
                expected: format!("genes of the model{hint}"),
                found: unknown.clone(),
            });
        }
        let asked = |(_, name): &(usize, &String)| genes.contains(name);
        let found = self.var_names.iter().enumerate().filter(asked);
        Ok(found.map(|(position, _)| position as i64).collect())
    }

    /// Names of genes at these positions.
    pub(super) fn names_of(&self, genes: &[i64]) -> Vec<String> {
        genes.iter().map(|&gene| self.var_names[gene as usize].clone()).collect()
    }

    /// Where values per cell and gene go: a layer when they are about all genes.
    pub(super) fn place_of_expression(
        &self,
        what: &str,
        n_axes: usize,
        n_genes: usize,
    ) -> (Slot, String) {
        let model = M::NAME.to_lowercase();
        match (n_axes, n_genes == self.var_names.len()) {
            (2, true) => (Slot::Layers, format!("{model}_{what}")),
            (2, false) => (Slot::Obsm, format!("X_{model}_{what}")),
            _ => (Slot::Uns, format!("{model}_{what}")),
        }
    }
}

/// The minibatch as if all its cells were of the batch with this code.
pub(super) fn in_batch(batch: &Batch, code: Option<i64>) -> Result<Batch> {
    let Some(code) = code else { return Ok(batch.shallow_clone()) };
    let codes = batch.batch_index()?.f_full_like(code)?;
    Ok(batch.with(REGISTRY_KEYS.batch, codes))
}

/// A category as the command line spells it.
pub(super) fn plain(category: &Value) -> String {
    category.as_str().map_or_else(|| category.to_string(), str::to_owned)
}

/// The mean of tensors of one shape.
pub(super) fn mean(parts: impl ExactSizeIterator<Item = Tensor>) -> Tensor {
    let n = parts.len() as f64;
    match parts.reduce(|sum, part| sum + part) {
        Some(sum) if n > 1.0 => sum / n,
        Some(only) => only,
        None => Tensor::new(),
    }
}

/// These genes of `[.., n_vars]`, in float32 and in memory.
pub(super) fn select(values: &Tensor, genes: &Tensor) -> Result<Tensor> {
    let all = genes.numel() as i64 == values.size().last().copied().unwrap_or(0);
    let chosen = match all {
        true => values.shallow_clone(),
        false => values.f_index_select(-1, &genes.to_device(values.device()))?,
    };
    Ok(chosen.to_kind(Kind::Float).to_device(tch::Device::Cpu))
}
