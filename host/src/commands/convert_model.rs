//! `scvi convert`: a saved model from one program to the other.

use std::{fs, path::Path};

use scvi_framework::{
    Error as FrameworkError,
    anndata::AnnData,
    saved::{Found, Layout, SavedModel, find, folder, scvi_tools},
};
use scvi_h5ad::Backing;

use crate::{
    failure::{Error, Result},
    files,
    plan::{ConvertModel, Ui},
    session::Session,
    staged,
};

/// Reads, and writes for the other program.
pub fn run(plan: &ConvertModel, session: &Session, ui: &Ui) -> Result<()> {
    let found = find(&plan.src, None)?;
    let saved = read(&found, plan.model.as_deref(), session)?;
    let adata = plan.adata.clone().or_else(|| Some(found.adata()).filter(|file| file.is_file()));
    let adata = adata.as_deref();
    let (dst, overwrite) = (&plan.dst, plan.overwrite.into());
    let prefix = plan.prefix.as_deref();
    let reader = match (found.layout, prefix) {
        (Layout::Ours, prefix) => {
            if prefix.is_none() {
                staged::check_model(dst, plan.overwrite)?;
            }
            scvi_tools::write_with(dst, &saved, prefix, overwrite, |staging| {
                let name = format!("{}{}", prefix.unwrap_or_default(), folder::ADATA);
                adata.map_or(Ok(()), |file| copy_for_scvi_tools(file, &staging.join(name), &saved))
            })?;
            "scvi-tools"
        }
        (_, None) => {
            staged::check_model(dst, plan.overwrite)?;
            folder::write_with(dst, &saved, overwrite, |staging| {
                adata.map_or(Ok(()), |file| copy(file, &staging.join(folder::ADATA)))
            })?;
            "this program"
        }
        (_, Some(prefix)) => {
            let (name, found) = ("prefix".into(), format!("`{prefix}`"));
            let expected = "none, since a model of ours is a folder of its own".into();
            return Err(FrameworkError::Argument { name, expected, found }.into());
        }
    };
    let with = if adata.is_some() { ", with its data set" } else { "" };
    ui.say(format!("wrote the model to {} for {reader}{with}", dst.display()));
    notes(&saved, found.layout).iter().for_each(|note| ui.say(format!("note: {note}")));
    Ok(())
}

fn read(found: &Found, class: Option<&str>, session: &Session) -> Result<SavedModel> {
    let Some(class) = class else { return Ok(found.read()?) };
    let listed = session.listed().into_iter().find(|m| m.name.eq_ignore_ascii_case(class));
    let class = listed.map_or_else(|| class.to_owned(), |listed| listed.name);
    let saved = found.read_as(&class)?;
    if saved.meta.model_name == class {
        return Ok(saved);
    }
    let (what, expected, found) = ("saved model".into(), class, saved.meta.model_name);
    Err(FrameworkError::Kind { what, expected, found }.into())
}

/// What is not the same on the other side.
fn notes(saved: &SavedModel, from: Layout) -> Vec<String> {
    let mut notes = saved.meta.notes.clone();
    if from == Layout::Ours && !saved.meta.given_fields.is_empty() {
        let keys: Vec<&str> = saved.meta.given_fields.keys().map(String::as_str).collect();
        notes.push(format!("scvi-tools does not know the fields given: {}", keys.join(", ")));
    }
    notes
}

fn copy(file: &Path, target: &Path) -> Result<()> {
    let copied = fs::copy(file, target);
    copied.map(drop).map_err(|source| Error::Read { path: file.into(), source })
}

/// Copies a data set, what a minified one keeps under the names that it has in scvi-tools.
fn copy_for_scvi_tools(file: &Path, target: &Path, saved: &SavedModel) -> Result<()> {
    let rename = |backed| -> Result<(bool, AnnData)> {
        let mut adata = files::read_h5ad(file, backed)?;
        Ok((scvi_tools::rename_minified(&mut adata, &saved.meta.model_name)?, adata))
    };
    let (is_minified, _) = rename(Backing::Disk)?;
    match is_minified {
        true => files::write_h5ad(target, &rename(Backing::Memory)?.1),
        false => copy(file, target),
    }
}
