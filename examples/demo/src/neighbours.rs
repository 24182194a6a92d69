//! Nearest neighbours, exactly.

use anyhow::Result;
use scvi_framework::tch::{Kind, Tensor};

/// Rows compared with all others at a time.
const CHUNK: i64 = 1024;

/// The nearest neighbours of each cell, without itself, nearest first.
pub struct Neighbours {
    /// How many each cell has.
    pub k: usize,
    /// Their positions, `k` per cell.
    pub indices: Vec<i64>,
}

impl Neighbours {
    /// By comparing every cell with every other. `space`: float32 `[n_cells, n_dims]`.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn of(space: &Tensor, k: i64) -> Result<Self> {
        let n = space.size()[0];
        let norms = (space * space).sum_dim_intlist([1i64].as_slice(), false, Kind::Float); // [n]
        let mut indices = Vec::new();
        for start in (0..n).step_by(CHUNK as usize) {
            let len = CHUNK.min(n - start);
            let rows = space.narrow(0, start, len);
            let own = norms.narrow(0, start, len).unsqueeze(1);
            let squared = own + &norms - rows.matmul(&space.tr()) * 2.0; // [len, n]
            let _ = squared.narrow(1, start, len).fill_diagonal_(f64::INFINITY, false);
            let (_, which) = squared.topk(k, 1, false, true); // [len, k]
            indices.extend(Vec::<i64>::try_from(which.reshape([-1]))?);
        }
        Ok(Self { k: k as usize, indices })
    }

    /// The neighbours of one cell.
    pub fn of_cell(&self, cell: usize) -> &[i64] {
        &self.indices[cell * self.k..(cell + 1) * self.k]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_on_a_line_are_the_next_ones() -> Result<()> {
        let space = Tensor::from_slice(&[0f32, 1.0, 3.0, 7.0]).view([4, 1]);
        let near = Neighbours::of(&space, 2)?;
        assert_eq!(near.indices, [1, 2, 0, 2, 1, 0, 2, 1]);
        Ok(())
    }
}
