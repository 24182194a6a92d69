//! Files that cannot serve as plugins, and plugins that get in each other's way.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use scvi_framework::{
    abi::{Fault, Plugin},
    anndata::{AnnData, DataFrame, Dense, Element, Slot},
    model::{DynModel, Settings, Setup, Silent},
    params::Args,
    serde_json::json,
};
use scvi_host::{
    field_kinds::FieldKinds,
    plugins::{Folder, discover, inspect, search_path},
    registry::Models,
};
use tempfile::TempDir;

use super::{
    library, patched,
    random::{OnDisk, Random},
};

/// What is said about `path` when it is loaded, without the path itself.
#[track_caller]
fn check_refused(path: &Path, fault: Fault, expected: &str) {
    let error = Plugin::load(path).unwrap_err();
    let text = error.to_string();
    let text = text.strip_prefix(&format!("{}: ", path.display())).unwrap_or(&text);
    assert!(text.starts_with(expected), "{text}\n!= {expected}");
    assert_eq!(error.fault(), fault, "{text}");
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("libplugin.so");
    (folder, file)
}

#[test]
fn no_library() {
    let (folder, file) = folder();
    check_refused(&file, Fault::User, "cannot be read: No such file");
    check_refused(folder.path(), Fault::User, "not a shared library");
    fs::write(&file, "").unwrap();
    check_refused(&file, Fault::User, "not a shared library");
    fs::write(&file, "# a text file\n".repeat(100)).unwrap();
    check_refused(&file, Fault::User, "not a shared library");
}

#[test]
fn truncated() {
    let (_folder, file) = folder();
    let whole = fs::read(library("echo")).unwrap();
    for kept in [20, 1000, whole.len() / 2, whole.len() - 10] {
        fs::write(&file, &whole[..kept]).unwrap();
        let text = Plugin::load(&file).unwrap_err().to_string();
        assert!(text.contains("damaged or truncated"), "{kept} bytes: {text}");
    }
}

#[test]
fn no_manifest() {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let line = maps.lines().find(|line| line.contains("/libc.so")).unwrap();
    let libc = Path::new(&line[line.find('/').unwrap()..]);
    check_refused(libc, Fault::User, "not a scvi plugin: a library without a manifest");
}

#[test]
fn unreadable_manifest() {
    let (_folder, file) = folder();
    patched("echo", &file, b"\"plugin\":\"scvi-echo\"", b"\"plugim\":\"scvi-echo\"");
    let expected = "its plugin manifest cannot be read: missing field `plugin`";
    check_refused(&file, Fault::User, expected);
}

#[test]
fn other_interface() {
    let (_folder, file) = folder();
    patched("echo", &file, b"\"abi\":2", b"\"abi\":9");
    check_refused(
        &file,
        Fault::User,
        "plugin `scvi-echo` speaks plugin interface 9, this program speaks 2; build the plugin \
         again with this program's version of scvi-framework",
    );
}

#[test]
fn other_target() {
    let (_folder, file) = folder();
    patched("echo", &file, b"\"target\":\"x86_64-linux", b"\"target\":\"riscv6-linux");
    check_refused(
        &file,
        Fault::User,
        "plugin `scvi-echo` was built for riscv6-linux-gnu, this program runs on \
         x86_64-linux-gnu; get the plugin for x86_64-linux-gnu",
    );
}

#[test]
fn other_libtorch() {
    let (_folder, file) = folder();
    patched("echo", &file, b"\"libtorch\":\"2.11.0", b"\"libtorch\":\"2.10.0");
    check_refused(
        &file,
        Fault::User,
        "plugin `scvi-echo` was built for libtorch 2.10.0 (tch 0.24.0), this program uses \
         libtorch 2.11.0 (tch 0.24.0); build the plugin again",
    );
}

#[test]
fn the_target_is_named_before_the_interface() {
    let (folder, file) = folder();
    let first = patched("echo", &folder.path().join("first"), b"\"abi\":2", b"\"abi\":9");
    let both = fs::read(first).unwrap();
    let at = both.windows(12).position(|w| w == b"\"target\":\"x8").unwrap();
    let both = [&both[..at + 10], b"Z", &both[at + 11..]].concat();
    fs::write(&file, both).unwrap();
    check_refused(&file, Fault::User, "plugin `scvi-echo` was built for Z86_64-linux-gnu");
}

