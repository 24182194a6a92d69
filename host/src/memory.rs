//! What becomes of memory that is given back.

use std::hint::black_box;

/// The largest block from which glibc learns, less room for what it notes beside it.
const LEARNT_FROM: usize = (32 << 20) - (64 << 10);

/// Has the allocator keep memory for the next minibatch. glibc returns large blocks to the system, which
/// hands out zeroed pages for each anew, until it has seen one of that size come and go; other allocators
/// lose nothing by this. Nothing is written, so that nothing is taken up.
pub fn keep_what_is_given_back() {
    drop(black_box(Vec::<u8>::with_capacity(LEARNT_FROM)));
}
