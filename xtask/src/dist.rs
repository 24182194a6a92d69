//! `cargo xtask build`: a folder that runs wherever it is copied to.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::{cache, files, licences, process, setup, workspace::Workspace};

#[derive(clap::Args)]
pub struct Args {
    /// Profile of cargo: `release` goes to target/dist, another one to target/dist-PROFILE.
    #[arg(long, default_value = "release")]
    profile: String,
}

/// Sets up, builds, lays out, and says where it is.
///
/// # Errors
/// When something cannot be fetched, built or written.
pub fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    let dist = build(workspace, &args.profile)?;
    println!("{}", dist.join("bin/scvi").display());
    Ok(())
}

/// Sets up, builds and lays out; gives back the folder.
///
/// # Errors
/// When something cannot be fetched, built or written.
pub fn build(workspace: &Workspace, profile: &str) -> Result<PathBuf> {
    setup::ensure(workspace)?;
    let plugins: Vec<(&str, &str)> = workspace
        .packages_in("plugins")
        .filter_map(|p| Some((p.name.as_str(), p.shared_library.as_deref()?)))
        .collect();
    let mut build = workspace.cargo();
    build.args(["build", "--profile", profile, "--package", "scvi-host"]);
    for (package, _) in &plugins {
        build.args(["--package", package]);
    }
    process::run(&mut build)?;

    let built = workspace.target.join(if profile == "dev" { "debug" } else { profile });
    let dist = match profile {
        "release" => workspace.target.join("dist"),
        other => workspace.target.join(format!("dist-{other}")),
    };
    let draft = cache::draft(&dist)?;
    place(&built.join("scvi"), &draft.join("bin/scvi"), Way::Copy)?;
    for (_, library) in plugins {
        place(&built.join(library), &draft.join("lib/scvi/plugins").join(library), Way::Copy)?;
    }
    libraries(&workspace.deps().join("libtorch"), &draft)?;
    let notices = draft.join("share/licenses");
    place(&workspace.root.join("LICENSE"), &notices.join("scvi-rs"), Way::Copy)?;
    let notices = notices.join("dependencies");
    cache::create(&notices)?;
    cache::write(&notices.join("packages.txt"), &licences::table(workspace)?)?;
    for (name, file) in licences::texts(workspace)? {
        place(&file, &notices.join(name), Way::Copy)?;
    }

    starts(&draft.join("bin/scvi"))?;
    cache::remove(&dist)?;
    cache::publish(&draft, &dist, |_| false)?;
    Ok(dist)
}

/// How a file gets into the dist folder.
#[derive(Clone, Copy)]
enum Way {
    /// A second file: what it came from will be built anew.
    Copy,
    /// A second name where the file system allows: what it came from never changes.
    Link,
}

/// libtorch's libraries and their licences.
fn libraries(libtorch: &Path, dist: &Path) -> Result<()> {
    for (from, to) in [("lib", "lib"), ("licenses", "share/licenses")] {
        let folder = libtorch.join(from);
        // An installed libtorch may come without a folder of licences.
        if from == "licenses" && !folder.exists() {
            continue;
        }
        for path in files::below(&folder)? {
            let below = path.strip_prefix(&folder)?;
            let is_library = path.to_string_lossy().contains(".so");
            if is_library || from == "licenses" {
                place(&path, &dist.join(to).join(below), Way::Link)?;
            }
        }
    }
    Ok(())
}

fn place(from: &Path, to: &Path, way: Way) -> Result<()> {
    cache::create(to.parent().unwrap_or(to))?;
    let linked = matches!(way, Way::Link) && fs::hard_link(from, to).is_ok();
    if !linked {
        fs::copy(from, to).with_context(|| {
            format!("{} could not be copied to {}", from.display(), to.display())
        })?;
    }
    Ok(())
}

/// Starts the program with an empty environment, as on a machine that has never seen this folder.
fn starts(program: &Path) -> Result<()> {
    let output = Command::new(program).arg("--version").env_clear().output()?;
    ensure!(
        output.status.success(),
        "{} does not start by itself:\n{}",
        program.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