#[test]
fn missing_door() {
    let (_folder, file) = folder();
    patched("echo", &file, b"scvi_door_scvi-echo\0", b"scvi_dooR_scvi-echo\0");
    check_refused(
        &file,
        Fault::Plugin,
        "plugin `scvi-echo` lacks the symbol `scvi_door_scvi-echo`; build it again with \
         `export_plugin!`",
    );
}

#[test]
fn missing_symbol_of_libtorch_or_the_system() {
    let (_folder, file) = folder();
    patched("echo", &file, b"\0pthread_key_create\0", b"\0pthread_key_creatX\0");
    check_refused(
        &file,
        Fault::Plugin,
        "plugin `scvi-echo` cannot be loaded: it needs `pthread_key_creatX`, which neither \
         libtorch nor the system has; build it again",
    );
}

#[test]
fn other_layout() {
    check_refused(
        &library("misfit"),
        Fault::Plugin,
        "plugin `scvi-misfit` has an interface of another layout than this program's (types of \
         the door differ); build it again",
    );
}

#[test]
fn inspecting_and_listing_run_no_code() {
    let trace = std::env::temp_dir().join(format!("scvi_hostile_{}", std::process::id()));
    let (folder, file) = folder();
    fs::copy(library("hostile"), &file).unwrap();
    assert_eq!(inspect(&file).unwrap().manifest.plugin, "scvi-hostile");
    let plugins = discover(&[Folder::Given(folder.path().into())]);
    let models = Models::new(&plugins);
    assert_eq!((models.list()[0].name.as_str(), models.list().len()), ("Hostile", 1));
    assert!(models.open("other").is_err());
    assert!(!trace.exists());

    // It does run when asked for by name: the trap works.
    let error = models.open("Hostile").err().unwrap();
    assert_eq!(error.fault(), Fault::Plugin);
    assert!(trace.exists());
    fs::remove_file(trace).unwrap();
}

#[test]
fn broken_ones_stop_no_others() {
    let (folder, _) = folder();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("a.so"), "text").unwrap();
    fs::write(at("notes.txt"), "not even looked at").unwrap();
    patched("echo", &at("b.so"), b"\"abi\":2", b"\"abi\":9");
    fs::copy(library("hostile"), at("c.so")).unwrap();
    fs::copy(library("misfit"), at("d.so")).unwrap();
    fs::copy(library("echo"), at("e.so")).unwrap();
    let nowhere = at("nowhere");
    let folders = [Folder::Given(nowhere.clone()), Folder::Given(folder.path().into())];
    let plugins = discover(&folders);
    let refused: Vec<_> = plugins.refused.iter().map(|r| r.path.clone()).collect();
    assert_eq!(refused, [nowhere, at("a.so"), at("b.so")]);

    let models = Models::new(&plugins);
    let names: Vec<_> = models.list().iter().map(|m| m.name.as_str()).collect();
    assert_eq!(names, ["Echo", "Hostile", "Misfit"]);
    assert_eq!(models.list()[0].about, "Sends \"everything\" back");
    assert!(models.open("Hostile").is_err());
    assert!(models.open("Misfit").is_err());
    assert_eq!(models.open("echo").unwrap().description().name, "Echo");
    let error = models.open("Ecco").err().unwrap();
    assert_eq!(
        error.to_string(),
        "no plugin has a model `Ecco` (did you mean `Echo`?); known: Echo, Hostile, Misfit; \
         3 refused: see `scvi plugins list`"
    );
}

#[test]
fn a_second_library_is_not_the_first_one() {
    let (folder, _) = folder();
    let at = |name: &str| folder.path().join(name);
    fs::copy(library("echo"), at("a.so")).unwrap();
    fs::copy(library("echo"), at("b.so")).unwrap();
    let [a, b] = ["a.so", "b.so"].map(|name| {
        let class = Plugin::load(&at(name)).unwrap().classes().unwrap().remove(0);
        let (none, settings) = (Args::new(), Settings::default());
        class.create(&mut Random::new(0).adata(2, 2), &Setup::default(), &none, &settings).unwrap()
    });
    let ask = |model: &dyn DynModel, method: &str| {
        let mut adata = AnnData::new(DataFrame::new(["a", "b", "c"]), DataFrame::new(["g"]));
        let values = vec![1.0f32, 2.0, 3.0].into();
        let matrix = Arc::new(OnDisk(Dense { shape: vec![3, 1], values }));
        adata.set(Slot::X, "X", Element::Backed(matrix)).unwrap();
        let mut sink = super::calls::Kept::default();
        model.query(method, &mut adata, &Args::new(), &mut sink, &mut Silent).unwrap();
        adata.mapping(Slot::Uns).unwrap().len()
    };
    ask(&*a, "stash");
    assert_eq!((ask(&*a, "late"), ask(&*b, "late")), (2, 0));
    drop(a);
    ask(&*b, "stash");
    assert_eq!(ask(&*b, "late"), 2);
}

