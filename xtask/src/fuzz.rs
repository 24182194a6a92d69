//! `cargo xtask fuzz`: feeds the readers of files with bytes that nobody wrote, on a stable compiler
//! and without cargo-fuzz.
//!
//! What is fuzzed is compiled anew with LLVM's coverage counters; all it depends on is taken from
//! the workspace's builds. Cargo has no flags for single packages, so this program stands between
//! cargo and the compiler and adds them.

use std::{
    env,
    ffi::OsStr,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context, Result, ensure};

use crate::{process, setup, standalone, workspace::Workspace};

#[derive(clap::Args)]
pub struct Args {
    /// How long, all targets together.
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: usize,
    /// So many inputs for each target, the same each time, in place of a time.
    #[arg(long, value_name = "N", conflicts_with = "seconds")]
    runs: Option<u64>,
    /// Only this target, e.g. h5ad.
    target: Option<String>,
}

/// The packages that are fuzzed.
const INSTRUMENTED: [&str; 3] = ["scvi-framework", "scvi-h5ad", "scvi-fuzz"];
/// As cargo-fuzz passes them.
const FLAGS: [&str; 7] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
    "--cfg=fuzzing",
];
/// Memory that a target may fill, in megabytes: libtorch takes 200, reading one file 256 and more.
const FILLED: usize = 1000;
/// Memory that a target may address, in kilobytes: so much that whoever asks for more than he may
/// fill gets it, and is seen to fill it.
const ADDRESSABLE: usize = 8 << 20;

/// Builds the targets and runs each for its share of the time.
///
/// # Errors
/// When something cannot be built, there is no such target, or an input makes one fail.
pub fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    setup::ensure(workspace)?;
    let folder = workspace.root.join("tests/fuzz");
    let targets: Vec<String> = targets(&folder)?
        .into_iter()
        .filter(|name| args.target.as_ref().is_none_or(|wanted| wanted == name))
        .collect();
    ensure!(!targets.is_empty(), "no such target; see {}", folder.join("fuzz_targets").display());
    let own = env::current_exe().context("the path of this program")?;
    process::run(standalone::fuzz(workspace)?.cargo("build").env("RUSTC_WRAPPER", own))?;
    let bound = match args.runs {
        Some(runs) => vec![format!("-runs={runs}"), "-seed=1".into()],
        None => vec![format!("-max_total_time={}", (args.seconds / targets.len()).max(1))],
    };
    targets.iter().try_for_each(|target| fuzz(workspace, &folder, target, &bound))
}

fn fuzz(workspace: &Workspace, folder: &Path, target: &str, bound: &[String]) -> Result<()> {
    let found = workspace.target.join("fuzz").join(target);
    let failed = found.join("failed-");
    let corpus = found.join("corpus");
    fs::create_dir_all(&corpus)?;
    let given = ["corpus", "regressions"].map(|kind| folder.join(kind).join(target));
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("ulimit -v {ADDRESSABLE}; exec \"$0\" \"$@\"")])
        .arg(workspace.target.join("debug").join(target))
        .args(["-verbosity=0", "-print_final_stats=1", "-timeout=20"])
        .arg(format!("-rss_limit_mb={FILLED}"))
        .args(bound)
        .arg(format!("-artifact_prefix={}", failed.display()))
        .arg(&corpus)
        .args(given.iter().filter(|given| given.is_dir()));
    // Thousands of small files a second.
    if Path::new("/dev/shm").is_dir() {
        command.env("TMPDIR", "/dev/shm");
    }
    let log = found.join("log");
    let status = command.stderr(File::create(&log)?).stdout(Stdio::null()).status()?;
    ensure!(
        status.success(),
        "target {target} fails: what it said is in {}, the input in {}*; mend it and keep the input \
         in {}",
        log.display(),
        failed.display(),
        given[1].display()
    );
    let said = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    let value = |name| said.lines().find_map(|line| line.strip_prefix(name)).unwrap_or(" 0").trim();
    let (n, memory) = (value("stat::number_of_executed_units:"), value("stat::peak_rss_mb:"));
    eprintln!("{target}: {n} inputs, at most {memory} MB");
    Ok(())
}

fn targets(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder.join("fuzz_targets"))? {
        let path = entry?.path();
        names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

/// Does the compiler's work when cargo calls this program in the compiler's place; `None` when
/// somebody else calls.
pub fn compile() -> Option<ExitCode> {
    let mut words = env::args_os().skip(1);
    let compiler = PathBuf::from(words.next()?);
    if compiler.file_stem() != Some(OsStr::new("rustc")) {
        return None;
    }
    let package = env::var("CARGO_PKG_NAME").unwrap_or_default();
    let flags = FLAGS.iter().filter(|_| INSTRUMENTED.contains(&package.as_str()));
    let status = Command::new(compiler).args(words).args(flags).status();
    Some(match status.is_ok_and(|status| status.success()) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}
