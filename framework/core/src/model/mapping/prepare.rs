//! The genes of a query in the terms of a reference: its genes, in its order.

use std::{collections::HashMap, sync::Arc};

use indexmap::IndexMap;

use super::columns::{Places, take_columns, take_rows, take_table};
use crate::{
    anndata::{AnnData, DataFrame, Element, Slot},
    error::{Error, Result},
    params::nearest,
};

/// Below this share of the reference's genes a query says too little.
const ENOUGH: f64 = 0.8;

/// A data set with the genes of a reference, and what became of its own.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The data set: another one than was given, with the same cells.
    pub adata: AnnData,
    /// Genes that both have.
    pub n_shared: usize,
    /// Genes of the reference that the query has not; they have zeros now.
    pub padded: Vec<String>,
    /// How many genes of the query the reference has not; they are left out.
    pub n_dropped: usize,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// A data set in the terms of a reference with these genes: missing genes are padded with zeros, further
/// ones are left out, and all are in the reference's order. Cells, `uns` and `raw` stay; so do tables
/// and matrices about genes, with missing values for what is padded. What is given is not changed: to
/// have it changed in place, put [`Prepared::adata`] into its place.
///
/// ```
/// use scvi_framework::{
///     anndata::{AnnData, DataFrame, Element, Slot},
///     model::prepare_query_anndata,
/// };
///
/// let mut query = AnnData::new(DataFrame::new(["c1"]), DataFrame::new(["g2", "other", "g1"]));
/// query.set(Slot::X, "", Element::matrix(1, 3, vec![2.0f32, 9.0, 1.0])?)?;
/// let reference = ["g1", "g2", "g3"].map(str::to_owned);
/// let prepared = prepare_query_anndata(&query, &reference)?;
/// assert_eq!(prepared.adata.x(), Some(&Element::matrix(1, 3, vec![1.0f32, 2.0, 0.0])?));
/// assert_eq!((prepared.padded, prepared.n_dropped), (vec!["g3".to_owned()], 1));
/// # Ok::<_, scvi_framework::Error>(())
/// ```
///
/// # Errors
/// [`Error::NoSharedGenes`], with what may be the reason; [`Error::RepeatedGenes`].
pub fn prepare_query_anndata(adata: &AnnData, var_names: &[String]) -> Result<Prepared> {
    let found = adata.var_names()?;
    let places = places(adata, var_names)?;
    let n_shared = places.iter().flatten().count();
    let padded: Vec<String> = var_names
        .iter()
        .zip(&*places)
        .filter(|(_, p)| p.is_none())
        .map(|(n, _)| n.clone())
        .collect();
    let n_dropped = found.len() - n_shared;
    let mut notes = Vec::new();
    let share = n_shared as f64 / var_names.len().max(1) as f64;
    if share < ENOUGH {
        notes.push(format!(
            "the query has {:.0} % of the reference's genes, less than {:.0} %: expect it to be mapped badly",
            100.0 * share,
            100.0 * ENOUGH
        ));
    }
    if found.iter().eq(var_names.iter()) {
        return Ok(Prepared { adata: adata.clone(), n_shared, padded, n_dropped, notes });
    }
    let (adata, left_out) = with_genes(adata, var_names, &places)?;
    if !left_out.is_empty() {
        notes.push(format!(
            "left out, as they say nothing of padded genes: {}",
            left_out.join(", ")
        ));
    }
    Ok(Prepared { adata, n_shared, padded, n_dropped, notes })
}

/// As [`prepare_query_anndata`], each modality named in `var_names` with its genes; other modalities
/// stay as they are. The table of all features is made anew.
///
/// # Errors
/// As [`prepare_query_anndata`]; [`Error::NoModality`].
pub fn prepare_query_mudata(
    mdata: &AnnData,
    var_names: &IndexMap<String, Vec<String>>,
) -> Result<(AnnData, IndexMap<String, Prepared>)> {
    let mut prepared = IndexMap::new();
    for (key, names) in var_names {
        let of = prepare_query_anndata(mdata.modality(key)?, names);
        let of =
            of.map_err(|e| Error::InModality { modality: key.clone(), source: Box::new(e) })?;
        prepared.insert(key.clone(), of);
    }
    let of = |key: &str, own: &AnnData| match prepared.get(key) {
        Some(prepared) => prepared.adata.clone(),
        None => own.clone(),
    };
    let modalities: IndexMap<&String, AnnData> =
        mdata.modalities().iter().map(|(key, own)| (key, of(key, own))).collect();
    let mut names = Vec::new();
    for modality in modalities.values() {
        names.extend(modality.var_names()?.iter().map(str::to_owned));
    }
    let mut result = without_genes(mdata, DataFrame::new(&names))?;
    result.extra_mut().shift_remove("varmap"); // where features stand: written anew with the file
    let mut start = 0;
    for (key, modality) in modalities {
        let own = start..start + modality.n_vars();
        start = own.end;
        let mask: Vec<bool> = (0..names.len()).map(|i| own.contains(&i)).collect();
        result.set(Slot::Varm, key, Element::vector(mask))?;
        result.set_modality(key, modality);
    }
    Ok((result, prepared))
}

impl Prepared {
    /// # Errors
    /// [`Error::QueryLacksGenes`] when genes had to be padded.
    pub(super) fn refuse_padded(&self) -> Result<()> {
        if self.padded.is_empty() {
            return Ok(());
        }
        let n_reference = self.adata.n_vars();
        Err(Error::QueryLacksGenes { n_reference, missing: self.padded.clone() })
    }
}

