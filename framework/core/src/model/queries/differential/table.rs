//! The table of one comparison.

use tch::{Kind, Tensor};

use super::{DifferentialExpressionParams, counts::OfGroup};
use crate::{
    anndata::{DataFrame, Element, Values},
    error::Result,
};

/// Columns in the order of the genes.
pub(super) struct Columns {
    columns: Vec<(String, Values)>,
    rank_by: Vec<f64>,
    /// Probability of a change, where that is what was asked.
    pub p_de: Option<Vec<f64>>,
    /// What the groups are called.
    pub names: Option<[String; 2]>,
}

impl Columns {
    /// No columns yet; rows will come by this, highest first.
    pub fn new(rank_by: Vec<f64>) -> Self {
        Self { columns: Vec::new(), rank_by, p_de: None, names: None }
    }

    /// A column more.
    pub fn push(&mut self, name: &str, values: impl Into<Values>) {
        self.columns.push((name.into(), values.into()));
    }

    /// Mean frequencies of both groups.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn scales(&mut self, scales: [Tensor; 2]) -> Result<()> {
        for (name, scale) in ["scale1", "scale2"].into_iter().zip(scales) {
            self.push(name, Vec::<f32>::try_from(&scale.to_kind(Kind::Float))?);
        }
        Ok(())
    }

    /// What the counts say.
    pub fn counts(&mut self, first: &OfGroup, second: &OfGroup) {
        let sides = [(1, first), (2, second)];
        for (i, side) in &sides {
            self.push(&format!("raw_mean{i}"), single(&side.mean));
        }
        for (i, side) in &sides {
            self.push(&format!("non_zeros_proportion{i}"), side.non_zeros.clone());
        }
        for (i, side) in &sides {
            self.push(&format!("raw_normalized_mean{i}"), single(&side.normalized));
        }
    }

    /// As a table, genes ranked, false discoveries limited.
    ///
    /// # Errors
    /// Never for columns of one length.
    pub fn table(
        self,
        var_names: &[String],
        params: &DifferentialExpressionParams,
    ) -> Result<DataFrame> {
        let mut order: Vec<usize> = (0..var_names.len()).collect();
        order.sort_by(|&a, &b| self.rank_by[b].total_cmp(&self.rank_by[a]));
        let mut table = DataFrame::new(order.iter().map(|&gene| &var_names[gene]));
        table.index_name = Some("var_names".into());
        let n = order.len();
        for (name, values) in self.columns {
            let column = Element::vector(values.take(order.iter().copied()));
            table.columns.insert(name, column);
        }
        if let Some(p_de) = self.p_de {
            let ranked: Vec<f64> = order.iter().map(|&gene| p_de[gene]).collect();
            let called = discoveries(&ranked, params.fdr_target);
            let name = format!("is_de_fdr_{:?}", params.fdr_target);
            table.columns.insert(name, Element::vector(called));
        }
        if let Some([first, second]) = self.names {
            let comparison = format!("{first} vs {second}");
            for (name, text) in [("comparison", comparison), ("group1", first), ("group2", second)]
            {
                let same = std::iter::repeat_n(text, n);
                table.columns.insert(name.into(), Element::strings(same));
            }
        }
        Ok(table)
    }
}

/// The longest run of genes from the top, `p` descending, of whose discoveries no more than `target`
/// are expected to be false.
pub(super) fn discoveries(p: &[f64], target: f64) -> Vec<bool> {
    let mut expected_false = 0.0;
    let within = p.iter().enumerate().filter(|(i, p)| {
        expected_false += 1.0 - *p;
        expected_false / (*i as f64 + 1.0) <= target
    });
    let n = within.count();
    (0..p.len()).map(|i| i < n).collect()
}

fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}
