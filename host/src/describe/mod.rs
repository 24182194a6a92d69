//! A data set for people: what is in it, whether it holds counts, which columns could serve.

mod columns;
mod matrix;

use scvi_framework::{
    anndata::{AnnData, Slot},
    serde_json::{Value, json},
};

use columns::Column;
use matrix::Matrix;

use crate::term;

/// Everything that `scvi data show` tells.
#[derive(Debug)]
pub struct Description {
    repr: String,
    shape: [usize; 2],
    modalities: Vec<(String, [usize; 2])>,
    matrices: Vec<Matrix>,
    columns: Vec<Column>,
}

impl Description {
    /// Looks at all values of all matrices.
    ///
    /// # Errors
    /// When a matrix on disk cannot be read.
    pub fn of(adata: &AnnData) -> scvi_framework::Result<Self> {
        let (mut matrices, mut columns) = (Vec::new(), Vec::new());
        look(adata, "", &mut matrices, &mut columns)?;
        for (name, modality) in adata.modalities() {
            // As mudata calls what is of a modality.
            look(modality, &format!("{name}:"), &mut matrices, &mut columns)?;
        }
        let shape = |adata: &AnnData| [adata.n_obs(), adata.n_vars()];
        let modalities = adata.modalities().iter();
        let modalities = modalities.map(|(name, part)| (name.clone(), shape(part))).collect();
        let (repr, shape) = (adata.to_string(), shape(adata));
        Ok(Self { repr, shape, modalities, matrices, columns })
    }

    /// For people.
    pub fn show(&self) -> String {
        let mut text = format!("{}\n", self.repr);
        if !self.matrices.is_empty() {
            let header = ["Matrix", "Kind", "Non-zero", "Range", "Holds", "Empty cells"];
            text += "\n";
            text += &term::table(header, self.matrices.iter().map(Matrix::row));
        }
        if !self.columns.is_empty() {
            let header = ["Column of obs", "Kind", "Categories", "Largest", "Smallest", "Could be"];
            text += "\n";
            text += &term::table(header, self.columns.iter().map(Column::row));
        }
        if let Some(hint) = self.hint() {
            text += &format!("\nhint: {hint}\n");
        }
        text
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let modality = |(name, [n_obs, n_vars]): &(String, [usize; 2])| json!({ "name": name, "n_obs": n_obs, "n_vars": n_vars });
        json!({
            "n_obs": self.shape[0],
            "n_vars": self.shape[1],
            "modalities": self.modalities.iter().map(modality).collect::<Vec<_>>(),
            "matrices": self.matrices.iter().map(Matrix::json).collect::<Vec<_>>(),
            "columns": self.columns.iter().map(Column::json).collect::<Vec<_>>(),
        })
    }

    fn hint(&self) -> Option<String> {
        let x = self.matrices.iter().find(|m| m.name == "X")?;
        if x.holds_counts() {
            let empty = x.empty_cells;
            return (empty > 0)
                .then(|| format!("{} in X without any count", term::count(empty, "cell")));
        }
        let other = self.matrices.iter().find(|m| m.name != "X" && m.holds_counts());
        Some(match other {
            Some(other) => format!("X holds no counts, but {} does", other.name),
            None => "nothing here holds counts; models of counts need the raw ones".into(),
        })
    }
}

/// Looks at a data set, or at a modality, whose matrices and columns get its name before theirs.
fn look(
    adata: &AnnData,
    prefix: &str,
    matrices: &mut Vec<Matrix>,
    columns: &mut Vec<Column>,
) -> scvi_framework::Result<()> {
    let mut matrix = |name: String, element| -> scvi_framework::Result<()> {
        matrices.extend(Matrix::of(format!("{prefix}{name}"), element)?);
        Ok(())
    };
    if let Some(x) = adata.x() {
        matrix("X".into(), x)?;
    }
    for (name, layer) in adata.mapping(Slot::Layers).into_iter().flatten() {
        matrix(format!("layers['{name}']"), layer)?;
    }
    if let Some(raw) = adata.raw() {
        matrix("raw.X".into(), &raw.x)?;
    }
    let of_obs = adata.obs().columns.iter();
    columns.extend(of_obs.filter_map(|(name, column)| Column::of(prefix, name, column)));
    Ok(())
}

#[cfg(test)]
mod tests;
