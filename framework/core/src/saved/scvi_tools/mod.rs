//! Models of scvi-tools: one `model.pt`, read and written; before 0.15 three files, read.
//!
//! The files hold pickles, which in Python can run anything. Nothing of them is run here:
//! they are read into inert nodes (`pickle`), those that a model is made of are understood (`decode`),
//! and the others are left out and listed in [`ModelMeta::notes`].

mod archive;
mod arrays;
mod decode;
mod legacy;
mod minified;
mod names;
mod pickle;
mod tables;
#[cfg(test)]
mod tests;
mod write;

use std::{fs::File, path::Path};

use indexmap::IndexMap;
use serde_json::Value;

use self::{
    archive::Archive,
    arrays::Array,
    decode::{Decoded, Decoder},
    pickle::{Id, Node},
};
use super::{FORMAT_VERSION, ModelMeta, SavedModel};
use crate::{
    anndata::Dense,
    error::{Error, Result},
    params::Args,
};

pub use legacy::{LEGACY_FILE, read_legacy};
pub use minified::rename_minified;
pub(crate) use names::completed;
pub use write::{write, write_with};

/// The name of the file, after the prefix.
pub const FILE: &str = "model.pt";
const EXPECTED: &str = "a model saved by scvi-tools 0.15 or later";

/// Attributes that say nothing about the model itself.
const INCIDENTAL: [&str; 3] = ["get_normalized_function_name_", "run_name_", "run_id_"];
/// The attribute that was the registry before 0.15.
const SETUP_DICT: &str = "scvi_setup_dict_";

/// Reads a `model.pt`, or the one in a folder, `prefix` before its name.
///
/// # Errors
/// When the file cannot be read, is damaged, or is no model of scvi-tools 0.15 or later.
pub fn read(path: &Path, prefix: Option<&str>) -> Result<SavedModel> {
    let file_path = match path.is_dir() {
        true => path.join(format!("{}{FILE}", prefix.unwrap_or_default())),
        false => path.to_owned(),
    };
    let (bytes, archive) = open(&file_path, EXPECTED)?;
    let wrong = |found| Error::SavedFile { path: file_path.clone(), expected: EXPECTED, found };
    let graph = pickle::parse(&bytes).map_err(wrong)?;
    let mut decoder = Decoder::new(&graph, archive.file_len, Some(archive));
    if decoder.get(graph.root, "attr_dict").is_some_and(|a| decoder.get(a, SETUP_DICT).is_some()) {
        return Err(wrong(format!("an earlier one with {SETUP_DICT}")));
    }
    decoder.model().map_err(wrong)
}

/// The archive of PyTorch in this place, and its pickle.
fn open(path: &Path, expected: &'static str) -> Result<(Vec<u8>, Archive)> {
    let io = |source| Error::Io { path: path.into(), action: "open", source };
    let wrong = |found| Error::SavedFile { path: path.into(), expected, found };
    let mut archive = Archive::open(File::open(path).map_err(io)?, path).map_err(wrong)?;
    Ok((archive.pickle().map_err(wrong)?, archive))
}

