//! Columns that sort cells into groups, as text.

use scvi_framework::anndata::{Categorical, Element, Values};

/// The group of each cell as text, `None` where missing; nothing for other kinds of columns.
pub fn labels(column: &Element) -> Option<Vec<Option<String>>> {
    match column {
        Element::Categorical(Categorical { codes, categories, .. }) => {
            let names = labels(categories)?;
            let name = |code: i64| names.get(usize::try_from(code).ok()?).cloned().flatten();
            Some(codes.to_i64().iter().map(|&code| name(code)).collect())
        }
        Element::Strings(strings) => Some(strings.iter().map(|s| Some(s.into())).collect()),
        Element::Nullable(nullable) => {
            let values = labels(&nullable.values)?;
            let masked = values.into_iter().zip(nullable.mask.iter());
            Some(masked.map(|(value, &missing)| value.filter(|_| !missing)).collect())
        }
        Element::Dense(dense) => match &dense.values {
            Values::Bool(b) => {
                Some(b.iter().map(|&v| Some(if v { "True" } else { "False" }.into())).collect())
            }
            Values::Float16(_) | Values::Float32(_) | Values::Float64(_) => None,
            whole => Some(whole.to_i64().iter().map(|v| Some(v.to_string())).collect()),
        },
        _ => None,
    }
}
