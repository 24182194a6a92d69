//! The set-up that every command starts with: compilers there, libtorch and cmake fetched.
//!
//! What is fetched lies in the user's cache, once for all checkouts; `.deps` holds links to it.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};

use crate::{cache, prerequisites, python::Python, workspace::Workspace};

/// Files from wheels that make one folder of `.deps`.
struct Bundle {
    name: &'static str,
    /// Pinned wheels with their hashes; the first line's version is the bundle's.
    requirements: &'static str,
    size: &'static str,
    /// `prefix=target` for each member of the wheels that is kept.
    rules: &'static [&'static str],
    /// Links inside: name, target.
    links: &'static [(&'static str, &'static str)],
    /// The files without which it would not work.
    essential: &'static [&'static str],
}

const LIBTORCH: Bundle = Bundle {
    name: "libtorch",
    requirements: include_str!("../requirements-libtorch.txt"),
    size: "540 MB",
    rules: &[
        "torch/lib/libc10.so=lib/libc10.so",
        "torch/lib/libtorch_cpu.so=lib/libtorch_cpu.so",
        "torch/lib/libgomp=lib/libgomp",
        "torch/include/=include/",
        "torch-2.11.0.dist-info/licenses/=licenses/libtorch/",
        "nvidia/cu13/lib/libcudart.so.=lib/libcudart.so.",
        "nvidia/cu13/lib/libcupti.so.=lib/libcupti.so.",
        "nvidia_cuda_runtime-13.0.96.dist-info/licenses/=licenses/cudart/",
        "nvidia_cuda_cupti-13.0.85.dist-info/licenses/=licenses/cupti/",
    ],
    // The wheel's libtorch.so is empty and would pull in CUDA; its name is what torch-sys links.
    links: &[("lib/libtorch.so", "libtorch_cpu.so")],
    essential: &[
        "lib/libc10.so",
        "lib/libtorch_cpu.so",
        "lib/libgomp.so.1",
        "lib/libcudart.so.13",
        "lib/libcupti.so.13",
        "include/torch/csrc/api/include/torch/torch.h",
    ],
};

const CMAKE: Bundle = Bundle {
    name: "cmake",
    requirements: include_str!("../requirements-cmake.txt"),
    size: "30 MB",
    rules: &["cmake/data/bin/=bin/", "cmake/data/share/=share/", "cmake/data/doc/=doc/"],
    links: &[],
    essential: &["bin/cmake"],
};

/// Makes sure that the packages can be built; quick when they can.
///
/// # Errors
/// Says what is missing and what to do.
pub fn ensure(workspace: &Workspace) -> Result<()> {
    prerequisites::check()?;
    let deps = workspace.deps();
    cache::create(&deps)?;
    match own_libtorch(&deps) {
        Some(installed) => adopt_libtorch(&installed, &deps)?,
        None => LIBTORCH.provide(&deps)?,
    }
    CMAKE.provide(&deps)
}

/// The libtorch that the user asks for by `LIBTORCH`; cargo itself sets it to the one in `.deps`.
fn own_libtorch(deps: &Path) -> Option<PathBuf> {
    let given = PathBuf::from(env::var_os("LIBTORCH").filter(|v| !v.is_empty())?);
    (given != deps.join("libtorch")).then_some(given)
}

fn adopt_libtorch(installed: &Path, deps: &Path) -> Result<()> {
    let library = installed.join("lib/libtorch_cpu.so");
    ensure!(
        library.exists(),
        "LIBTORCH={}: expected an installed libtorch, found no lib/libtorch_cpu.so; \
         unset LIBTORCH to have one fetched",
        installed.display()
    );
    let header = installed.join("include/torch/headeronly/version.h");
    let text = fs::read_to_string(&header)
        .with_context(|| format!("LIBTORCH={}: no {}", installed.display(), header.display()))?;
    let (found, expected) = (header_version(&text), LIBTORCH.version());
    ensure!(
        found == expected,
        "LIBTORCH={}: expected libtorch {expected}, found {found}; \
         unset LIBTORCH to have {expected} fetched",
        installed.display()
    );
    link(&std::path::absolute(installed)?, &deps.join("libtorch"))
}

/// `2.11.0` from the lines `#define TORCH_VERSION_MAJOR 2` and so on.
fn header_version(header: &str) -> String {
    let part = |name: &str| {
        let line = header.lines().find(|line| line.contains(&format!("define {name} ")));
        line.and_then(|line| line.split_whitespace().last()).unwrap_or("?").to_owned()
    };
    ["TORCH_VERSION_MAJOR", "TORCH_VERSION_MINOR", "TORCH_VERSION_PATCH"].map(part).join(".")
}

