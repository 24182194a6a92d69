//! CUDA found at run time: the same program serves machines with and without it.

use std::path::{Path, PathBuf};

/// Opens libtorch's CUDA part if it lies beside the libtorch in use or in `$LIBTORCH/lib`, which
/// makes GPUs appear. To be called before the first tensor; false when there is none.
pub fn enable() -> bool {
    let beside = libtorch_folder();
    let installed = std::env::var_os("LIBTORCH").map(|root| PathBuf::from(root).join("lib"));
    let names = [std::env::consts::DLL_PREFIX, "torch_cuda", std::env::consts::DLL_SUFFIX].concat();
    let found = beside.into_iter().chain(installed).map(|folder| folder.join(&names));
    found.into_iter().filter(|path| path.is_file()).any(|path| open(&path))
}

/// Where the libtorch of this process lies.
fn libtorch_folder() -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let path = maps.lines().find(|line| line.ends_with("/libtorch_cpu.so"))?;
    Some(Path::new(&path[path.find('/')?..]).parent()?.to_owned())
}

#[cfg(unix)]
fn open(path: &Path) -> bool {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
    // SAFETY: a part of the libtorch that is already loaded; its constructors register the backend.
    let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) };
    library.map(std::mem::forget).is_ok()
}

#[cfg(not(unix))]
fn open(path: &Path) -> bool {
    // SAFETY: as above.
    let library = unsafe { libloading::Library::new(path) };
    library.map(std::mem::forget).is_ok()
}
