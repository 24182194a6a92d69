//! `scvi data`: make a data set, look at one.

use std::path::Path;

use scvi_framework::{
    anndata::AnnData,
    data::{Simulation, Simulator, SyntheticIid, synthetic_iid},
    params::Params,
};
use scvi_h5ad::{ImportOptions, import};

use crate::{
    describe::Description,
    failure::{Error, Result},
    files,
    plan::{Format, Simulate, Structure, Ui},
    results::Output,
    staged, term,
};

/// Writes a simulated data set.
pub fn synthetic(plan: &Simulate, seed: i64, ui: &Ui) -> Result<()> {
    let Ok(Output::H5ad(out)) = Output::of(&plan.out) else {
        return Err(Error::Ending { path: plan.out.clone(), expected: ".h5ad" });
    };
    staged::check_file(&out, plan.overwrite)?;
    let mut args = plan.args.clone();
    args.insert("seed".into(), seed.into());
    let adata = match plan.structure {
        Structure::CellTypes => in_blocks(&Simulation::from_args(&args)?, &out)?,
        Structure::Iid => {
            let adata = synthetic_iid(&SyntheticIid::from_args(&args)?)?;
            files::write_h5ad(&out, &adata)?;
            adata
        }
    };
    let (n, g) = (term::count(adata.n_obs(), "cell"), term::count(adata.n_vars(), "gene"));
    ui.say(format!("wrote {n} × {g} to {}", out.display()));
    Ok(())
}

/// Simulates counts block by block, each written before the next one is drawn; gives back what has
/// been written beside them.
fn in_blocks(p: &Simulation, out: &Path) -> Result<AnnData> {
    const BLOCK: usize = 4096;
    let simulator = Simulator::new(p);
    let adata = simulator.cells()?;
    let starts = (0..p.n_obs).step_by(BLOCK);
    let blocks = starts.map(|start| simulator.counts(start..(start + BLOCK).min(p.n_obs)));
    scvi_h5ad::write_in_blocks(out, &adata, blocks)?;
    Ok(adata)
}

/// Describes a data set.
pub fn show(file: &Path, ui: &Ui) -> Result<()> {
    let description = Description::of(&import(file, &ImportOptions::default())?.adata)?;
    match ui.format {
        Format::Json => term::print_json(&description.json()),
        Format::Text => term::print(&description.show()),
    }
}
