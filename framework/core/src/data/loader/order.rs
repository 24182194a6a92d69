//! In which order cells come.

use rand_mt::Mt;

use crate::data::permutation::shuffle;

/// Neighbouring cells that are read together when the order is [`Order::ShuffledInBlocks`].
pub const BLOCK: usize = 64;
/// Cells among which the order is uniform when it is [`Order::ShuffledInBlocks`].
pub const BUFFER: usize = 16_384;

/// In which order cells come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// As the indices have them.
    #[default]
    Sequential,
    /// Another one each epoch, fixed by the seed and the number of the epoch; all are equally likely.
    Shuffled {
        /// Fixes the orders.
        seed: u64,
    },
    /// As [`Order::Shuffled`], and made so that data on disk can be read in it at speed: the cells, in
    /// the order of the data set, are cut into blocks of [`BLOCK`] neighbours; the blocks are shuffled
    /// and dealt to buffers of equal size, none larger than [`BUFFER`] cells; and the cells of each
    /// buffer are shuffled. With no more than [`BUFFER`] cells this is [`Order::Shuffled`] itself.
    ShuffledInBlocks {
        /// Fixes the orders.
        seed: u64,
    },
}

impl Order {
    /// How many of `n_cells` cells in this order are best read from disk at once.
    pub(super) fn window(self, n_cells: usize) -> usize {
        match self {
            Self::ShuffledInBlocks { .. } => buffer(n_cells),
            Self::Sequential | Self::Shuffled { .. } => BUFFER,
        }
    }

    /// The cells `indices` in their order in epoch `epoch`.
    pub(super) fn arrange(self, indices: &[usize], epoch: usize) -> Vec<usize> {
        let random = |seed: u64| Mt::new_with_key([seed as u32, (seed >> 32) as u32, epoch as u32]);
        let mut cells = indices.to_vec();
        match self {
            Self::Sequential => cells,
            Self::ShuffledInBlocks { seed } if cells.len() > BUFFER => {
                in_blocks(&mut random(seed), cells)
            }
            Self::Shuffled { seed } | Self::ShuffledInBlocks { seed } => {
                shuffle(&mut random(seed), &mut cells);
                cells
            }
        }
    }
}

fn in_blocks(random: &mut Mt, mut cells: Vec<usize>) -> Vec<usize> {
    cells.sort_unstable();
    let mut blocks: Vec<&[usize]> = cells.chunks(BLOCK).collect();
    shuffle(random, &mut blocks);
    let mut order = blocks.concat();
    order.chunks_mut(buffer(cells.len())).for_each(|buffer| shuffle(random, buffer));
    order
}

/// Cells in a buffer: as many in each of as few as possible.
fn buffer(n_cells: usize) -> usize {
    n_cells.div_ceil(n_cells.div_ceil(BUFFER).max(1)).max(1)
}
