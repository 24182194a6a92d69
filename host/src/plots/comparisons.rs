//! Differential expression as a table, in the columns that scvi-tools writes.

use std::{fs::File, path::Path};

use csv::ReaderBuilder;
use scvi_framework::{
    anndata::{DataFrame, Element},
    params::nearest,
};

use crate::failure::{Error, Result};

/// The posterior probability ratio from which one speaks of a difference (Kass and Raftery 1995).
const BAYES_FACTOR: f64 = 3.0;

/// Two groups of cells, compared gene by gene.
#[derive(Debug)]
pub struct Comparison {
    /// `T vs Rest`
    pub title: String,
    /// `T`
    pub group: String,
    /// The genes, in the order of the table.
    pub genes: Vec<Gene>,
}

/// How a gene differs.
#[derive(Debug)]
pub struct Gene {
    /// Its name.
    pub name: String,
    /// log₂ fold change, of the first group to the second.
    pub lfc: f64,
    /// How sure that is; larger is surer.
    pub evidence: f64,
    /// Whether it counts as different.
    pub is_de: bool,
}

/// Which of the two tables it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A fold change with its posterior: the evidence is `−log₁₀` of the probability of no change.
    Change,
    /// Two hypotheses: the evidence is the size of the Bayes factor.
    Vanilla,
}

/// All comparisons of a table.
#[derive(Debug)]
pub struct Comparisons {
    /// What the numbers mean.
    pub mode: Mode,
    /// Below this fold change there is no difference, where the table says so.
    pub delta: Option<f64>,
    /// Each pair of groups.
    pub pairs: Vec<Comparison>,
}

impl Comparisons {
    /// From a file of values between commas or tabs.
    ///
    /// # Errors
    /// When it cannot be read, or is no such table.
    pub fn read(path: &Path) -> Result<Self> {
        let failed = |source: csv::Error| Error::Read { path: path.into(), source: source.into() };
        let tabs = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("tsv"));
        let file = File::open(path).map_err(|source| Error::Read { path: path.into(), source })?;
        let mut reader =
            ReaderBuilder::new().delimiter(if tabs { b'\t' } else { b',' }).from_reader(file);
        let heads: Vec<String> =
            reader.headers().map_err(failed)?.iter().map(str::to_owned).collect();
        let mut cells: Vec<Vec<String>> = vec![Vec::new(); heads.len()];
        for record in reader.records() {
            let record = record.map_err(failed)?;
            cells.iter_mut().zip(&record).for_each(|(column, cell)| column.push(cell.to_owned()));
        }
        let mut columns = heads.into_iter().zip(&cells);
        let mut frame = DataFrame::new(columns.next().map_or(&[][..], |(_, names)| names));
        frame.columns = columns.map(|(name, column)| (name, Element::strings(column))).collect();
        Self::of(&frame, &path.display().to_string())
    }

    /// From a table called `name` in messages, a row for each gene and comparison.
    ///
    /// # Errors
    /// [`Error::NotCompared`] when columns are missing, [`Error::NoNumber`] where one should be.
    pub fn of(table: &DataFrame, name: &str) -> Result<Self> {
        let rows = Rows { table, name };
        let mode = match table.columns.contains_key("proba_not_de") {
            true => Mode::Change,
            false => Mode::Vanilla,
        };
        let needed: &[&str] = match mode {
            Mode::Change => &["lfc_mean", "proba_not_de", "comparison", "group1"],
            Mode::Vanilla => &["bayes_factor", "scale1", "scale2", "comparison", "group1"],
        };
        let missing = needed.iter().filter(|column| !table.columns.contains_key(**column));
        let missing: Vec<&str> = missing.copied().collect();
        if !missing.is_empty() {
            let found = table.columns.keys().cloned().collect();
            let missing = missing.into_iter().map(str::to_owned).collect();
            return Err(Error::NotCompared { table: name.into(), missing, found });
        }
        let genes = match mode {
            Mode::Change => rows.change()?,
            Mode::Vanilla => rows.vanilla()?,
        };
        let delta = match table.columns.contains_key("delta") {
            true => rows.numbers("delta")?.first().copied(),
            false => None,
        };
        let mut pairs: Vec<Comparison> = Vec::new();
        let names = rows.texts("comparison")?.into_iter().zip(rows.texts("group1")?);
        for (gene, (title, group)) in genes.into_iter().zip(names) {
            match pairs.iter_mut().find(|pair| pair.title == title) {
                Some(pair) => pair.genes.push(gene),
                None => pairs.push(Comparison { title, group, genes: vec![gene] }),
            }
        }
        Ok(Self { mode, delta, pairs })
    }

    /// Only those of these groups, in the order asked for; all when none is named.
    ///
    /// # Errors
    /// [`Error::UnknownGroup`].
    pub fn only(mut self, asked: &[String]) -> Result<Self> {
        if asked.is_empty() {
            return Ok(self);
        }
        let mut kept = Vec::new();
        for name in asked {
            let is_meant = |pair: &Comparison| pair.group == *name || pair.title == *name;
            let (meant, rest): (Vec<_>, Vec<_>) = self.pairs.into_iter().partition(is_meant);
            if meant.is_empty() && !kept.iter().any(is_meant) {
                let all = rest.into_iter().chain(kept);
                let mut known: Vec<String> = all.map(|pair| pair.group).collect();
                known.sort();
                known.dedup();
                let nearest = nearest(name, &known);
                return Err(Error::UnknownGroup { name: name.clone(), nearest, known });
            }
            kept.extend(meant);
            self.pairs = rest;
        }
        Ok(Self { pairs: kept, ..self })
    }
}

