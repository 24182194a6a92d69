//! Plugins that are missing, broken, or in each other's way, as the user meets them.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{Place, Ran, plugin_folder};
use crate::abi::{library, patched};

/// A place with a folder `p` of plugins beside the real one, and the program looking there alone.
struct Plugins(Place);

impl Plugins {
    fn new() -> Self {
        let place = Place::new();
        fs::create_dir(place.at("p")).unwrap();
        Self(place)
    }

    fn copy(self, name: &str, to: &str) -> Self {
        fs::copy(library(name), self.0.at(format!("p/{to}"))).unwrap();
        self
    }

    fn patched(self, to: &str, old: &[u8], new: &[u8]) -> Self {
        patched("echo", &self.0.at(format!("p/{to}")), old, new);
        self
    }

    fn scvi(&self, words: &str) -> Ran {
        Ran::of(self.0.command(words).env("SCVI_PLUGIN_PATH", "p"))
    }

    /// `p/a.so` is listed as refused and `inspect` says why, both in these words.
    #[track_caller]
    fn refuses(self, expected: &str) {
        let listed = self.scvi("plugins list").out;
        assert!(listed.ends_with(&format!("\nRefused\n  p/a.so: {expected}\n")), "{listed}");
        self.scvi("plugins inspect p/a.so").fails(1, &format!("p/a.so: {expected}"));
    }
}

#[test]
fn the_real_one_is_listed_and_inspected() {
    let place = Place::new();
    let file = plugin_folder().join("libscvi_plugin_scvi.so");
    let listed = place.scvi("plugins list").says("").out;
    let words: Vec<&str> = listed.lines().last().unwrap().split_whitespace().collect();
    assert_eq!(words, ["scvi-plugin-scvi", "0.1.0", "SCVI", file.to_str().unwrap()]);
    let inspected = place.scvi(&format!("plugins inspect {}", file.display())).says("").out;
    for line in [" plugin      scvi-plugin-scvi 0.1.0\n", " interface   2\n", "\nModels\n SCVI   "]
    {
        assert!(inspected.contains(line), "{inspected}");
    }
    let models = place.scvi("models list").says("").out;
    assert!(models.contains("\n SCVI    scvi-plugin-scvi 0.1.0   Single-cell"), "{models}");
    let models = place.scvi("models list --json").says("").out;
    assert!(models.contains("\"name\": \"SCVI\""), "{models}");
}

#[test]
fn no_library() {
    let plugins = Plugins::new();
    fs::write(plugins.0.at("p/a.so"), "text").unwrap();
    plugins.refuses("not a shared library");
}

#[test]
fn no_manifest() {
    let plugins = Plugins::new();
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let line = maps.lines().find(|line| line.contains("/libc.so")).unwrap();
    fs::copy(&line[line.find('/').unwrap()..], plugins.0.at("p/a.so")).unwrap();
    plugins.refuses("not a scvi plugin: a library without a manifest");
}

#[test]
fn another_target() {
    let plugins = Plugins::new();
    let plugins =
        plugins.patched("a.so", b"\"target\":\"x86_64-linux", b"\"target\":\"riscv6-linux");
    plugins.refuses("plugin `scvi-echo` was built for riscv6-linux-gnu, this program runs on x86_64-linux-gnu; get \
         the plugin for x86_64-linux-gnu",);
}

#[test]
fn another_libtorch() {
    let plugins = Plugins::new();
    plugins.patched("a.so", b"\"libtorch\":\"2.11.0", b"\"libtorch\":\"2.10.0").refuses(
        "plugin `scvi-echo` was built for libtorch 2.10.0 (tch 0.24.0), this program uses libtorch \
         2.11.0 (tch 0.24.0); build the plugin again with this program's version of scvi-framework",
    );
}

#[test]
fn another_interface() {
    Plugins::new().patched("a.so", b"\"abi\":2", b"\"abi\":9").refuses("plugin `scvi-echo` speaks plugin interface 9, this program speaks 2; build the plugin again \
         with this program's version of scvi-framework",);
}

#[test]
fn a_missing_symbol_is_the_plugins_fault() {
    let plugins = Plugins::new();
    let plugins = plugins.patched("a.so", b"scvi_door_scvi-echo\0", b"scvi_dooR_scvi-echo\0");
    plugins.scvi("models show Echo").fails(
        3,
        "p/a.so: plugin `scvi-echo` lacks the symbol `scvi_door_scvi-echo`; build it again with \
         `export_plugin!`",
    );
}

#[test]
fn another_layout_is_the_plugins_fault() {
    let plugins = Plugins::new().copy("misfit", "a.so");
    plugins.scvi("models show Misfit").fails(3, "p/a.so: plugin `scvi-misfit` has an interface of another layout than this program's (types \
         of the door differ); build it again with this program's version of scvi-framework",);
}

#[test]
fn a_crash_is_the_plugins_fault_and_leaves_nothing() {
    let plugins = Plugins::new().copy("echo", "a.so");
    let ran = plugins.scvi("train Echo s.h5ad --fail panic --out m");
    let begin = "error: plugin `scvi-echo` crashed in `create`: asked to panic (";
    assert!(ran.err.starts_with(begin), "{}", ran.err);
    assert!(ran.err.ends_with("); please tell its author\n"), "{}", ran.err);
    assert_eq!(ran.code, Some(3));
    assert_eq!(plugins.0.names(), ["p", "s.h5ad"]);
}

