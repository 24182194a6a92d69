//! Work for the threads that libtorch computes with.
//!
//! libtorch's parallel loops run on OpenMP's pool. Its threads wait actively for a while after each
//! loop, so that threads of another pool would compete with them; the runtime's own entry, which
//! compilers call for a parallel region, reaches the same threads.

use std::{
    ffi::c_void,
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use libloading::os::unix::{Library, Symbol};

/// `GOMP_parallel(function, data, n_threads, flags)` of libgomp's interface, which LLVM's runtime
/// offers too.
type Parallel = unsafe extern "C" fn(extern "C" fn(*mut c_void), *mut c_void, u32, u32);

static PARALLEL: LazyLock<Option<Symbol<Parallel>>> = LazyLock::new(|| {
    // SAFETY: the name belongs to this interface, whose signature is fixed; the library was loaded
    // together with libtorch and is never unloaded.
    unsafe { Library::this().get(b"GOMP_parallel\0").ok() }
});

struct Work<'a> {
    next: AtomicUsize,
    n_tasks: usize,
    task: &'a (dyn Fn(usize) + Sync),
}

impl Work<'_> {
    fn run(&self) {
        loop {
            let i = self.next.fetch_add(1, Relaxed);
            if i >= self.n_tasks {
                return;
            }
            (self.task)(i);
        }
    }
}

/// Runs `task(0)`, …, `task(n_tasks - 1)`, each once, in any order, on as many threads as libtorch
/// uses; returns when all are done. Without OpenMP, one after the other. Tasks must not panic: a
/// panic on a thread of the pool ends the process.
pub fn for_each(n_tasks: usize, task: impl Fn(usize) + Sync) {
    let n_threads = usize::try_from(tch::get_num_threads()).unwrap_or(1).min(n_tasks);
    let work = Work { next: AtomicUsize::new(0), n_tasks, task: &task };
    let Some(parallel) = PARALLEL.as_ref().filter(|_| n_threads > 1) else {
        return work.run();
    };
    extern "C" fn share(work: *mut c_void) {
        // SAFETY: `work` is the `Work` below, which lives until the parallel region ends; only its
        // atomic counter is written.
        unsafe { &*work.cast::<Work<'_>>() }.run();
    }
    // SAFETY: `share` reads `work`, which outlives the call, through a shared reference; `Work` is
    // `Sync`, since its task is.
    unsafe {
        parallel(
            (share) as extern "C" fn(*mut c_void),
            (&raw const work).cast_mut().cast(),
            n_threads as u32,
            0,
        )
    };
}

/// A slice of which tasks write separate parts.
pub struct Parts<'a, T> {
    start: *mut T,
    len: usize,
    size: usize,
    _borrow: std::marker::PhantomData<&'a mut [T]>,
}

// SAFETY: `Parts` stands for an exclusive borrow, which tasks take apart without overlap.
unsafe impl<T: Send> Sync for Parts<'_, T> {}

impl<'a, T> Parts<'a, T> {
    /// `slice` in parts of `size` elements, the last one perhaps shorter.
    pub fn of(slice: &'a mut [T], size: usize) -> Self {
        let (start, len) = (slice.as_mut_ptr(), slice.len());
        Self { start, len, size, _borrow: std::marker::PhantomData }
    }

    /// Part `i`; empty past the end.
    ///
    /// # Safety
    /// Each part is taken by one task at a time.
    #[allow(clippy::mut_from_ref, reason = "parts do not overlap")]
    pub unsafe fn part(&self, i: usize) -> &mut [T] {
        let first = (i * self.size).min(self.len);
        let end = (first + self.size).min(self.len);
        // SAFETY: within the borrowed slice; the caller vouches for nobody else having this part.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(first), end - first) }
    }
}