#[test]
fn two_with_one_model_name_are_told_when_it_is_asked_for() {
    let (folder, _) = folder();
    let at = |name: &str| folder.path().join(name);
    fs::copy(library("echo"), at("a.so")).unwrap();
    fs::copy(library("echo"), at("b.so")).unwrap();
    fs::copy(library("misfit"), at("c.so")).unwrap();
    let models = Models::new(&discover(&[Folder::Given(folder.path().into())]));
    assert_eq!(models.list().len(), 3);
    assert_eq!(
        models.open("Echo").err().unwrap().to_string(),
        format!(
            "2 plugins have a model `Echo`: {} and {}; remove all but one",
            at("a.so").display(),
            at("b.so").display()
        )
    );
}

#[cfg(unix)]
#[test]
fn what_anybody_can_write_to_is_not_loaded() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, file) = folder();
    fs::copy(library("echo"), &file).unwrap();
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(&file, 0o666);
    let expected = format!("{}: anybody on this machine can write to it", file.display());
    assert!(inspect(&file).unwrap_err().to_string().starts_with(&expected));
    mode(&file, 0o644);
    inspect(&file).unwrap();
    mode(folder.path(), 0o777);
    assert!(inspect(&file).unwrap_err().to_string().contains("anybody"));
}

#[test]
fn given_folders_come_first() {
    let given = [PathBuf::from("first"), PathBuf::from("second")];
    let folders = search_path(&given);
    assert_eq!(folders[..2], given.map(Folder::Given));
    assert!(folders.len() > 2);
}

const LISTED: &str = r#"{"kind":"EchoField","about":"Hears: registry_key, loudness"}"#;

/// The echo plugin with other words, equally long in all, in its list of fields.
fn with_fields(file: &Path, listed: &str) {
    let spaces = " ".repeat(LISTED.len() - listed.len());
    patched("echo", file, LISTED.as_bytes(), format!("{listed}{spaces}").as_bytes());
}

#[test]
fn field_kinds_of_the_framework_or_listed_twice() {
    let (_folder, file) = folder();
    with_fields(&file, r#"{"kind":"LayerField","about":"Hears."}"#);
    check_refused(
        &file,
        Fault::User,
        "plugin `scvi-echo` lists the field kind `LayerField`, which is scvi-framework's own; its author \
         has to rename or drop one",
    );
    with_fields(&file, r#"{"kind":"A","about":"a"},{"kind":"A","about":"b"}"#);
    let expected = "plugin `scvi-echo` lists the field kind `A` twice; its author";
    check_refused(&file, Fault::User, expected);
}

#[test]
fn field_kinds_that_two_plugins_have_or_none() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["a.so", "b.so"] {
        fs::copy(library("echo"), folder.path().join(file)).unwrap();
    }
    let lies = folder.path().join("c.so");
    with_fields(&lies, r#"{"kind":"NobodysField","about":"Lies."}"#);
    let kinds = FieldKinds::new(&discover(&[Folder::Given(folder.path().into())]));
    let kinds = kinds.with_native();
    let listed: Vec<&str> = kinds.list().iter().map(|entry| entry.kind.as_str()).collect();
    assert!(listed.is_sorted() && listed.contains(&"LayerField"), "{listed:?}");
    let open = |kind: &str| kinds.open(&json!({ "field": kind, "loudness": 1 }), None).map(drop);
    let (a, b) = (folder.path().join("a.so"), folder.path().join("b.so"));
    assert_eq!(
        open("EchoField").unwrap_err().to_string(),
        format!(
            "2 plugins have a field kind `EchoField`: {} and {}; remove all but one",
            a.display(),
            b.display()
        )
    );
    let text = open("EchoFeld").unwrap_err().to_string();
    let expected = "no plugin has a field kind `EchoFeld` (did you mean `EchoField`?); known: ";
    assert!(text.starts_with(expected), "{text}");
    let error = open("NobodysField").unwrap_err();
    let expected = "the manifest lists field kind `NobodysField`, but the plugin does not have it; \
                    please tell its author";
    assert_eq!(error.to_string(), format!("{}: {expected}", lies.display()));
    assert_eq!(error.fault(), Fault::Plugin);
    open("LayerField").unwrap_err();
}
