//! The main job: simulate, set up, train, show, ask.

use std::fs;

use scvi_framework::anndata::{Element, Slot};

use super::{Place, test_data};

#[test]
fn from_nothing_to_a_latent_space() {
    let place = Place::new();
    let shown = place.scvi("data show s.h5ad").says("").out;
    assert!(shown.starts_with("AnnData object with n_obs × n_vars = 200 × 50\n"), "{shown}");
    assert!(shown.contains(" X        CSR float32 matrix   "), "{shown}");

    let registry = place.scvi("setup SCVI s.h5ad --batch-key batch").says("").out;
    assert!(registry.contains(" n_batch                    2\n"), "{registry}");
    assert!(registry.contains(" batch          adata.obs['_scvi_batch']\n"), "{registry}");

    let words = "train SCVI s.h5ad --batch-key batch --n-latent 4 --max-epochs 3 --out m";
    let trained = place.scvi(words);
    assert!(trained.err.starts_with("trained 3 epochs, elbo_train "), "{}", trained.err);
    assert!(trained.err.ends_with("\nwrote the model to m\n"), "{}", trained.err);
    assert_eq!((trained.code, trained.out.as_str()), (Some(0), ""));

    let shown = place.scvi("show m").says("").out;
    let lines = [
        "SCVI model in m\n trained    yes, 3 epochs\n",
        " made by    plugin scvi-plugin-scvi 0.1.0\n",
        " cells      180 trained on, 20 for validation\n",
        " n_latent                   4\n",
        " batch_key         batch\n",
    ];
    for line in lines {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    let epochs = shown.lines().filter(|line| line.starts_with(" train_loss "));
    assert_eq!(
        epochs.map(|line| line.split_whitespace().last().unwrap()).collect::<Vec<_>>(),
        ["3"]
    );
    place
        .scvi("query m get-latent-representation --out l.h5ad")
        .says("wrote obsm['X_scVI'] (200 × 4) to l.h5ad\n");
}

#[test]
fn rare_categories_are_noted() {
    let place = Place::new();
    place.change("rare.h5ad", |adata| {
        let donor = |i| {
            if i < 2 {
                "b"
            } else if i == 7 {
                "c"
            } else {
                "a"
            }
        };
        let lane = |i| if i < 3 { 1 } else { i64::from(i == 5) * 2 };
        let n = adata.n_obs();
        adata.set(Slot::Obs, "donor", Element::strings((0..n).map(donor))).unwrap();
        adata
            .set(Slot::Obs, "lane", Element::vector((0..n).map(lane).collect::<Vec<_>>()))
            .unwrap();
    });
    let notes = "note: obs column `donor`: 2 of 3 categories have fewer than 3 cells (\"b\", \"c\"); \
                 models may not train properly. Consider merging them with others or leaving them \
                 out\n\
                 note: obs column `lane`: 1 of 3 categories has fewer than 3 cells (2); models may \
                 not train properly. Consider merging them with others or leaving them out\n";
    let words = "SCVI rare.h5ad --batch-key donor --categorical-covariate-keys lane,batch";
    let registered = place.scvi(&format!("setup {words}"));
    assert_eq!((registered.code, registered.err.as_str()), (Some(0), notes));
    let trained = place.scvi(&format!("train {words} --max-epochs 1 --out m"));
    assert!(trained.err.starts_with(notes), "{}", trained.err);
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let place = Place::new();
    let bytes = |seed: u8, name: &str| {
        let words = format!(
            "train SCVI s.h5ad --batch-key batch --max-epochs 3 --threads 1 --seed {seed} --out {name} -q"
        );
        place.scvi(&words).says("");
        let file = |kind: &str| {
            let words = format!(
                "query {name} get-latent-representation --threads 1 --out {name}.{kind} -q"
            );
            place.scvi(&words).says("");
            fs::read(place.at(format!("{name}.{kind}"))).unwrap()
        };
        let weights = fs::read(place.at(name).join("model.safetensors")).unwrap();
        [weights, file("csv"), file("npz")]
    };
    let first = bytes(7, "a");
    assert!(first == bytes(7, "b"), "the same seed gives other bytes");
    assert!(first != bytes(8, "c"), "another seed gives the same bytes");
}

#[test]
fn the_same_seed_simulates_the_same_data() {
    let place = Place::new();
    for options in ["", "--iid"] {
        let counts = |seed: u8, name: &str| {
            place.scvi(&format!("data synthetic {name} {options} --seed {seed} -q")).says("");
            let adata = super::read(&place.at(name));
            fs::remove_file(place.at(name)).unwrap();
            adata.x().unwrap().clone()
        };
        let first = counts(1, "a.h5ad");
        assert!(first == counts(1, "b.h5ad") && first != counts(2, "c.h5ad"), "{options}");
    }
}

#[test]
fn early_stopping_names_its_epoch() {
    let place = Place::new();
    let words = "train SCVI s.h5ad --max-epochs 9 --early-stopping --early-stopping-patience 1 \
                 --early-stopping-min-delta 1e9 --out m";
    let ran = place.scvi(words);
    let begin = "note: early stopping after epoch 2: elbo_validation has not improved on ";
    assert!(ran.err.starts_with(begin), "{}", ran.err);
    assert!(
        ran.err.contains(" for 1 epochs\ntrained 2 epochs, stopped early, elbo"),
        "{}",
        ran.err
    );
}

#[test]
fn real_counts() {
    let Some(data) = test_data("data/counts/pbmc4k_rna2000_labels8.h5ad") else { return };
    let place = Place::new();
    let file = data.display();
    let words = format!("train SCVI {file} --max-epochs 1 --threads 1 --out m --save-anndata -q");
    place.scvi(&words).says("");
    let asked = place.scvi("query m get-latent-representation --out l.h5ad --threads 1");
    assert!(asked.err.starts_with("wrote obsm['X_scVI'] ("), "{}", asked.err);
    assert_eq!(asked.code, Some(0));
}