/// A table by its columns.
struct Rows<'a> {
    table: &'a DataFrame,
    name: &'a str,
}

impl Rows<'_> {
    /// Where no sample of the posterior lacked the change, the evidence is beyond what the samples
    /// can say; it is drawn a third of a power of ten above the surest gene that can be told.
    fn change(&self) -> Result<Vec<Gene>> {
        let no_change = self.numbers("proba_not_de")?;
        let least = no_change.iter().copied().filter(|&p| p > 0.0).fold(1.0, f64::min);
        let floor = least / 2.0;
        let is_de = match self.table.columns.keys().find(|name| name.starts_with("is_de_fdr_")) {
            Some(name) => {
                self.texts(name)?.iter().map(|word| word == "True" || word == "true").collect()
            }
            None => no_change.iter().map(|&p| p < 0.05).collect::<Vec<bool>>(),
        };
        let lfc = self.numbers("lfc_mean")?;
        let genes = self.names()?.into_iter().zip(lfc).zip(no_change).zip(is_de);
        Ok(genes
            .map(|(((name, lfc), p), is_de)| Gene {
                name,
                lfc,
                evidence: -p.max(floor).log10(),
                is_de,
            })
            .collect())
    }

    fn vanilla(&self) -> Result<Vec<Gene>> {
        let scales = self.numbers("scale1")?.into_iter().zip(self.numbers("scale2")?);
        let lfc = scales.map(|(one, two)| ((one + 1e-9) / (two + 1e-9)).log2());
        let genes = self.names()?.into_iter().zip(lfc).zip(self.numbers("bayes_factor")?);
        Ok(genes
            .map(|((name, lfc), factor)| {
                let evidence = factor.abs();
                Gene { name, lfc, evidence, is_de: evidence > BAYES_FACTOR }
            })
            .collect())
    }

    fn names(&self) -> Result<Vec<String>> {
        self.read("name of the gene", &self.table.index)
    }

    fn texts(&self, column: &str) -> Result<Vec<String>> {
        self.read(column, self.table.column("table", column)?)
    }

    fn read(&self, column: &str, element: &Element) -> Result<Vec<String>> {
        match element {
            Element::Strings(texts) => Ok(texts.iter().map(str::to_owned).collect()),
            Element::Dense(dense) if dense.values.dtype().name() == "bool" => {
                Ok(dense.values.to_f64().iter().map(|&v| (v != 0.0).to_string()).collect())
            }
            other => Err(self.no(column, 0, other.kind(), "words")),
        }
    }

    fn numbers(&self, column: &str) -> Result<Vec<f64>> {
        let texts = match self.table.column("table", column)? {
            Element::Dense(dense) => return Ok(dense.values.to_f64()),
            Element::Strings(texts) => texts,
            other => return Err(self.no(column, 0, other.kind(), "numbers")),
        };
        let number = |(row, text): (usize, &str)| match text {
            "" => Ok(f64::NAN),
            text => text.parse().map_err(|_| self.no(column, row, text.into(), "a number")),
        };
        texts.iter().enumerate().map(number).collect()
    }

    fn no(&self, column: &str, row: usize, found: String, expected: &'static str) -> Error {
        let (table, column) = (self.name.into(), column.into());
        Error::NoNumber { table, column, row: row + 1, expected, found }
    }
}

#[cfg(test)]
mod tests;
