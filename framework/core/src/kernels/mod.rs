//! The places of a training step where plain loops beat libtorch's operators: the likelihood of counts
//! with its gradient, the optimiser, and the making of minibatches.
//!
//! Each loop is plain Rust over slices, compiled for several instruction sets, of which the best that
//! the processor has is taken at run time (`multiversion`), and cut into tasks that the threads of
//! libtorch's own pool share (`pool`): a second pool would fight with it for the cores. Kernels work
//! on contiguous float32 tensors in memory; for anything else their callers fall back to libtorch.
#![allow(unsafe_code, reason = "memory of tensors and threads of libtorch are reached by pointers")]

mod adam;
mod counts;
mod fresh;
mod math;
mod memory;
mod negative_binomial;
mod pool;

#[cfg(test)]
mod tests;

pub(crate) use adam::{AdamStep, Moments};
pub(crate) use counts::{Counts, CountsSlopes};
pub(crate) use fresh::fresh;
