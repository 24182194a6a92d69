//! Turns panics into messages.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    panic::{self, AssertUnwindSafe, PanicHookInfo},
    sync::Once,
};

thread_local! {
    static CATCHING: Cell<usize> = const { Cell::new(0) };
    static CAUGHT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `f`; a panic on this thread becomes its message and place, and prints nothing.
///
/// # Errors
/// The message of the panic.
pub fn catch<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| match CATCHING.get() {
            0 => before(info),
            _ => CAUGHT.set(Some(describe(info))),
        }));
    });
    CATCHING.set(CATCHING.get() + 1);
    let outcome = panic::catch_unwind(AssertUnwindSafe(f));
    CATCHING.set(CATCHING.get() - 1);
    outcome.map_err(|payload| CAUGHT.take().unwrap_or_else(|| text(&*payload)))
}

fn describe(info: &PanicHookInfo) -> String {
    let text = text(info.payload());
    match info.location() {
        Some(place) => format!("{text} ({}:{})", place.file(), place.line()),
        None => text,
    }
}

/// The message without libtorch's call stack, which helps nobody here.
fn text(payload: &(dyn Any + Send)) -> String {
    let text = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text.as_str(),
        _ => "no message",
    };
    let end = text.find("Exception raised from").unwrap_or(text.len());
    text[..end].trim_end_matches("\\n").trim().to_owned()
}