impl Decoder<'_> {
    fn model(&mut self) -> Result<SavedModel, String> {
        let state_dict = self.part("model_state_dict")?;
        let attributes = self.part("attr_dict")?;
        let names = self.part("var_names")?;
        let weights = self.under("model_state_dict", |d| d.weights(state_dict))?;
        let var_names = self.under("var_names", |d| d.var_names(names))?;
        if self.get(attributes, "registry_").is_none() {
            return Err("attr_dict: a model without registry".into());
        }
        let mut meta = self.under("attr_dict", |d| d.attributes(attributes, var_names))?;
        let name = meta.registry.get("model_name").and_then(Value::as_str);
        meta.model_name = name.ok_or("a registry without the model's name")?.to_owned();
        Ok(SavedModel { meta, weights, optimizer: IndexMap::new() })
    }

    fn part(&self, key: &str) -> Result<Id, String> {
        let root = self.graph.root;
        self.get(root, key).ok_or_else(|| match self.map(root) {
            None => format!("no dict with {key}, but a value {}", self.describe(root)),
            Some(items) => {
                let keys: Vec<_> = items.iter().filter_map(|(k, _)| self.text(*k)).collect();
                format!(
                    "a dict without {key} (its keys: {})",
                    printable(&crate::error::list(&keys))
                )
            }
        })
    }

    fn weights(&mut self, id: Id) -> Result<IndexMap<String, Dense>, String> {
        let items = self.map(id).ok_or("a model_state_dict that is no dict")?;
        let mut weights = IndexMap::new();
        for &(key, value) in items {
            let name = self.text(key).ok_or("a parameter without name")?;
            if name == "pyro_param_store" {
                continue; // other models' parameters; empty in these
            }
            self.charge(name.len())?;
            self.under(name, |d| {
                match d.tensor(value)? {
                    Some(dense) => {
                        weights.insert(name.to_owned(), dense);
                    }
                    None => drop(d.leave_out::<()>(value)?),
                }
                Ok(())
            })?;
        }
        Ok(weights)
    }

    fn var_names(&mut self, id: Id) -> Result<Vec<String>, String> {
        let Some(modalities) = self.map(id) else {
            return self.strings(id)?.ok_or("var_names that are no list of names".into());
        };
        let mut names = Vec::new();
        for &(key, value) in modalities {
            let modality = self.text(key).ok_or("var_names of a modality without name")?;
            names.extend(self.under(modality, |d| d.var_names(value))?);
        }
        self.note("var_names of several modalities were joined, in their order".into());
        Ok(names)
    }

    fn strings(&mut self, id: Id) -> Decoded<Vec<String>> {
        if let Some(Array::Texts(_, texts)) = self.array(id)? {
            return Ok(Some(texts));
        }
        let Some(Value::Array(list)) = self.json(id)? else { return Ok(None) };
        let text = |value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        Ok(Some(list.into_iter().map(text).collect()))
    }

    /// Everything but the weights and the model's name.
    fn attributes(&mut self, id: Id, var_names: Vec<String>) -> Result<ModelMeta, String> {
        let mut meta = ModelMeta {
            format_version: FORMAT_VERSION,
            model_name: String::new(),
            plugin: None,
            init_params: Args::new(),
            registry: Value::Null,
            given_fields: IndexMap::new(),
            var_names,
            is_trained: false,
            training: None,
            mapped: None,
            history: IndexMap::new(),
            train_indices: Vec::new(),
            validation_indices: Vec::new(),
            test_indices: Vec::new(),
            notes: Vec::new(),
        };
        for &(key, value) in self.map(id).ok_or("attributes that are no dict")? {
            let name = self.text(key).ok_or("an attribute without name")?;
            self.under(name, |d| d.attribute(name, value, &mut meta))?;
        }
        meta.notes = std::mem::take(&mut self.notes);
        Ok(meta)
    }

    fn attribute(&mut self, name: &str, id: Id, meta: &mut ModelMeta) -> Result<(), String> {
        match name {
            "registry_" | SETUP_DICT => meta.registry = self.json(id)?.unwrap_or_default(),
            "init_params_" => {
                if let Some(Value::Object(params)) = self.json(id)? {
                    meta.init_params = names::flat_init_params(params);
                }
            }
            "is_trained_" => meta.is_trained = matches!(self.node(id), Node::Bool(true)),
            "history_" => meta.history = self.history(id)?,
            "train_indices_" => meta.train_indices = self.indices(id)?,
            "validation_indices_" => meta.validation_indices = self.indices(id)?,
            "test_indices_" => meta.test_indices = self.indices(id)?,
            name if INCIDENTAL.contains(&name) => {}
            _ if matches!(self.node(id), Node::None) => {}
            _ => drop(self.leave_out::<()>(id)?),
        }
        Ok(())
    }

    fn history(&mut self, id: Id) -> Result<IndexMap<String, Vec<f64>>, String> {
        let mut history = IndexMap::new();
        for &(key, value) in self.map(id).unwrap_or_default() {
            let metric = self.text(key).ok_or("a metric without name")?;
            self.charge(metric.len())?;
            self.under(metric, |d| {
                match d.numbers(value)? {
                    Some(values) => drop(history.insert(metric.to_owned(), values)),
                    None => drop(d.leave_out::<()>(value)?),
                }
                Ok(())
            })?;
        }
        Ok(history)
    }

    fn indices(&mut self, id: Id) -> Result<Vec<usize>, String> {
        let numbers = match self.node(id) {
            Node::None => return Ok(Vec::new()),
            _ => self.numbers(id)?,
        };
        let whole = |x: &f64| *x >= 0.0 && x.fract() == 0.0;
        match numbers {
            Some(numbers) if numbers.iter().all(whole) => {
                self.charge(8 * numbers.len())?;
                Ok(numbers.into_iter().map(|x| x as usize).collect())
            }
            _ => Ok(self.leave_out(id)?.unwrap_or_default()),
        }
    }
}

/// A name out of a file, fit for a terminal.
fn printable(name: &str) -> String {
    const SHOWN: usize = 200;
    let mut chars = name.chars();
    let escape = |c: char| match c.is_control() {
        true => c.escape_default().collect::<Vec<_>>(),
        false => vec![c],
    };
    let shown: String = chars.by_ref().take(SHOWN).flat_map(escape).collect();
    match chars.next() {
        Some(_) => shown + "…",
        None => shown,
    }
}
