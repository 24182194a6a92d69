//! The summary that Python prints of a data set, letter for letter.

use std::fmt;

use super::{AnnData, Element, Scalar, Slot};

/// The summary that Python prints: the shape, and the names in every place that holds some. For a
/// multi-modal data set (MuData) what is its own, then each modality.
impl fmt::Display for AnnData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n_obs, n_vars) = (self.n_obs(), self.n_vars());
        if self.modalities().is_empty() {
            write!(f, "AnnData object with n_obs × n_vars = {n_obs} × {n_vars}")?;
            return places(f, self, "    ", ": ", |_, _| true);
        }
        let shared = match self.extra().get(AXIS) {
            Some(Element::Scalar(Scalar::Number(axis))) if axis.get_f64(0) == 1.0 => {
                " (shared var) "
            }
            Some(Element::Scalar(Scalar::Number(axis))) if axis.get_f64(0) == -1.0 => {
                " (shared obs and var) "
            }
            _ => "",
        };
        write!(f, "MuData object with n_obs × n_vars = {n_obs} × {n_vars}{shared}")?;
        // What repeats the modalities is shown with them.
        let is_own = |slot, key: &str| {
            let separator = if matches!(slot, Slot::Obs | Slot::Var) { ":" } else { "" };
            let mut names = self.modalities().keys();
            !names.any(|name| key.starts_with(&format!("{name}{separator}")))
        };
        places(f, self, "  ", ":\t", is_own)?;
        let n = self.modalities().len();
        write!(f, "\n  {n} modalit{}", if n == 1 { "y" } else { "ies" })?;
        for (name, modality) in self.modalities() {
            write!(f, "\n    {name}:\t{} × {}", modality.n_obs(), modality.n_vars())?;
            places(f, modality, "      ", ":\t", |_, _| true)?;
        }
        Ok(())
    }
}

/// Where a multi-modal data set keeps which axis its modalities share: 0 cells, 1 features, -1 both.
pub const AXIS: &str = "axis";

const ORDER: [Slot; 8] =
    [Slot::Obs, Slot::Var, Slot::Uns, Slot::Obsm, Slot::Varm, Slot::Layers, Slot::Obsp, Slot::Varp];

fn places(
    f: &mut fmt::Formatter<'_>,
    adata: &AnnData,
    indent: &str,
    separator: &str,
    is_shown: impl Fn(Slot, &str) -> bool,
) -> fmt::Result {
    for slot in ORDER {
        let keys = adata.mapping(slot).into_iter().flat_map(|m| m.keys());
        let keys: Vec<String> = keys.filter(|k| is_shown(slot, k)).map(|k| quoted(k)).collect();
        if !keys.is_empty() {
            write!(f, "\n{indent}{}{separator}{}", slot.name(), keys.join(", "))?;
        }
    }
    Ok(())
}

/// A name in quotes, as Python chooses and escapes them.
pub(crate) fn quoted(name: &str) -> String {
    let quote = if name.contains('\'') && !name.contains('"') { '"' } else { '\'' };
    let mut text = String::from(quote);
    for c in name.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            c if c == quote => text.extend(['\\', c]),
            c => text.push(c),
        }
    }
    text.push(quote);
    text
}