/// Where the reference's genes are in the query.
fn places(adata: &AnnData, var_names: &[String]) -> Result<Arc<Places>> {
    let mut at: HashMap<&str, (usize, usize)> = HashMap::new(); // first place, how often
    for (i, name) in adata.var_names()?.iter().enumerate() {
        at.entry(name).or_insert((i, 0)).1 += 1;
    }
    let repeated = var_names.iter().filter(|n| at.get(n.as_str()).is_some_and(|(_, n)| *n > 1));
    let names: Vec<String> = repeated.cloned().collect();
    if !names.is_empty() {
        return Err(Error::RepeatedGenes { names });
    }
    let places: Vec<Option<usize>> =
        var_names.iter().map(|name| at.get(name.as_str()).map(|(i, _)| *i)).collect();
    if places.iter().all(Option::is_none) {
        return Err(no_shared_genes(adata, var_names));
    }
    Ok(places.into())
}

fn no_shared_genes(adata: &AnnData, reference: &[String]) -> Error {
    let query: Vec<String> =
        adata.var().names().into_iter().flat_map(|n| n.iter().map(str::to_owned)).collect();
    let hint = hint(adata, &query, reference);
    let (n_reference, reference) = (reference.len(), reference.iter().take(4).cloned().collect());
    Error::NoSharedGenes { n_reference, query, reference, hint }
}

/// Why no name is shared, if that can be told.
fn hint(adata: &AnnData, query: &[String], reference: &[String]) -> String {
    let known = |names: &[String]| -> std::collections::HashSet<String> {
        names.iter().map(|name| name.to_lowercase()).collect()
    };
    let reference_names: std::collections::HashSet<&str> =
        reference.iter().map(String::as_str).collect();
    for (key, column) in &adata.var().columns {
        let texts: Vec<&str> = match column {
            Element::Strings(strings) => strings.iter().collect(),
            Element::Categorical(c) => match &*c.categories {
                Element::Strings(strings) => strings.iter().collect(),
                _ => continue,
            },
            _ => continue,
        };
        let n = texts.iter().filter(|text| reference_names.contains(*text)).count();
        if n > 0 {
            return format!(
                "{n} of them are in column `{key}` of var: in Python adata.var_names = adata.var[\"{key}\"]"
            );
        }
    }
    let lower = known(query);
    let n = reference.iter().filter(|name| lower.contains(&name.to_lowercase())).count();
    if n > 0 {
        return format!(
            "{n} differ in upper and lower case alone: is it another species, or another spelling?"
        );
    }
    let stem = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    let is_ensembl = |names: &[String]| names.iter().take(20).all(|name| name.starts_with("ENS"));
    match (is_ensembl(query), is_ensembl(reference)) {
        (true, true) => {
            let stems: std::collections::HashSet<String> =
                query.iter().map(|name| stem(name)).collect();
            match reference.iter().any(|name| stems.contains(&stem(name))) {
                true => "they differ in version numbers (ENSG….12): take these off".into(),
                false => "they are identifiers of other genes: is it another species?".into(),
            }
        }
        (true, false) => {
            "the query has Ensembl identifiers, the reference symbols: give it symbols".into()
        }
        (false, true) => {
            "the query has symbols, the reference Ensembl identifiers: give it these".into()
        }
        (false, false) => match reference.first().and_then(|first| nearest(first, query)) {
            Some(name) => format!("the nearest to the first one is `{name}`"),
            None => "give the query the reference's kind of names".into(),
        },
    }
}

/// The data set with other genes, and what of it had to be left out.
fn with_genes(
    adata: &AnnData,
    names: &[String],
    places: &Arc<Places>,
) -> Result<(AnnData, Vec<String>)> {
    let var = take_table(adata.var(), names, places);
    let mut left_out: Vec<String> =
        adata.var().columns.keys().map(|key| format!("var `{key}`")).collect();
    left_out.retain(|column| !var.columns.keys().any(|key| *column == format!("var `{key}`")));
    let mut result = without_genes(adata, var)?;
    if let Some(x) = adata.x() {
        result.set(Slot::X, "", take_columns(x, places, "X")?)?;
    }
    for (key, layer) in adata.mapping(Slot::Layers).into_iter().flatten() {
        let what = format!("layers[{key:?}]");
        result.set(Slot::Layers, key, take_columns(layer, places, &what)?)?;
    }
    for (key, element) in adata.mapping(Slot::Varm).into_iter().flatten() {
        match take_rows(element, names, places) {
            Some(rows) => result.set(Slot::Varm, key, rows)?,
            None => left_out.push(format!("varm `{key}`")),
        }
    }
    let all: Option<Vec<usize>> = places.iter().copied().collect();
    for (key, element) in adata.mapping(Slot::Varp).into_iter().flatten() {
        match &all {
            Some(all) => {
                let rows = element.take_rows(all)?;
                result.set(Slot::Varp, key, take_columns(&rows, places, key)?)?;
            }
            None => left_out.push(format!("varp `{key}`")),
        }
    }
    Ok((result, left_out))
}

/// Everything of a data set but what is about its genes, for those of `var`.
fn without_genes(adata: &AnnData, var: DataFrame) -> Result<AnnData> {
    let mut result = AnnData::new(adata.obs().clone(), var);
    for slot in [Slot::Obsm, Slot::Obsp, Slot::Uns] {
        for (key, element) in adata.mapping(slot).into_iter().flatten() {
            result.set(slot, key, element.clone())?;
        }
    }
    result.set_raw(adata.raw().cloned());
    *result.extra_mut() = adata.extra().clone();
    Ok(result)
}
