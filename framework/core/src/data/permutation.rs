//! Random orders that equal numpy's.

use rand_mt::Mt;

/// The order that `numpy.random.RandomState(seed).permutation(n)` gives.
pub fn permutation(seed: u32, n: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    shuffle(&mut Mt::new(seed), &mut order);
    order
}

/// Shuffles as numpy's legacy generator does: from the end, each place with one drawn by masked
/// rejection.
pub(super) fn shuffle<T>(random: &mut Mt, entries: &mut [T]) {
    for i in (1..entries.len()).rev() {
        entries.swap(i, draw(random, i as u64) as usize);
    }
}

/// Uniform on `0..=max`.
fn draw(random: &mut Mt, max: u64) -> u64 {
    let mask = u64::MAX >> max.leading_zeros();
    loop {
        let value = if max <= u64::from(u32::MAX) {
            u64::from(random.next_u32())
        } else {
            u64::from(random.next_u32()) << 32 | u64::from(random.next_u32())
        };
        if value & mask <= max {
            return value & mask;
        }
    }
}
