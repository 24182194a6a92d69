//! Models that travel between scvi-tools and this program, there and back.

use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use scvi_framework::{
    anndata::Slot,
    saved::{self, folder::Overwrite},
    serde_json::{Value, json},
};
use scvi_h5ad::WriteOptions;

use super::{Place, Ran, read, test_data};

/// A Python with scvi-tools; `None`, said aloud, where there is none.
fn scvi_tools() -> Option<PathBuf> {
    let python = env::var_os("SCVI_TEST_PYTHON").map(PathBuf::from);
    if python.is_none() {
        println!("skipped: SCVI_TEST_PYTHON is not set");
    }
    python
}

/// Has scvi-tools compare and load all these, in one process; see `travel.py`.
#[track_caller]
fn check(python: &Path, cases: &[Value]) {
    let mut command = Command::new(python);
    command.arg("-c").arg(include_str!("travel.py")).env("OMP_NUM_THREADS", "1");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let lines: String = cases.iter().map(|case| format!("{case}\n")).collect();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let ran = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(said.lines().filter(|line| line.starts_with("ok ")).count(), cases.len(), "{said}");
}

/// Every folder of scvi-tools in the test data since 0.15.
fn folders() -> Option<Vec<PathBuf>> {
    let data = test_data("")?;
    let mut found = Vec::new();
    let mut left = vec![data.join("reference"), data.join("data/models")];
    while let Some(folder) = left.pop() {
        if folder.join("model.pt").is_file() {
            found.push(folder.clone());
        }
        let entries = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
        left.extend(entries.filter(|path| path.is_dir()));
    }
    found.sort();
    Some(found)
}

#[test]
fn scvi_tools_gets_back_what_it_wrote() {
    let (Some(folders), Some(python)) = (folders(), scvi_tools()) else { return };
    assert!(folders.len() >= 20, "{folders:?}");
    let place = Place::new();
    let case = |(i, original): (usize, &PathBuf)| {
        place.scvi(&format!("convert {} ours{i} -q", original.display())).says("");
        place.scvi(&format!("convert ours{i} theirs{i} -q")).says("");
        let mut case = json!({ "original": original, "written": place.at(format!("theirs{i}")) });
        let adata = original.with_file_name("adata.h5ad");
        if original.ends_with("model") {
            case["adata"] = json!(adata);
        }
        case["load"] = json!(adata.is_file());
        case
    };
    let cases: Vec<Value> = folders.iter().enumerate().map(case).collect();
    assert_eq!(cases.iter().filter(|case| case["load"] == true).count(), 16);
    check(&python, &cases);
}

#[test]
fn models_from_before_0_15_are_those_that_scvi_tools_makes_of_them() {
    let (Some(models), Some(python)) = (test_data("data/models"), scvi_tools()) else { return };
    let (legacy, adata) = (models.join("scvi_0.8.0"), models.join("scanvi_1.0.3/adata.h5ad"));
    let place = Place::new();
    let (from, at) = (legacy.display(), adata.display());
    place
        .scvi(&format!("convert {from} ours --model scvi --adata {at}"))
        .says("wrote the model to ours for this program, with its data set\n");
    place.scvi("convert ours theirs -q").says("");
    place.scvi("query ours get-latent-representation --out latent.npz -q").says("");
    let case = json!({
        "legacy": legacy,
        "load": true,
        "written": place.at("theirs"),
        "latent": place.at("latent.npz"),
    });
    check(&python, &[case]);
}

#[test]
fn models_trained_here_are_loaded_by_scvi_tools() {
    let Some(python) = scvi_tools() else { return };
    let place = Place::new();
    let train = "train SCVI s.h5ad --max-epochs 2 -q";
    let odd = "--batch-key batch --labels-key cell_type --encode-covariates \
               --categorical-covariate-keys donor --continuous-covariate-keys percent_mito \
               --batch-representation embedding --batch-embedding-dim 3 \
               --var-activation softplus --dispersion gene-label --gene-likelihood nb \
               --no-use-observed-lib-size --n-layers 2 --allow-noncounts";
    place.scvi(&format!("{train} --batch-key batch --save-anndata --out plain")).says("");
    place.scvi(&format!("{train} {odd} --out odd")).says("");
    let mut cases = Vec::new();
    for name in ["plain", "odd"] {
        let query = format!("query {name} get-latent-representation --adata s.h5ad --seed 0");
        place.scvi(&format!("{query} --out {name}.npz -q")).says("");
        place.scvi(&format!("convert {name} {name}.py -q")).says("");
        let (written, latent) = (place.at(format!("{name}.py")), place.at(format!("{name}.npz")));
        cases.push(json!({ "load": true, "written": written, "latent": latent, "epochs": 2 }));
    }
    cases[1]["adata"] = json!(place.at("s.h5ad"));
    place.scvi("convert plain odd.py --prefix plain_ -q").says("");
    cases.push(json!({ "prefix": "plain_", "written": place.at("odd.py"), "load": true }));
    cases[2]["latent"] = json!(place.at("plain.npz"));
    // Minified here, in the names that it has there.
    place.scvi("minify plain --out small -q").says("");
    place.scvi("convert small small.py -q").says("");
    let (written, latent) = (place.at("small.py"), place.at("plain.npz"));
    cases.push(json!({ "written": written, "load": true, "latent": latent }));
    check(&python, &cases);
}

