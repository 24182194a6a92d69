//! Noise of an epoch, from its number.

use rand_mt::Mt;

/// Sets libtorch's generator for epoch `epoch`, from 0. Dropout and samples are thus a function of
/// seed and epoch, as the order of cells is: a training that goes on between two epochs needs no
/// generator's state, and nothing that drew in between matters.
pub fn seed_epoch(seed: i64, epoch: usize) {
    // A key of four words: that of the order has three.
    let mut random = Mt::new_with_key([seed as u32, (seed >> 32) as u32, epoch as u32, 1]);
    let words = [random.next_u32(), random.next_u32()];
    tch::manual_seed((i64::from(words[1]) << 32) | i64::from(words[0]));
}
