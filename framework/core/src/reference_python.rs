//! The Python whose packages tests compare with.

use std::{env, path::PathBuf, process::Command};

/// The Python named by `SCVI_TEST_PYTHON`, if it has `module`; says why the test is skipped if not.
pub(crate) fn with(module: &str) -> Option<PathBuf> {
    let Some(python) = env::var_os("SCVI_TEST_PYTHON").map(PathBuf::from) else {
        eprintln!("skipped: SCVI_TEST_PYTHON is not set");
        return None;
    };
    let find =
        format!("import importlib.util as u, sys; sys.exit(u.find_spec('{module}') is None)");
    if Command::new(&python).args(["-c", &find]).status().is_ok_and(|status| status.success()) {
        return Some(python);
    }
    eprintln!("skipped: the Python that SCVI_TEST_PYTHON names has no package {module}");
    None
}