/// What scvi-tools keeps of a posterior, under the names that minified data sets have here.
fn with_our_names(theirs: &Path, ours: &Path) {
    let mut saved = saved::read(theirs).unwrap();
    let mut adata = read(&theirs.join("adata.h5ad"));
    let names = [
        (Slot::Obsm, "latent_qzm", "scvi_latent_qzm"),
        (Slot::Obsm, "latent_qzv", "scvi_latent_qzv"),
        (Slot::Obs, "observed_lib_size", "observed_lib_size"),
    ];
    for (slot, key, name) in names {
        let our_name = format!("_scvi_{key}");
        let element = adata.remove(slot, name).unwrap();
        adata.set(slot, &our_name, element).unwrap();
        let field = &mut saved.meta.registry["field_registries"][key];
        field["data_registry"]["attr_key"] = json!(our_name);
    }
    saved::folder::write_with(ours, &saved, Overwrite::Refuse, |folder| {
        scvi_h5ad::write(&folder.join("adata.h5ad"), &adata, WriteOptions::default()).unwrap();
        Ok::<(), scvi_framework::Error>(())
    })
    .unwrap();
}

#[test]
fn what_minified_data_keep_has_the_names_of_scvi_tools_there() {
    let Some(python) = scvi_tools() else { return };
    let Some(original) = test_data("reference/queries_pbmc4k/minified") else { return };
    let place = Place::new();
    with_our_names(&original, &place.at("ours"));
    place.scvi("convert ours theirs -q").says("");
    let written = place.at("theirs");
    check(&python, &[json!({ "original": original, "written": written, "load": true })]);
}

#[test]
fn what_is_to_be_converted_and_where_to_is_checked() {
    let place = Place::with_model();
    place
        .scvi("convert m py --adata s.h5ad")
        .says("wrote the model to py for scvi-tools, with its data set\n");
    place.scvi("convert m py").fails(1, "py exists already; --overwrite replaces it");
    place.scvi("convert m py --overwrite -q").says("");
    assert_eq!(files(&place.at("py")), ["model.pt"]);
    place.scvi("convert m py --prefix lung_ --adata s.h5ad -q").says("");
    assert_eq!(files(&place.at("py")), ["lung_adata.h5ad", "lung_model.pt", "model.pt"]);
    let there =
        "py/lung_model.pt: exists already, and overwriting was not asked for; nothing was written";
    place.scvi("convert m py --prefix lung_").fails(1, there);

    place
        .scvi("convert py/lung_model.pt back")
        .says("wrote the model to back for this program, with its data set\n");
    assert_eq!(files(&place.at("back")), ["adata.h5ad", "model.json", "model.safetensors"]);
    place.scvi("query back get-elbo --out e.csv -q").says("");
    place.scvi("query m get-elbo --out f.csv -q").says("");
    let answer = |name: &str| fs::read_to_string(place.at(name)).unwrap();
    assert_eq!(answer("e.csv"), answer("f.csv"));
    place.scvi("convert py back2 --prefix x_").fails(
        1,
        "argument `prefix`: expected none, since a model of ours is a folder of its own, found `x_`",
    );
    place
        .scvi("convert py back2 --model Other")
        .fails(1, "saved model: expected Other, found SCVI");
    place.scvi("convert s.h5ad back2").fails(
        1,
        "s.h5ad: expected a model saved by scvi-tools 0.15 or later, found another kind of file \
         (s.h5ad begins with [89, 48, 44, 46])",
    );
    assert!(!place.at("back2").exists());

    let mut show = place.command("show model.json");
    let shown = Ran::of(show.current_dir(place.at("m"))).says("").out;
    assert!(shown.starts_with("SCVI model in model.json\n"), "{shown}");
}

fn files(folder: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
    let mut names: Vec<String> =
        folder.read_dir().unwrap().map(|e| name(e).into_string().unwrap()).collect();
    names.sort();
    names
}
