//! The plugin boundary, over real shared libraries that this program does not link.

mod calls;
mod fields;
mod random;
mod refused;

use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use scvi_framework::{abi::Plugin, model::DynModelClass};

/// The shared library of the test plugin `name`, built by cargo for these tests.
pub fn library(name: &str) -> PathBuf {
    let deps = env::current_exe().unwrap().parent().unwrap().to_owned();
    let file = |name: &str| format!("{}{name}{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX);
    let names = [file(&format!("scvi_{name}")), file(name)];
    let found = names.iter().flat_map(|name| [deps.join(name), deps.parent().unwrap().join(name)]);
    found.into_iter().find(|path| path.is_file()).unwrap()
}

/// The echo plugin's class, through its shared library.
fn echo() -> Arc<dyn DynModelClass> {
    let plugin = Plugin::load(&library("echo")).unwrap();
    plugin.classes().unwrap().remove(0)
}

/// Copies the library `name` to `to`, replacing every `old` by the equally long `new`.
pub fn patched(name: &str, to: &Path, old: &[u8], new: &[u8]) -> PathBuf {
    assert_eq!(old.len(), new.len());
    let mut bytes = fs::read(library(name)).unwrap();
    let places: Vec<usize> =
        bytes.windows(old.len()).enumerate().filter(|(_, w)| *w == old).map(|(i, _)| i).collect();
    assert!(!places.is_empty(), "nothing to patch");
    for place in places {
        bytes[place..place + new.len()].copy_from_slice(new);
    }
    fs::write(to, bytes).unwrap();
    to.to_owned()
}
