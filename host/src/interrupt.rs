//! Ctrl-C: the first asks the running job to stop after its step, the second ends the program.

use std::sync::{
    Once,
    atomic::{AtomicBool, Ordering},
};

static REQUESTED: AtomicBool = AtomicBool::new(false);
static WATCHING: Once = Once::new();

/// From now on Ctrl-C no longer ends the program at once.
pub fn watch() {
    WATCHING.call_once(|| {
        let handler = || {
            if REQUESTED.swap(true, Ordering::SeqCst) {
                std::process::exit(130);
            }
            crate::term::tell("\nstopping after this step; Ctrl-C again aborts at once");
        };
        // Without a handler Ctrl-C ends the program, which is the system's way.
        drop(ctrlc::set_handler(handler));
    });
}

/// Whether Ctrl-C was pressed since [`watch`].
pub fn requested() -> bool {
    REQUESTED.load(Ordering::SeqCst)
}
