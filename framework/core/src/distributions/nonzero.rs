//! The non-zero counts of a minibatch.
//!
//! Most counts are zero, and there every likelihood is simple. The expensive functions (log gamma
//! and its derivative) are evaluated at the other counts only, and added to the dense part.

use tch::Tensor;

use crate::error::Result;

/// Where the counts of a minibatch are not zero, and what they are there.
pub(super) struct NonZero {
    /// The counts `[n_nonzero]`.
    pub x: Tensor,
    /// `cell * n_vars + gene`, ascending `[n_nonzero]`.
    positions: Tensor,
    /// `gene` `[n_nonzero]`.
    genes: Tensor,
}

impl NonZero {
    /// Of counts `[n_cells, n_vars]`.
    pub fn of(x: &Tensor) -> Result<Self> {
        let (_, n_vars) = x.size2()?;
        let coordinates = x.f_nonzero()?; // [n_nonzero, 2]
        let (cells, genes) = (coordinates.select(1, 0), coordinates.select(1, 1).contiguous());
        let positions = cells * n_vars + &genes;
        let x = x.f_reshape([-1])?.f_index_select(0, &positions)?;
        Ok(Self { x, positions, genes })
    }

    /// The values of `dense` there: from `[.., n_cells, n_vars]` or, when all cells share them, from
    /// `[n_vars]`, to `[.., n_nonzero]`.
    pub fn pick(&self, dense: &Tensor) -> Result<Tensor> {
        if dense.dim() == 1 {
            return Ok(dense.f_index_select(0, &self.genes)?);
        }
        Ok(dense.f_flatten(-2, -1)?.f_index_select(-1, &self.positions)?)
    }

    /// `function` of `dense` there, evaluated where fewer values are: before picking when all cells
    /// share them, after it otherwise.
    pub fn pick_mapped(
        &self,
        dense: &Tensor,
        function: impl Fn(&Tensor) -> Tensor,
    ) -> Result<Tensor> {
        if dense.dim() == 1 {
            self.pick(&function(dense))
        } else {
            Ok(function(&self.pick(dense)?))
        }
    }

    /// `dense` `[.., n_cells, n_vars]` with `values` `[.., n_nonzero]` added there.
    pub fn add_to(&self, dense: &Tensor, values: &Tensor) -> Result<Tensor> {
        let sum = dense.f_flatten(-2, -1)?.f_index_add(-1, &self.positions, values)?;
        Ok(sum.f_view_as(dense)?)
    }
}
