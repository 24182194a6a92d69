//! The conformance suite that every model plugin runs: `testkit::conforms::<MyModel>()`.
//!
//! It looks at a model as the host does, as one of the classes that `export_plugin!` lists, but in
//! the same process and without loading a library. It needs the feature `testkit`, which belongs
//! into the `[dev-dependencies]` of a plugin:
//!
//! ```toml
//! [dev-dependencies]
//! scvi-framework = { path = "…", features = ["testkit"] }
//! ```

mod answers;
mod arguments;
mod behaviour;
#[cfg(test)]
mod tests;

use std::sync::Mutex;

use crate::{
    abi::native_models,
    model::{BaseModelClass, ModelDescription},
    params::Args,
    train::TrainParams,
};

/// Rules that do not hold, each a sentence.
type Broken = Vec<String>;

/// libtorch's generator of random numbers is the process's: one model at a time.
static GENERATOR: Mutex<()> = Mutex::new(());

/// Checks the model class `M`, set up without arguments: counts in X, every optional field left out.
///
/// - its description is complete, and every argument has a help text;
/// - every default is valid and survives being written and read;
/// - unknown arguments, and values of the wrong type or out of range, are refused by name;
/// - it trains two epochs on simulated counts, with a finite history under scvi-tools' names;
/// - the same seed gives the same weights, another seed others;
/// - saved to a folder and read again, it has the same state and answers every query as before.
///
/// Put it into an integration test (`tests/conformance.rs`), where no other test draws random
/// numbers meanwhile:
///
/// ```text
/// use scvi_framework::testkit;
///
/// #[test]
/// fn conforms() {
///     testkit::conforms::<my_plugin::MyModel>();
/// }
/// ```
///
/// # Panics
/// With all rules that do not hold.
#[track_caller]
pub fn conforms<M: BaseModelClass>() {
    conforms_with::<M>(&Args::new());
}

/// As [`conforms`], set up with these arguments, and with each of them left out: what the model can
/// do without trains too, and what it cannot is asked for by name.
///
/// The simulated cells have `batch`, `cell_type`, `donor`, `cell_source` (categories),
/// `percent_mito` and `percent_ribo` (numbers) in `obs`, and counts in `X` and in layer `counts`.
///
/// # Panics
/// With all rules that do not hold.
#[track_caller]
pub fn conforms_with<M: BaseModelClass>(setup: &Args) {
    let broken = broken_rules::<M>(setup);
    assert!(broken.is_empty(), "{} does not conform:\n- {}", M::NAME, broken.join("\n- "));
}

fn broken_rules<M: BaseModelClass>(setup: &Args) -> Broken {
    // A test that failed meanwhile leaves nothing behind that matters.
    let _alone = GENERATOR.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let exported = native_models();
    let Some(registration) = exported.iter().find(|model| model.name == M::NAME) else {
        let names: Vec<&str> = exported.iter().map(|model| model.name).collect();
        let names = crate::error::list(&names);
        return vec![format!("it is not exported; `export_plugin!` lists {names}")];
    };
    let class = (registration.make)();
    let mut broken = incomplete(&class.description());
    broken.extend(arguments::check::<M::Setup>("setup"));
    broken.extend(arguments::check::<M::Params>("init"));
    broken.extend(arguments::check::<TrainParams>("train"));
    broken.extend(behaviour::check(class.as_ref(), setup));
    broken
}

/// What a user would look for in vain in `scvi models show`.
fn incomplete(description: &ModelDescription) -> Broken {
    let mut broken = Vec::new();
    if description.about.trim().is_empty() {
        broken.push("`ABOUT` is empty: a sentence and the paper are due".to_owned());
    }
    for method in &description.methods {
        if method.about.trim().is_empty() {
            broken.push(format!("query `{}` does not say what it computes", method.name));
        }
        broken.extend(arguments::check_table(&method.name, &method.args));
    }
    broken
}