#[test]
fn listing_runs_no_code() {
    let plugins = Plugins::new().copy("hostile", "a.so");
    // The library leaves a file there as soon as it is loaded.
    let ran = |words: &str| {
        let mut command = plugins.0.command(words);
        Ran::of(command.env("SCVI_PLUGIN_PATH", "p").env("TMPDIR", plugins.0.at("")))
    };
    ran("plugins list").says("");
    ran("plugins inspect p/a.so").says("");
    let models = ran("models list").says("").out;
    assert!(models.contains("Hostile"), "{models}");
    assert_eq!(plugins.0.names(), ["p", "s.h5ad"]);
    assert_eq!(ran("models show Hostile").code, Some(3));
    assert_eq!(plugins.0.names().len(), 3, "the trap does not work");
}

#[test]
fn two_with_the_same_model() {
    let plugins =
        Plugins::new().copy("echo", "a.so").copy("echo", "b.so").copy("plugin_scvi", "c.so");
    plugins
        .scvi("models show Echo")
        .fails(1, "2 plugins have a model `Echo`: p/a.so and p/b.so; remove all but one");
    assert_eq!(plugins.scvi("models show SCVI").code, Some(0));
}

#[test]
fn no_plugin_for_a_saved_model() {
    let place = Place::with_model();
    let mut command = place.command("query m get-elbo --out -");
    Ran::of(command.env("SCVI_PLUGIN_PATH", "")).fails(
        1,
        "m: saved by plugin scvi-plugin-scvi 0.1.0, which is not here: no plugin has a model \
         `SCVI`; no plugin was found; get the plugin and name its folder with --plugin-dir",
    );
    let mut command = place.command("show m");
    let shown = Ran::of(command.env("SCVI_PLUGIN_PATH", "")).says("").out;
    let line = "made by    plugin scvi-plugin-scvi 0.1.0; queries need a plugin with the model \
                SCVI, none was found";
    assert!(shown.contains(line), "{shown}");
    let words = format!("query m get-elbo --out - --plugin-dir {}", plugin_folder().display());
    Ran::of(place.command(&words).env("SCVI_PLUGIN_PATH", "")).says("");
}

#[test]
fn a_plugin_is_checked_by_name_and_by_file() {
    let place = Place::new();
    let checked = place.scvi("plugins check scvi-plugin-scvi").says("scvi-plugin-scvi: in order\n");
    assert!(checked.out.contains("\n model SCVI   arguments: 7 of set-up, "), "{}", checked.out);
    place
        .scvi("plugins check nobody")
        .fails(1, "no plugin is called `nobody`, and no file either; found: scvi-plugin-scvi");
    let plugins = Plugins::new().copy("echo", "a.so");
    let checked = plugins.scvi("plugins check p/a.so").says("scvi-echo: in order\n").out;
    assert!(checked.contains("\n field EchoField   Hears: "), "{checked}");
    let plugins = plugins.patched("a.so", b"\"kind\":\"EchoField\"", b"\"kind\":\"EchoFeeld\"");
    let ran = plugins.scvi("plugins check scvi-echo --json");
    let expected = "error: p/a.so: the manifest lists field kind `EchoFeeld`, which it does not have; \
                    please tell its author\n";
    assert_eq!((ran.err.as_str(), ran.code), (expected, Some(3)));
    assert!(ran.out.contains("\"problems\": ["), "{}", ran.out);
    let plugins = Plugins::new().copy("hostile", "a.so");
    assert_eq!(plugins.scvi("plugins check p/a.so").code, Some(3));
}

#[test]
fn a_new_plugin_builds_loads_and_is_in_order() {
    let place = Place::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let words = format!("plugins new my-model --checkout {}", root.display());
    place.scvi(&words).says(
        "wrote the crate my-model with the model MyModel\n  cd my-model && cargo test && cargo build \
         --release\n  scvi plugins check target/release/libmy_model.so\n",
    );
    place.scvi(&words).fails(1, "my-model exists already; --overwrite replaces it");
    let expected = "5th: cannot name a crate; expected letters and digits in words between `-`, e.g. \
                    my-model";
    place.scvi("plugins new 5th").fails(1, expected);
    let expected = "no checkout of scvi-rs in p; name one with --checkout DIR";
    place.scvi("plugins new other --checkout p").fails(1, expected);

    // The workspace's versions, flags and folder, so that nothing is fetched and little is built.
    for file in ["Cargo.lock", ".cargo/config.toml"] {
        fs::create_dir_all(place.at("my-model/.cargo")).unwrap();
        fs::copy(root.join(file), place.at("my-model").join(file)).unwrap();
    }
    let target = place_of_builds();
    let built = Command::new(env!("CARGO"))
        .args(["build", "--offline", "--lib", "--quiet"])
        .current_dir(place.at("my-model"))
        .env("CARGO_TARGET_DIR", &target)
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    fs::create_dir(place.at("p")).unwrap();
    fs::copy(target.join("debug/libmy_model.so"), place.at("p/libmy_model.so")).unwrap();
    place.scvi("plugins check p/libmy_model.so -q").says("");
    place
        .scvi("train MyModel s.h5ad --plugin-dir p --batch-key batch --max-epochs 1 --out m -q")
        .says("");
}

/// The folder of builds in which this test was built.
fn place_of_builds() -> PathBuf {
    let tests = env::current_exe().unwrap();
    tests.ancestors().nth(3).unwrap().to_owned()
}
