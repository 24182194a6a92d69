//! The command line from end to end: the program in a process of its own, and the real plugin.

mod archive;
mod attributes;
mod backed;
mod convert;
mod counts;
mod data;
mod fields;
mod interrupted;
mod minified;
mod outputs;
mod pictures;
mod plugins;
mod queries;
mod reference;
mod report;
mod resume;
mod training;
mod travel;
mod usage;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
};

use scvi_framework::anndata::AnnData;
use scvi_h5ad::{ReadOptions, WriteOptions};
use tempfile::TempDir;

/// The program, in a folder without other plugins than the one in [`plugin_folder`].
fn program() -> PathBuf {
    installed(Path::new(env!("CARGO_BIN_EXE_scvi-under-test")), "scvi")
}

/// A folder with the real plugin.
fn plugin_folder() -> PathBuf {
    let plugin = super::abi::library("plugin_scvi");
    let name = plugin.file_name().unwrap().to_str().unwrap().to_owned();
    installed(&plugin, &format!("plugins/{name}")).parent().unwrap().to_owned()
}

/// Another name of `file`, made once; several tests may do so at the same time.
fn installed(file: &Path, name: &str) -> PathBuf {
    static N_MADE: AtomicUsize = AtomicUsize::new(0);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli").join(name);
    fs::create_dir_all(target.parent().unwrap()).unwrap();
    let n = N_MADE.fetch_add(1, Ordering::Relaxed);
    let own = target.with_extension(format!("{}-{n}", std::process::id()));
    let _ = fs::remove_file(&own);
    if fs::hard_link(file, &own).is_err() {
        fs::copy(file, &own).unwrap();
    }
    fs::rename(&own, &target).unwrap();
    let _ = fs::remove_file(&own); // still there when both names were of one file
    target
}

/// A folder with the data set `s.h5ad`: 200 cells of 2 batches, 50 genes.
pub struct Place(TempDir);

impl Place {
    pub fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.scvi("data synthetic s.h5ad --n-obs 200 --n-vars 50 --seed 1 -q").says("");
        place
    }

    /// With a model `m`, trained for two epochs.
    fn with_model() -> Self {
        let place = Self::new();
        place.scvi("train SCVI s.h5ad --batch-key batch --max-epochs 2 --out m -q").says("");
        place
    }

    pub fn at(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    /// The program with these words, in this folder.
    pub fn command(&self, words: &str) -> Command {
        let mut command = Command::new(program());
        command.args(words.split_whitespace());
        self.prepare(&mut command);
        command
    }

    /// Runs in this folder, on one thread, with the real plugin and nobody's settings.
    fn prepare(&self, command: &mut Command) {
        command
            .current_dir(self.0.path())
            .env("SCVI_PLUGIN_PATH", plugin_folder())
            .env("XDG_DATA_HOME", self.0.path().join("home"))
            .env("OMP_NUM_THREADS", "1")
            .env("COLUMNS", "100")
            .stdin(Stdio::null());
    }

    pub fn scvi(&self, words: &str) -> Ran {
        Ran::of(&mut self.command(words))
    }

    /// Writes a changed copy of `s.h5ad`.
    fn change(&self, name: &str, change: impl FnOnce(&mut AnnData)) {
        let mut adata = read(&self.at("s.h5ad"));
        change(&mut adata);
        scvi_h5ad::write(&self.at(name), &adata, WriteOptions::default()).unwrap();
    }

    /// What is in the folder, hidden files too.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let name = |e: std::io::Result<fs::DirEntry>| e.unwrap().file_name().into_string().unwrap();
        let mut names: Vec<String> = entries.map(name).collect();
        names.sort();
        names
    }
}

fn read(path: &Path) -> AnnData {
    scvi_h5ad::read(path, ReadOptions::default()).unwrap()
}

/// What a run said, and how it ended.
#[derive(Debug)]
pub struct Ran {
    code: Option<i32>,
    pub out: String,
    /// Without lines of progress.
    err: String,
}

impl Ran {
    fn of(command: &mut Command) -> Self {
        Self::from(command.output().unwrap())
    }

    /// It went well and said this on standard error.
    #[track_caller]
    pub fn says(self, expected: &str) -> Self {
        assert_eq!(self.err, expected);
        assert_eq!(self.code, Some(0));
        self
    }

    /// It failed with this message.
    #[track_caller]
    fn fails(self, code: i32, expected: &str) {
        assert_eq!(self.err, format!("error: {expected}\n"));
        assert_eq!((self.code, self.out.as_str()), (Some(code), ""));
    }
}

impl From<std::process::Output> for Ran {
    fn from(output: std::process::Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let err = text(output.stderr);
        let lines = err.split_inclusive('\n').filter(|line| !line.starts_with("epoch "));
        Self { code: output.status.code(), out: text(output.stdout), err: lines.collect() }
    }
}

/// A folder of the test data; `None`, said aloud, where they are not at hand.
fn test_data(name: &str) -> Option<PathBuf> {
    let Some(data) = env::var_os("SCVI_TEST_DATA") else {
        println!("skipped: SCVI_TEST_DATA is not set");
        return None;
    };
    Some(Path::new(&data).join(name))
}
