//! Changes of a caller's own, in place of log2 fold changes that leave a region around zero.

use tch::Tensor;

use super::bayes::log_fold_change;
use crate::error::{Error, Result};

/// What mode `change` computes of pairs of samples, and which of it counts as a change. The default is
/// the log2 fold change, beyond ± `delta`.
///
/// ```
/// use scvi_framework::{model::queries::ChangeFunctions, prelude::*};
///
/// let difference = |first: &Tensor, second: &Tensor, _: f64| first - second;
/// let functions = ChangeFunctions { change_fn: Some(&difference), m1_domain_fn: None };
/// # let _ = functions;
/// ```
#[derive(Clone, Copy, Default)]
pub struct ChangeFunctions<'a> {
    /// The change, `[n_genes, n_pairs]`, from the frequencies of both groups, each of this shape, and
    /// the pseudocounts. It is called for some genes at a time; and again, for the columns `lfc_*`,
    /// with a thousandth of the pseudocounts.
    pub change_fn: Option<ChangeFn<'a>>,
    /// Where a change `[n_genes, n_pairs]` counts as one up, and where as one down.
    pub m1_domain_fn: Option<DomainFn<'a>>,
}

/// See [`ChangeFunctions::change_fn`].
pub type ChangeFn<'a> = &'a dyn Fn(&Tensor, &Tensor, f64) -> Tensor;
/// See [`ChangeFunctions::m1_domain_fn`].
pub type DomainFn<'a> = &'a dyn Fn(&Tensor) -> [Tensor; 2];

impl ChangeFunctions<'_> {
    /// The change of some genes.
    pub(super) fn change(
        &self,
        first: &Tensor,
        second: &Tensor,
        pseudocounts: f64,
    ) -> Result<Tensor> {
        let Some(change_fn) = self.change_fn else {
            return Ok(log_fold_change(first, second, pseudocounts));
        };
        fitting("change_fn", change_fn(first, second, pseudocounts), first)
    }

    /// Where a change is one up or one down.
    pub(super) fn domain(&self, change: &Tensor, delta: f64) -> Result<[Tensor; 2]> {
        let Some(m1_domain_fn) = self.m1_domain_fn else {
            return Ok([change.ge(delta), change.lt(-delta)]);
        };
        let [up, down] = m1_domain_fn(change);
        Ok([fitting("m1_domain_fn", up, change)?, fitting("m1_domain_fn", down, change)?])
    }
}

/// What a function gave, when it has the shape of what it was given.
fn fitting(name: &str, found: Tensor, like: &Tensor) -> Result<Tensor> {
    let lengths = |tensor: &Tensor| tensor.size().iter().map(|&n| n as usize).collect::<Vec<_>>();
    match found.size() == like.size() {
        true => Ok(found),
        false => Err(Error::Shape {
            what: format!("result of `{name}` (genes, pairs of samples)"),
            expected: lengths(like),
            found: lengths(&found),
        }),
    }
}
