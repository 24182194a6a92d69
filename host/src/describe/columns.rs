//! Which columns could say the batch or the label of a cell.

use std::collections::BTreeMap;

use scvi_framework::{
    anndata::Element,
    serde_json::{Value, json},
};

use crate::{labels::labels, term};

/// More categories than this are names, not groups.
const MOST_CATEGORIES: usize = 500;

/// What a column could be used as, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Where technical differences come from.
    Batch,
    /// What a cell is.
    Label,
    /// Its name tells nothing.
    Unknown,
}

/// A column that sorts cells into groups.
#[derive(Debug)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What its name suggests.
    pub role: Role,
    kind: String,
    /// Largest first.
    groups: Vec<(String, usize)>,
    missing: usize,
}

impl Column {
    /// Counts its groups, and calls it by its name behind `prefix`; `None` for what does not sort cells into at least two groups.
    pub fn of(prefix: &str, name: &str, column: &Element) -> Option<Self> {
        let labels = labels(column)?;
        let n_rows = labels.len();
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        let mut missing = 0;
        for label in labels {
            match label {
                Some(label) => *counts.entry(label).or_default() += 1,
                None => missing += 1,
            }
        }
        let whole_number = matches!(column, Element::Dense(_));
        let most = if whole_number { 50 } else { MOST_CATEGORIES };
        if name.starts_with("_scvi") || !(2..=most.min(n_rows / 2)).contains(&counts.len()) {
            return None;
        }
        let mut groups: Vec<(String, usize)> = counts.into_iter().collect();
        groups.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        let (role, kind) = (Role::of(name), column.kind());
        Some(Self { name: format!("{prefix}{name}"), role, kind, groups, missing })
    }

    /// A row of the table.
    pub fn row(&self) -> [String; 6] {
        let group = |g: Option<&(String, usize)>| {
            g.map(|(label, n)| format!("{label} ({})", term::grouped(*n))).unwrap_or_default()
        };
        let mut n = self.groups.len().to_string();
        if self.missing > 0 {
            n += &format!(", {} missing", term::grouped(self.missing));
        }
        let role = match self.role {
            Role::Batch => "batch",
            Role::Label => "label",
            Role::Unknown => "",
        };
        [
            self.name.clone(),
            self.kind.clone(),
            n,
            group(self.groups.first()),
            group(self.groups.last()),
            role.into(),
        ]
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let groups: Vec<Value> =
            self.groups.iter().map(|(label, n)| json!({ "category": label, "n_obs": n })).collect();
        json!({ "name": self.name, "kind": self.kind, "missing": self.missing, "categories": groups })
    }
}

impl Role {
    fn of(name: &str) -> Self {
        const BATCH: [&str; 14] = [
            "batch",
            "sample",
            "donor",
            "patient",
            "library",
            "plate",
            "study",
            "source",
            "site",
            "protocol",
            "tech",
            "assay",
            "dataset",
            "chemistry",
        ];
        const LABEL: [&str; 9] = [
            "label",
            "cell_type",
            "celltype",
            "cell type",
            "annotation",
            "cluster",
            "leiden",
            "louvain",
            "lineage",
        ];
        let name = name.to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
        match (has(&LABEL), has(&BATCH)) {
            (true, _) => Self::Label,
            (false, true) => Self::Batch,
            (false, false) => Self::Unknown,
        }
    }
}
