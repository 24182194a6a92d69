//! Categories that too few cells are of.

use indexmap::IndexMap;

use super::{FieldRegistry, Registry};
use crate::{
    anndata::{AnnData, Element, Slot},
    error::list,
    fields::{Category, numbers},
};

/// Rows from which on a category is not rare: scvi-tools' number.
const ENOUGH: usize = 3;

/// A note for each registered categorical column of `adata` some of whose categories have fewer than
/// 3 cells (or genes), and have any. `adata` is registered in the terms of `registry`.
pub fn rare_categories(adata: &AnnData, registry: &Registry) -> Vec<String> {
    let columns = registry.field_registries.values().flat_map(|field| columns(adata, field));
    columns.filter_map(|column| column.note()).collect()
}

/// A categorical column as it was registered.
struct Column {
    slot: Slot,
    key: String,
    categories: Vec<Category>,
    codes: Vec<f64>,
}

/// The categorical columns of a field: one, several encoded as a table, or none.
fn columns(adata: &AnnData, field: &FieldRegistry) -> Vec<Column> {
    let Some(place) = &field.data_registry else { return Vec::new() };
    let Ok(element) = place.find(adata) else { return Vec::new() };
    let state = &field.state_registry;
    let column = |key: String, categories, codes: &Element| {
        let slot = match place.attr_name {
            Slot::Var | Slot::Varm => Slot::Var,
            _ => Slot::Obs,
        };
        Some(Column { slot, key, categories, codes: numbers(codes)? })
    };
    match element {
        Element::DataFrame(table) => {
            let mappings: IndexMap<String, Vec<Category>> =
                state.read("mappings").unwrap_or_default();
            let coded = |(key, known)| {
                let codes = table.columns.get(&key)?;
                column(key, known, codes)
            };
            mappings.into_iter().filter_map(coded).collect()
        }
        codes => {
            let Some(known) = state.read("categorical_mapping") else { return Vec::new() };
            let key = state.read("original_key").unwrap_or_default();
            column(key, known, codes).into_iter().collect()
        }
    }
}

impl Column {
    fn note(&self) -> Option<String> {
        let mut counts = vec![0; self.categories.len()];
        for &code in &self.codes {
            if let Some(count) = counts.get_mut(code as usize) {
                *count += 1;
            }
        }
        let counted = self.categories.iter().zip(&counts);
        let rare: Vec<String> = counted
            .filter(|(_, count)| (1..ENOUGH).contains(*count))
            .map(|(category, _)| category.json())
            .collect();
        if rare.is_empty() {
            return None;
        }
        let (slot, key, n_all) = (self.slot.name(), &self.key, counts.len());
        let have = if rare.len() == 1 { "has" } else { "have" };
        let rows = if self.slot == Slot::Var { "genes" } else { "cells" };
        Some(format!(
            "{slot} column `{key}`: {} of {n_all} categories {have} fewer than {ENOUGH} {rows} ({}); models may not \
             train properly. Consider merging them with others or leaving them out",
            rare.len(),
            list(&rare)
        ))
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        anndata::{AnnData, Categorical, DataFrame, Element, Slot},
        data::{AnnDataManager, rare_categories},
        fields::{AnnDataField, CategoricalVarField},
    };

    #[test]
    fn genes_are_counted_and_unused_categories_are_not() {
        let mut adata = AnnData::new(DataFrame::new(["c"]), DataFrame::new(["g", "h", "i", "j"]));
        let column = Categorical {
            codes: vec![0i8, 2, 0, 0].into(),
            categories: Box::new(Element::strings(["x", "unused", "y"])),
            ordered: false,
        };
        adata.set(Slot::Var, "chromosome", Element::Categorical(column)).unwrap();
        let field = CategoricalVarField::new("chromosome", Some("chromosome"));
        let manager = AnnDataManager::register_fields(vec![field.boxed()], &mut adata).unwrap();
        assert_eq!(
            rare_categories(&adata, manager.registry()),
            ["var column `chromosome`: 1 of 3 categories has fewer than 3 genes (\"y\"); models \
                 may not train properly. Consider merging them with others or leaving them out"]
        );
    }
}
