//! Blocks of rows, gathered into whole results.

use scvi_framework::{
    Error, Result,
    anndata::{Dense, Element, Number, Values},
    model::{OutputSpec, Sink},
    with_values,
};

/// A whole result.
#[derive(Clone, Debug)]
pub struct Gathered {
    /// What it is.
    pub spec: OutputSpec,
    /// Its values, in the shape announced.
    pub array: Dense,
}

/// Keeps blocks in memory until everything is there.
#[derive(Debug, Default)]
pub struct Collector {
    results: Vec<(OutputSpec, Vec<Dense>)>,
}

impl Sink for Collector {
    fn begin(&mut self, spec: &OutputSpec) -> Result<()> {
        self.results.push((spec.clone(), Vec::new()));
        Ok(())
    }

    fn rows(&mut self, block: Element) -> Result<()> {
        let Some((spec, blocks)) = self.results.last_mut() else {
            return Err(out_of_turn());
        };
        blocks.push(dense(spec, block)?);
        Ok(())
    }
}

impl Collector {
    /// The whole results.
    ///
    /// # Errors
    /// When rows are missing or too many.
    pub fn finish(self) -> Result<Vec<Gathered>> {
        self.results.into_iter().map(|(spec, blocks)| gather(spec, &blocks)).collect()
    }
}

/// The block as a dense array of the dtype announced.
///
/// # Errors
/// When it is anything else.
pub fn dense(spec: &OutputSpec, block: Element) -> Result<Dense> {
    let dtype = spec.dtype.name();
    match block {
        Element::Dense(dense) if dense.values.dtype() == spec.dtype => Ok(dense),
        other => Err(Error::Kind {
            what: format!("result `{}`", spec.name),
            expected: format!("dense {dtype} array"),
            found: other.kind(),
        }),
    }
}

/// What a plugin did wrong that sends rows before it says of what.
pub fn out_of_turn() -> Error {
    Error::Kind {
        what: "result".into(),
        expected: "an announcement before the first rows".into(),
        found: "rows".into(),
    }
}

fn gather(spec: OutputSpec, blocks: &[Dense]) -> Result<Gathered> {
    fn join<T: Number>(_: &[T], blocks: &[Dense]) -> Values {
        let typed = blocks.iter().filter_map(|b| T::unwrap(&b.values));
        T::wrap(typed.flat_map(|b| b.iter().copied()).collect())
    }
    let values = match blocks {
        [] => Values::from(Vec::<f32>::new()),
        [one] => one.values.clone(),
        [first, ..] => with_values!(&first.values, b => join(b, blocks)),
    };
    if values.len() != spec.shape.iter().product::<usize>() {
        let rows = blocks.iter().map(|b| b.shape.first().copied().unwrap_or(1)).sum();
        let found = [rows].into_iter().chain(spec.shape.iter().skip(1).copied()).collect();
        let what = format!("result `{}`", spec.name);
        return Err(Error::Shape { what, expected: spec.shape, found });
    }
    let array = Dense { shape: spec.shape.clone(), values };
    Ok(Gathered { spec, array })
}
