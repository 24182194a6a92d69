//! Blocks of rows, gathered into whole results.

use scvi_framework::{
    Error, Result,
    anndata::{DataFrame, Dense, Element, Number, Values},
    model::{OutputSpec, Sink},
    with_values,
};

/// A whole result.
#[derive(Clone, Debug)]
pub struct Gathered {
    /// What it is.
    pub spec: OutputSpec,
    /// Its values, in the shape announced.
    pub content: Content,
}

/// Numbers of one kind, or columns.
#[derive(Clone, Debug)]
pub enum Content {
    /// Numbers.
    Array(Dense),
    /// Columns.
    Table(DataFrame),
}

/// Keeps blocks in memory until everything is there.
#[derive(Debug, Default)]
pub struct Collector {
    results: Vec<(OutputSpec, Blocks)>,
}

#[derive(Debug)]
enum Blocks {
    Arrays(Vec<Dense>),
    Table(Option<DataFrame>),
}

impl Sink for Collector {
    fn begin(&mut self, spec: &OutputSpec) -> Result<()> {
        let blocks = match spec.dtype {
            Some(_) => Blocks::Arrays(Vec::new()),
            None => Blocks::Table(None),
        };
        self.results.push((spec.clone(), blocks));
        Ok(())
    }

    fn rows(&mut self, block: Element) -> Result<()> {
        let Some((spec, blocks)) = self.results.last_mut() else {
            return Err(out_of_turn());
        };
        match blocks {
            Blocks::Arrays(blocks) => blocks.push(dense(spec, block)?),
            Blocks::Table(whole) => {
                let rows = table(spec, block)?;
                *whole = Some(match whole {
                    Some(whole) => whole.chain(&rows)?,
                    None => rows,
                });
            }
        }
        Ok(())
    }
}

impl Collector {
    /// The whole results.
    ///
    /// # Errors
    /// When rows are missing or too many.
    pub fn finish(self) -> Result<Vec<Gathered>> {
        let whole = |(spec, blocks)| match blocks {
            Blocks::Arrays(blocks) => gather(spec, &blocks),
            Blocks::Table(table) => whole_table(spec, table),
        };
        self.results.into_iter().map(whole).collect()
    }

    /// What came before an interruption: the rows of the first table; `None` when there is none.
    pub fn rescue(self) -> Option<Gathered> {
        let (mut spec, blocks) = self.results.into_iter().next()?;
        let Blocks::Table(Some(table)) = blocks else { return None };
        spec.shape = vec![table.n_rows(), table.columns.len()];
        Some(Gathered { spec, content: Content::Table(table) })
    }
}

/// The block as a dense array of the dtype announced.
///
/// # Errors
/// When it is anything else.
pub fn dense(spec: &OutputSpec, block: Element) -> Result<Dense> {
    let expected = match (&block, spec.dtype) {
        (_, None) => "data frame".to_owned(),
        (Element::Dense(dense), Some(dtype)) if dense.values.dtype() == dtype => {
            return Ok(dense.clone());
        }
        (_, Some(dtype)) => format!("dense {} array", dtype.name()),
    };
    Err(Error::Kind { what: format!("result `{}`", spec.name), expected, found: block.kind() })
}

/// The block as rows of a table.
fn table(spec: &OutputSpec, block: Element) -> Result<DataFrame> {
    let fits = |table: &DataFrame| spec.columns.iter().flatten().eq(table.columns.keys());
    match block {
        Element::DataFrame(table) if fits(&table) => Ok(table),
        other => Err(Error::Kind {
            what: format!("result `{}`", spec.name),
            expected: "data frame with the columns announced".into(),
            found: other.kind(),
        }),
    }
}

fn whole_table(spec: OutputSpec, table: Option<DataFrame>) -> Result<Gathered> {
    let found = table.as_ref().map_or(vec![0, 0], |t| vec![t.n_rows(), t.columns.len()]);
    match table {
        Some(table) if found == spec.shape => Ok(Gathered { spec, content: Content::Table(table) }),
        _ => {
            let what = format!("result `{}`", spec.name);
            Err(Error::Shape { what, expected: spec.shape, found })
        }
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
    Ok(Gathered { spec, content: Content::Array(array) })
}
