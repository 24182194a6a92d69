//! Posterior samples of expected frequencies of a group's cells.

use std::collections::HashSet;

use rand::{Rng, rngs::StdRng};
use tch::{Device, Kind, Tensor};

use super::{
    super::{
        Weights,
        decoding::{Decoding, Generative, Inference, mean},
        importance::Wanted,
    },
    DifferentialExpressionParams,
};
use crate::{
    anndata::AnnData,
    error::Result,
    model::{BaseModelClass, HasLibrary, HasPx, HasQz, Model, Observer},
};

/// Samples of a group, one part for each batch that it was decoded in.
pub(super) struct Scales {
    parts: Vec<(Option<i64>, Tensor)>, // code, [n_samples, n_vars]
}

/// Pairs of samples, gene by gene `[n_vars, n_pairs]`.
pub(super) struct Pairs {
    /// Of the first group.
    pub first: Tensor,
    /// Of the second group.
    pub second: Tensor,
}

/// Samples in each batch when `n_samples` are shared among `n_batches`.
pub(super) fn draws_per_batch(n_samples: usize, n_batches: usize) -> usize {
    match n_samples / n_batches {
        0 => 2,
        n => n,
    }
}

impl Scales {
    /// Mean of each gene `[n_vars]`.
    pub fn mean(&self) -> Result<Tensor> {
        let all: Vec<&Tensor> = self.parts.iter().map(|(_, part)| part).collect();
        let n = all.iter().map(|part| part.size()[0]).sum::<i64>() as f64;
        let sums = all.iter().map(|part| part.sum_dim_intlist(0i64, false, Kind::Double));
        let sums: Vec<Tensor> = sums.collect();
        Ok(Tensor::f_stack(&sums, 0)?.sum_dim_intlist(0i64, false, None) / n)
    }

    fn batches(&self) -> HashSet<Option<i64>> {
        self.parts.iter().map(|(code, _)| *code).collect()
    }
}

/// Samples of both groups side by side: those of the same batch where the batches are the same,
/// otherwise any two. `n_pairs` random pairs, or each sample once.
///
/// # Errors
/// When libtorch fails.
pub(super) fn paired(
    first: Scales,
    second: Scales,
    n_pairs: Option<usize>,
    rng: &mut StdRng,
) -> Result<Pairs> {
    let (first, second) = match first.batches() == second.batches() {
        true => (first.parts, second.parts),
        false => (vec![(None, joined(first)?)], vec![(None, joined(second)?)]),
    };
    let n_parts = first.len();
    let (mut firsts, mut seconds) = (Vec::new(), Vec::new());
    for (code, a) in first {
        let Some((_, b)) = second.iter().find(|(other, _)| *other == code) else { continue };
        let (n_a, n_b) = (a.size()[0], b.size()[0]);
        match n_pairs {
            None => {
                let n = n_a.min(n_b);
                firsts.push(a.narrow(0, 0, n).tr());
                seconds.push(b.narrow(0, 0, n).tr());
            }
            Some(n_pairs) => {
                let mut chosen = |n: i64| -> Tensor {
                    let rows: Vec<i64> =
                        (0..(n_pairs / n_parts).max(1)).map(|_| rng.random_range(0..n)).collect();
                    Tensor::from_slice(&rows)
                };
                firsts.push(a.f_index_select(0, &chosen(n_a))?.tr());
                seconds.push(b.f_index_select(0, &chosen(n_b))?.tr());
            }
        }
    }
    let (first, second) = (Tensor::f_cat(&firsts, 1)?, Tensor::f_cat(&seconds, 1)?);
    Ok(Pairs { first: first.contiguous(), second: second.contiguous() })
}

fn joined(scales: Scales) -> Result<Tensor> {
    let parts: Vec<Tensor> = scales.parts.into_iter().map(|(_, part)| part).collect();
    Ok(Tensor::f_cat(&parts, 0)?)
}

impl<M: BaseModelClass> Model<M>
where
    Inference<M>: HasQz + HasLibrary,
    Generative<M>: HasPx,
{
    /// Draws cells of a group, and for each a posterior sample, in each of the batches.
    pub(super) fn scales(
        &self,
        adata: &mut AnnData,
        cells: &[usize],
        batches: &[Option<i64>],
        params: &DifferentialExpressionParams,
        rng: &mut StdRng,
        observer: &mut dyn Observer,
    ) -> Result<Scales> {
        let n_samples = draws_per_batch(params.n_samples_overall, batches.len());
        let frequencies =
            |px: &Generative<M>| px.px_scale().to_kind(Kind::Float).to_device(Device::Cpu);
        let mut parts = Vec::new();
        for &code in batches {
            if params.importance.weights == Weights::Importance {
                let batch_size = params.batch_size;
                let wanted = Wanted { cells, batch: code, n_samples, batch_size };
                let (how, value) = (&params.importance, |px: &Generative<M>| Ok(frequencies(px)));
                let drawn = self.weighted_samples(adata, &wanted, how, rng, observer, value)?;
                parts.push((code, drawn));
                continue;
            }
            let drawn = (0..n_samples).map(|_| cells[rng.random_range(0..cells.len())]).collect();
            let how = Decoding {
                indices: Some(drawn),
                batch_size: params.batch_size,
                n_samples: 1,
                batches: vec![code],
            };
            let mut blocks = Vec::new();
            self.decode(adata, &how, observer, |generated| {
                blocks.push(mean(generated.iter().map(frequencies)));
                Ok(())
            })?;
            parts.push((code, Tensor::f_cat(&blocks, 0)?));
        }
        Ok(Scales { parts })
    }
}
