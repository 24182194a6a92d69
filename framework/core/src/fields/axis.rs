//! The two axes of a data set, so that a kind of field is written once for both.

use std::fmt::Debug;

use crate::anndata::{AnnData, DataFrame, Slot};

/// Along which axis of a data set a field reads.
pub trait Axis: Clone + Debug + PartialEq + Send + Sync + 'static {
    /// Where its columns lie.
    const COLUMNS: Slot;
    /// Where its matrices lie.
    const MATRICES: Slot;
    /// What its rows are.
    const ROWS: &'static str;

    /// The table of its columns.
    fn table(adata: &AnnData) -> &DataFrame;
}

/// Along the cells.
#[derive(Clone, Debug, PartialEq)]
pub struct Obs;

/// Along the genes.
#[derive(Clone, Debug, PartialEq)]
pub struct Var;

impl Axis for Obs {
    const COLUMNS: Slot = Slot::Obs;
    const MATRICES: Slot = Slot::Obsm;
    const ROWS: &'static str = "cells";

    fn table(adata: &AnnData) -> &DataFrame {
        adata.obs()
    }
}

impl Axis for Var {
    const COLUMNS: Slot = Slot::Var;
    const MATRICES: Slot = Slot::Varm;
    const ROWS: &'static str = "genes";

    fn table(adata: &AnnData) -> &DataFrame {
        adata.var()
    }
}

/// Implements [`AnnDataField`](super::AnnDataField) once for several types, each registered under
/// a name of its own: serde's tags are given to types without parameters only.
macro_rules! kinds {
    ($($name:tt => $kind:ty),+; $body:tt) => {
        $(
            #[typetag::serde(name = $name)]
            impl AnnDataField for $kind $body
        )+
    };
}
pub(super) use kinds;
