//! What the queries of a model answer.

use super::Broken;
use crate::{
    anndata::{AnnData, Element},
    error::{Error, Result},
    model::{DynModel, MethodDescription, OutputSpec, Silent, Sink},
    params::Args,
};

/// Results as they came, block by block.
#[derive(Default, PartialEq)]
pub(super) struct Answer(Vec<(OutputSpec, Vec<Element>)>);

impl Sink for Answer {
    fn begin(&mut self, spec: &OutputSpec) -> Result<()> {
        self.0.push((spec.clone(), Vec::new()));
        Ok(())
    }

    fn rows(&mut self, block: Element) -> Result<()> {
        if let Some((_, blocks)) = self.0.last_mut() {
            blocks.push(block);
        }
        Ok(())
    }
}

impl Answer {
    /// What `model` answers to `method` without arguments; `None` when it cannot do without.
    pub(super) fn ask(
        model: &dyn DynModel,
        method: &MethodDescription,
        adata: &mut AnnData,
    ) -> Result<Option<Self>> {
        tch::manual_seed(0);
        let mut answer = Self::default();
        match model.query(&method.name, adata, &Args::new(), &mut answer, &mut Silent) {
            Ok(()) => Ok(Some(answer)),
            Err(Error::Argument { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Results whose rows are not those that were announced, or that are no numbers.
    pub(super) fn flaws(&self, method: &str) -> Broken {
        let mut broken = Vec::new();
        if self.0.is_empty() {
            broken.push(format!("query `{method}` answers nothing"));
        }
        for (spec, blocks) in &self.0 {
            let what = format!("result `{}` of query `{method}`", spec.name);
            let n_rows: usize =
                blocks.iter().map(|b| b.shape().first().copied().unwrap_or(1)).sum();
            let announced = spec.shape.first().copied().unwrap_or(1);
            if n_rows != announced {
                broken.push(format!("{what} has {n_rows} rows, and {announced} were announced"));
            }
            let is_finite = |block: &Element| match block {
                Element::Dense(dense) => dense.values.to_f64().iter().all(|v| v.is_finite()),
                _ => true,
            };
            if !blocks.iter().all(is_finite) {
                broken.push(format!("{what} has values that are not finite"));
            }
        }
        broken
    }
}
