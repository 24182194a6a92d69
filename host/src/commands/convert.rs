//! `scvi data convert`: an `.h5ad` file of what other programs write.

use std::collections::HashSet;

use scvi_framework::anndata::AnnData;
use scvi_h5ad::{Imported, import};

use crate::{
    failure::{Error, Result},
    files,
    plan::{Convert, Ui},
    results::Output,
    staged, term,
};

/// Reads, chooses a modality where there are some, and writes.
pub fn run(plan: &Convert, ui: &Ui) -> Result<()> {
    let Ok(Output::H5ad(dst)) = Output::of(&plan.dst) else {
        return Err(Error::Ending { path: plan.dst.clone(), expected: ".h5ad" });
    };
    staged::check_file(&dst, plan.overwrite)?;
    ui.step(format!("reading {}", plan.src.display()));
    let Imported { adata, source, renamed } = import(&plan.src, &plan.options)?;
    let adata = modality(plan, adata)?;
    files::write_h5ad(&dst, &adata)?;
    let (n, g) = (term::count(adata.n_obs(), "cell"), term::count(adata.n_vars(), "feature"));
    ui.say(format!("wrote {n} × {g} of {} to {}", source.name(), dst.display()));
    if let Some(note) = repeated(&adata, renamed) {
        ui.say(format!("note: {note}"));
    }
    Ok(())
}

/// The data set itself, or the modality that is meant.
fn modality(plan: &Convert, adata: AnnData) -> Result<AnnData> {
    let found: Vec<String> = adata.modalities().keys().cloned().collect();
    let name = match (&plan.modality, &found[..]) {
        (None, []) => return Ok(adata),
        (None, [only]) => only,
        (Some(asked), all) if all.contains(asked) => asked,
        (asked, _) => {
            let (path, asked) = (plan.src.clone(), asked.clone());
            return Err(Error::Modality { path, asked, found });
        }
    };
    Ok(adata.modality(name)?.clone())
}

/// What to know about names of features that occur more than once.
fn repeated(adata: &AnnData, renamed: usize) -> Option<String> {
    if renamed > 0 {
        let n = term::count(renamed, "feature name");
        return Some(format!("{n} occurred before and got a number, e.g. `GENE-1`"));
    }
    let mut seen = HashSet::new();
    let names = adata.var().names()?;
    let (mut n, mut first) = (0, None);
    for name in names.iter().filter(|name| !seen.insert(*name)) {
        n += 1;
        first = first.or(Some(name));
    }
    let first = first?;
    let n = term::count(n, "feature name");
    Some(format!(
        "{n} occurred before, first `{first}`; in Python adata.var_names_make_unique() numbers them"
    ))
}