impl Bundle {
    /// Puts the bundle, or a link to it, into `deps`.
    fn provide(&self, deps: &Path) -> Result<()> {
        let place = deps.join(self.name);
        let put_there_by_hand = place.is_dir() && !place.is_symlink();
        if put_there_by_hand {
            return self.check_essential(&place);
        }
        let folder = cache::folder()?.join(format!("{}-{}", self.name, self.version()));
        if !self.is_complete(&folder) {
            self.fetch(&folder).with_context(|| {
                format!("set-up of {} {}, in {}", self.name, self.version(), folder.display())
            })?;
        }
        link(&folder, &place)
    }

    fn fetch(&self, folder: &Path) -> Result<()> {
        let python = Python::find()?;
        let (name, version, size) = (self.name, self.version(), self.size);
        eprintln!("fetching {name} {version} ({size}, once) into {}", folder.display());
        let wheels = folder.with_file_name(format!("{name}-{version}.wheels"));
        cache::create(&wheels)?;
        for requirement in self.pinned() {
            python.download(requirement, &wheels).with_context(|| {
                format!(
                    "a wheel could not be fetched. Is there a network? The same command again \
                     goes on where this one stopped. Without a network: PIP_NO_INDEX=1 and \
                     PIP_FIND_LINKS=FOLDER, with the wheels of xtask/requirements-{name}.txt in it"
                )
            })?;
        }
        eprintln!("unpacking {name}");
        let draft = cache::draft(folder)?;
        python.unpack(&wheels, &draft, self.rules)?;
        for (name, target) in self.links {
            std::os::unix::fs::symlink(target, draft.join(name))?;
        }
        self.check_essential(&draft)?;
        cache::write(&draft.join("complete"), &self.stamp(&draft)?)?;
        cache::publish(&draft, folder, |folder| self.is_complete(folder))?;
        cache::remove(&wheels)
    }

    /// True when the folder was filled to the end, from these wheels, and is still so.
    fn is_complete(&self, folder: &Path) -> bool {
        let written = fs::read_to_string(folder.join("complete"));
        written.is_ok_and(|written| self.stamp(folder).is_ok_and(|stamp| stamp == written))
    }

    /// The wheels' pins and the sizes of the essential files.
    fn stamp(&self, folder: &Path) -> Result<String> {
        let mut stamp: String = self.pinned().map(|line| format!("{line}\n")).collect();
        for file in self.essential {
            let path = folder.join(file);
            let size = path.metadata().with_context(|| path.display().to_string())?.len();
            stamp.push_str(&format!("{size} {file}\n"));
        }
        Ok(stamp)
    }

    fn check_essential(&self, folder: &Path) -> Result<()> {
        for file in self.essential {
            let path = folder.join(file);
            ensure!(
                path.exists(),
                "{}: not found; remove {} and run the same command again",
                path.display(),
                folder.display()
            );
        }
        Ok(())
    }

    fn version(&self) -> &str {
        let first = self.pinned().next().and_then(|line| line.split_whitespace().next());
        first.and_then(|pin| pin.split_once("==")).map_or("", |(_, version)| version)
    }

    fn pinned(&self) -> impl Iterator<Item = &str> {
        self.requirements.lines().filter(|line| !line.starts_with('#') && !line.is_empty())
    }
}

/// Makes `place` a link to `target`, unless it is one.
fn link(target: &Path, place: &Path) -> Result<()> {
    if fs::read_link(place).is_ok_and(|found| found == target) {
        return Ok(());
    }
    let failed = || format!("{}: could not be linked to {}", place.display(), target.display());
    if place.is_symlink() {
        fs::remove_file(place).with_context(failed)?;
    }
    std::os::unix::fs::symlink(target, place).with_context(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundles_are_named_by_their_first_pin() {
        assert_eq!(LIBTORCH.version(), "2.11.0");
        assert_eq!(LIBTORCH.pinned().count(), 3);
        assert!(CMAKE.pinned().all(|line| line.contains("--hash=sha256:")));
    }

    #[test]
    fn header_version_reads_the_three_defines() {
        let header = "#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR 11\n\
                      #define TORCH_VERSION_PATCH 0\n#define TORCH_VERSION \"2.11.0\"";
        assert_eq!(header_version(header), "2.11.0");
        assert_eq!(header_version(""), "?.?.?");
    }

    #[test]
    fn a_bundle_is_complete_until_a_file_of_it_changes() -> Result<()> {
        let folder = env::temp_dir().join(format!("scvi-xtask-{}", std::process::id()));
        cache::create(&folder.join("bin"))?;
        cache::write(&folder.join("bin/cmake"), "a program")?;
        assert!(!CMAKE.is_complete(&folder));
        cache::write(&folder.join("complete"), &CMAKE.stamp(&folder)?)?;
        assert!(CMAKE.is_complete(&folder));
        cache::write(&folder.join("bin/cmake"), "half a")?;
        assert!(!CMAKE.is_complete(&folder));
        cache::remove(&folder)
    }
}
