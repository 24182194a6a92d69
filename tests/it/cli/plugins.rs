//! Plugins that are missing, broken, or in each other's way, as the user meets them.

use std::fs;

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
