//! The matrix of counts: `X` or a layer.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{AnnDataField, AttrLocation, FieldState, SummaryStats, Transfer};
use crate::{
    anndata::{AnnData, Element, Slot},
    data::counts,
    error::{Error, Result},
    registry_keys::REGISTRY_KEYS,
};

/// A matrix of cells by genes: `X` or a layer, checked to hold counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerField {
    registry_key: String,
    layer: Option<String>,
    #[serde(default)]
    allow_noncounts: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mod_key: Option<String>,
}

impl LayerField {
    /// The layer of that name; `X` without a name.
    pub fn new(registry_key: &str, layer: Option<&str>) -> Self {
        let (registry_key, layer) = (registry_key.to_owned(), layer.map(str::to_owned));
        Self { registry_key, layer, allow_noncounts: false, mod_key: None }
    }

    /// Whether negative and fractional values pass. Missing and infinite ones never do.
    #[must_use]
    pub fn allow_noncounts(self, allow: bool) -> Self {
        Self { allow_noncounts: allow, ..self }
    }

    /// The same in the modality `mod_key`.
    #[must_use]
    pub fn in_modality(self, mod_key: &str) -> Self {
        Self { mod_key: Some(mod_key.into()), ..self }
    }

    fn owner<'a>(&self, adata: &'a AnnData) -> Result<&'a AnnData> {
        adata.within(self.mod_key.as_deref())
    }

    fn matrix<'a>(&self, adata: &'a AnnData) -> Result<&'a Element> {
        match &self.layer {
            Some(layer) => adata.get(Slot::Layers, layer),
            None => adata.x().ok_or_else(|| Error::NoX { layers: layers(adata) }),
        }
    }

    fn check_genes(&self, state: &FieldState, target: &AnnData) -> Result<()> {
        let found = target.var_names()?;
        let n_vars = state.read::<usize>("n_vars").unwrap_or(found.len());
        // A writer that kept no gene names left their positions.
        let known: Vec<String> = state.read("column_names").unwrap_or_default();
        if known.is_empty() && n_vars == found.len() || found.iter().eq(known.iter()) {
            return Ok(());
        }
        let here: std::collections::HashSet<&str> = found.iter().collect();
        let absent: Vec<&String> =
            known.iter().filter(|name| !here.contains(name.as_str())).collect();
        let n_shared = known.len() - absent.len();
        let counted = format!("expected {n_vars} genes, found {}", found.len());
        if known.is_empty() {
            let hint = "give the genes that the model was trained on, in its order";
            return Err(Error::OtherGenes { difference: counted, hint });
        }
        if absent.is_empty() && known.len() == found.len() {
            let i = known.iter().zip(found.iter()).take_while(|(a, b)| *a == b).count();
            let difference = format!(
                "the same {n_vars} genes in another order; at position {i} the model has `{}`, the \
                 data `{}`",
                known[i],
                found.get(i)
            );
            let hint = "reorder them: adata[:, var_names of the model]";
            return Err(Error::OtherGenes { difference, hint });
        }
        let mut difference = format!("{counted}; {n_shared} of the model's are among them");
        if let Some(first) = absent.first() {
            difference += &format!(", `{first}` for one is not");
        }
        let hint = if absent.is_empty() {
            "keep the model's genes alone, in its order: adata[:, var_names of the model]"
        } else {
            "give the genes that the model was trained on, in its order"
        };
        Err(Error::OtherGenes { difference, hint })
    }
}

fn layers(adata: &AnnData) -> Vec<String> {
    adata.mapping(Slot::Layers).into_iter().flat_map(|m| m.keys().cloned()).collect()
}

#[typetag::serde]
impl AnnDataField for LayerField {
    fn registry_key(&self) -> &str {
        &self.registry_key
    }

    fn location(&self) -> Option<AttrLocation> {
        let place = match &self.layer {
            Some(layer) => AttrLocation::new(Slot::Layers, layer),
            None => AttrLocation::x(),
        };
        Some(AttrLocation { mod_key: self.mod_key.clone(), ..place })
    }

    fn validate_field(&self, adata: &AnnData) -> Result<()> {
        let adata = self.owner(adata)?;
        let matrix = self.matrix(adata)?;
        let what = self.layer.as_ref().map_or("X".into(), |layer| format!("layers[{layer:?}]"));
        let Some(found) = counts::check(matrix, &what)? else { return Ok(()) };
        if self.allow_noncounts && found.n_not_finite == 0 {
            return Ok(());
        }
        let (cell, gene, value) = found.first;
        let cell = adata.obs_names().map_or(cell.to_string(), |names| names.get(cell).into());
        let gene = adata.var_names().map_or(gene.to_string(), |names| names.get(gene).into());
        Err(Error::NotCounts {
            found: format!(
                "{} of {} stored values are {}",
                found.n_bad(),
                found.n_values,
                found.wrong()
            ),
            first: format!("{value} in cell `{cell}`, gene `{gene}`"),
            hint: self.hint(adata, found.n_not_finite > 0),
            what,
        })
    }

    fn register_field(&self, adata: &mut AnnData) -> Result<FieldState> {
        let adata = self.owner(adata)?;
        let column_names: Vec<&str> = adata.var_names()?.iter().collect();
        Ok([
            ("n_obs", json!(adata.n_obs())),
            ("n_vars", json!(adata.n_vars())),
            ("column_names", json!(column_names)),
        ]
        .into_iter()
        .collect())
    }

    fn transfer_field(
        &self,
        state: &FieldState,
        target: &mut AnnData,
        _: Transfer,
    ) -> Result<FieldState> {
        self.check_genes(state, self.owner(target)?)?;
        self.validate_field(target)?;
        self.register_field(target)
    }

    fn get_summary_stats(&self, state: &FieldState) -> SummaryStats {
        let n = |name| state.read::<usize>(name).unwrap_or(0);
        if !self.registry_key.eq_ignore_ascii_case(REGISTRY_KEYS.x) {
            return SummaryStats::one(format!("n_{}", self.registry_key), n("n_vars"));
        }
        let mut stats = SummaryStats::one("n_cells", n("n_obs"));
        stats.0.insert("n_vars".into(), n("n_vars") as i64);
        stats
    }
}

impl LayerField {
    /// Where counts are, if somewhere; else how to go on without.
    fn hint(&self, adata: &AnnData, not_finite: bool) -> String {
        if self.layer.is_some() && adata.x().is_some_and(counts::is_counts) {
            return "X holds counts: leave --layer out".into();
        }
        let others = layers(adata).into_iter().filter(|name| Some(name) != self.layer.as_ref());
        for name in others {
            if adata.get(Slot::Layers, &name).is_ok_and(counts::is_counts) {
                return format!("layers[{name:?}] holds counts: use --layer {name}");
            }
        }
        if adata.raw().is_some_and(|raw| counts::is_counts(&raw.x)) {
            return "raw holds counts: put them into a layer (in Python: adata.layers[\"counts\"] = \
                    adata.raw[:, adata.var_names].X) and use --layer counts"
                .into();
        }
        if not_finite {
            return "repair or drop these cells or genes".into();
        }
        "give raw counts, or --allow-noncounts to use these values as they are".into()
    }
}
