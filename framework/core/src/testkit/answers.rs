//! What the queries of a model answer.

use super::Broken;
use crate::{
    anndata::{AnnData, Element, Values},
    error::{Error, Result},
    model::{Answers, DynModel, MethodDescription, Silent},
    params::Args,
};

/// What `model` answers to `method` without arguments; `None` when it cannot do without.
pub(super) fn ask(
    model: &dyn DynModel,
    method: &MethodDescription,
    adata: &mut AnnData,
) -> Result<Option<Answers>> {
    tch::manual_seed(0);
    let mut answers = Answers::default();
    match model.query(&method.name, adata, &Args::new(), &mut answers, &mut Silent) {
        Ok(()) => Ok(Some(answers)),
        Err(Error::Argument { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Results whose rows are not those that were announced, or that are no numbers.
pub(super) fn flaws(answers: &Answers, method: &str) -> Broken {
    let mut broken = Vec::new();
    if answers.0.is_empty() {
        broken.push(format!("query `{method}` answers nothing"));
    }
    for (spec, blocks) in &answers.0 {
        let what = format!("result `{}` of query `{method}`", spec.name);
        let n_rows: usize = blocks.iter().map(|b| b.shape().first().copied().unwrap_or(1)).sum();
        let announced = spec.shape.first().copied().unwrap_or(1);
        if n_rows != announced {
            broken.push(format!("{what} has {n_rows} rows, and {announced} were announced"));
        }
        let are_finite = |values: &Values| values.to_f64().iter().all(|v| v.is_finite());
        let is_finite = |block: &Element| match block {
            Element::Dense(dense) => are_finite(&dense.values),
            Element::Sparse(sparse) => are_finite(&sparse.data),
            _ => true,
        };
        if !blocks.iter().all(is_finite) {
            broken.push(format!("{what} has values that are not finite"));
        }
    }
    broken
}
