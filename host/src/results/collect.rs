//! Blocks of rows, gathered into whole results.

use scvi_framework::{
    Error, Result,
    anndata::{DataFrame, Dense, Element, Values},
    model::{OutputSpec, Sink},
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
    Tables(Vec<DataFrame>),
}

impl Sink for Collector {
    fn begin(&mut self, spec: &OutputSpec) -> Result<()> {
        let blocks = match spec.dtype {
            Some(_) => Blocks::Arrays(Vec::new()),
            None => Blocks::Tables(Vec::new()),
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
            Blocks::Tables(blocks) => blocks.push(table(spec, block)?),
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
            Blocks::Tables(blocks) => stack(spec, &blocks),
        };
        self.results.into_iter().map(whole).collect()
    }

    /// What came before an interruption: the rows of the first table; `None` when there are none.
    ///
    /// # Errors
    /// When its blocks do not fit together.
    pub fn rescue(self) -> Result<Option<Gathered>> {
        let Some((mut spec, Blocks::Tables(blocks))) = self.results.into_iter().next() else {
            return Ok(None);
        };
        if blocks.is_empty() {
            return Ok(None);
        }
        spec.shape = shape(&blocks);
        stack(spec, &blocks).map(Some)
    }
}

/// The block as a dense array of the dtype announced; zeros are filled in where they were left out.
///
/// # Errors
/// When it is anything else.
pub fn dense(spec: &OutputSpec, block: Element) -> Result<Dense> {
    match block {
        Element::Dense(dense) if Some(dense.values.dtype()) == spec.dtype => Ok(dense),
        Element::Sparse(sparse) if Some(sparse.data.dtype()) == spec.dtype => Ok(sparse.to_dense()),
        other => Err(Error::Kind {
            what: format!("result `{}`", spec.name),
            expected: spec
                .dtype
                .map_or("data frame".into(), |d| format!("dense {} array", d.name())),
            found: other.kind(),
        }),
    }
}

/// The block as rows of a table.
fn table(spec: &OutputSpec, block: Element) -> Result<DataFrame> {
    let fits = |table: &DataFrame| {
        let plain = |column: &Element| {
            matches!(column, Element::Dense(_) | Element::Strings(_))
                && column.shape() == [table.n_rows()]
        };
        let named = spec.columns.iter().flatten().eq(table.columns.keys());
        named && table.columns.values().chain([&*table.index]).all(plain)
    };
    match block {
        Element::DataFrame(table) if fits(&table) => Ok(table),
        other => Err(Error::Kind {
            what: format!("result `{}`", spec.name),
            expected: "data frame with the columns announced, each as many numbers or texts as there are rows".into(),
            found: other.kind(),
        }),
    }
}

/// Rows and columns of tables one upon the other.
fn shape(blocks: &[DataFrame]) -> Vec<usize> {
    let n_columns = blocks.first().map_or(0, |block| block.columns.len());
    vec![blocks.iter().map(DataFrame::n_rows).sum(), n_columns]
}

fn stack(spec: OutputSpec, blocks: &[DataFrame]) -> Result<Gathered> {
    let found = shape(blocks);
    if found != spec.shape {
        let what = format!("result `{}`", spec.name);
        return Err(Error::Shape { what, expected: spec.shape, found });
    }
    Ok(Gathered { spec, content: Content::Table(DataFrame::stack(blocks)?) })
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
    let values = match blocks {
        [] => Values::from(Vec::<f32>::new()),
        blocks => Values::concat(blocks.iter().map(|block| &block.values))?,
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
