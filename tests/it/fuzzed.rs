//! Inputs of the fuzz targets, and those that once made one fail: every reader survives them.

#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::{fs, path::Path};

/// Memory that all inputs together may take, libtorch included, in kilobytes.
const MOST_MEMORY: usize = 600 << 10;

#[test]
fn inputs_that_were_found_do_no_harm() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    for (name, target) in targets::TARGETS {
        let mut n_inputs = 0;
        for kind in ["corpus", "regressions"] {
            for entry in fs::read_dir(folder.join(kind).join(name)).into_iter().flatten() {
                target(&fs::read(entry.unwrap().path()).unwrap());
                n_inputs += 1;
            }
        }
        assert!(n_inputs > 0, "no inputs for {name}");
    }
    let Ok(status) = fs::read_to_string("/proc/self/status") else { return };
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: usize = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < MOST_MEMORY, "{peak} kB were taken");
}
