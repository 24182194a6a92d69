//! What is done with bytes that nobody wrote. Nothing may panic, hang, or ask for more memory than
//! the length of the input explains; what is said about the input does not matter.

use std::{fs, io::Write, path::Path};

use scvi_framework::{
    anndata::{AnnData, DataFrame, Element, Slot},
    data::{AnnDataManager, Registry},
    fields::{
        AnnDataField, CategoricalJointObsField, CategoricalObsField, LayerField,
        NumericalJointObsField, NumericalObsField, Transfer,
    },
    saved, serde_json,
};
use scvi_h5ad::{Backing, Features, ImportOptions, ReadOptions, import, read};
use zip::{ZipWriter, write::SimpleFileOptions};

/// A target: its name, and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// A field over some columns of `obs`.
type Field = fn(&[String]) -> Box<dyn AnnDataField>;

/// All targets.
pub const TARGETS: [Target; 5] = [
    ("h5ad", h5ad),
    ("tenx_h5", tenx_h5),
    ("tenx_mtx", tenx_mtx),
    ("registry", registry),
    ("model_pt", model_pt),
];

/// Reads an `.h5ad` or `.h5mu` file, in memory and on disk.
pub fn h5ad(bytes: &[u8]) {
    let Ok(file) = written(bytes) else { return };
    for backed in [Backing::Memory, Backing::Disk] {
        if let Ok(adata) = read(file.path(), ReadOptions { backed }) {
            let _ = adata.to_string();
            let layers = adata.mapping(Slot::Layers).into_iter().flat_map(|layers| layers.values());
            for matrix in adata.x().into_iter().chain(layers) {
                let n_rows = matrix.shape().first().copied().unwrap_or(0);
                let _ = matrix.rows(n_rows / 2..n_rows.min(n_rows / 2 + 3));
            }
        }
    }
}

/// Reads whatever kind of HDF5 file it may be.
pub fn tenx_h5(bytes: &[u8]) {
    let Ok(file) = written(bytes) else { return };
    let _ = import(file.path(), &ImportOptions::default());
    let genome = Some("hg38".into());
    let _ = import(file.path(), &ImportOptions { genome, features: Features::GeneExpression });
}

/// Reads a folder of three files, which are separated by a byte of zero.
pub fn tenx_mtx(bytes: &[u8]) {
    let Ok(folder) = tempfile::tempdir() else { return };
    let mut parts = bytes.splitn(3, |&byte| byte == 0);
    for name in ["features.tsv", "barcodes.tsv", "matrix.mtx"] {
        let written = fs::write(folder.path().join(name), parts.next().unwrap_or_default());
        if written.is_err() {
            return;
        }
    }
    let _ = import(folder.path(), &ImportOptions::default());
    let features = Features::GeneExpression;
    let _ = import(folder.path(), &ImportOptions { features, ..Default::default() });
}

/// Reads a registry as models do, carries it over to a small data set, and reads it as the host does.
pub fn registry(bytes: &[u8]) {
    let Ok(json) = serde_json::from_slice::<serde_json::Value>(bytes) else { return };
    let keys = ["batch".to_owned(), "donor".to_owned()];
    let fields: [Field; 5] = [
        |_| Box::new(LayerField::new("X", None)),
        |_| Box::new(CategoricalObsField::new("batch", Some("batch"))),
        |_| Box::new(NumericalObsField::new("size_factor", Some("depth"))),
        |keys| Box::new(CategoricalJointObsField::new("extra_categorical_covs", keys)),
        |_| Box::new(NumericalJointObsField::new("extra_continuous_covs", &["depth".to_owned()])),
    ];
    for n in [1, 2, fields.len()] {
        let fields = fields.iter().take(n).map(|field| field(&keys)).collect();
        let Ok(manager) = AnnDataManager::from_saved(fields, &json) else { continue };
        let _ = manager.summary_stats();
        for extend_categories in [false, true] {
            let how = Transfer { extend_categories, ..Default::default() };
            let _ = manager.transfer_fields(&mut small(), how);
        }
    }
    if let Ok(registry) = serde_json::from_value::<Registry>(json) {
        let _ = registry.summary_stats();
        let how = Transfer { extend_categories: true, ..Default::default() };
        let _ = AnnDataManager::from_registry(registry).transfer_fields(&mut small(), how);
    }
}

/// Reads a `model.pt`: the bytes are one, or else the pickle in one; and then those of the attributes
/// and the weights in the layout before 0.15 too.
pub fn model_pt(bytes: &[u8]) {
    if bytes.starts_with(b"PK") {
        if let Ok(file) = written(bytes) {
            let _ = saved::read(file.path());
        }
        return;
    }
    let Ok(archive) = archive(bytes) else { return };
    if let Ok(file) = written(&archive) {
        let _ = saved::read(file.path());
    }
    let Ok(folder) = tempfile::tempdir() else { return };
    let files: [(&str, &[u8]); 3] =
        [("attr.pkl", bytes), ("model_params.pt", &archive), ("var_names.csv", b"g1\ng2\n")];
    if files.iter().all(|(name, bytes)| fs::write(folder.path().join(name), bytes).is_ok()) {
        let _ = saved::scvi_tools::read_legacy(folder.path(), None, "Model");
    }
}

fn written(bytes: &[u8]) -> std::io::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(bytes)?;
    Ok(file)
}

fn archive(pickle: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    let numbers: Vec<u8> = (0..64).collect();
    for (name, content) in [("data.pkl", pickle), ("data/0", &numbers), ("data/1", &numbers)] {
        zip.start_file(Path::new("model").join(name).to_string_lossy(), options)?;
        zip.write_all(content)?;
    }
    Ok(zip.finish()?.into_inner())
}

fn small() -> AnnData {
    let mut obs = DataFrame::new(["c1", "c2", "c3"]);
    obs.columns.insert("batch".into(), Element::strings(["a", "b", "a"]));
    obs.columns.insert("donor".into(), Element::vector(vec![3_i64, 1, 3]));
    obs.columns.insert("depth".into(), Element::vector(vec![0.5, 1.0, 2.0]));
    let mut adata = AnnData::new(obs, DataFrame::new(["g1", "g2"]));
    if let Ok(x) = Element::matrix(3, 2, vec![1.0_f32, 0.0, 2.0, 0.0, 3.0, 0.0]) {
        let _ = adata.set(Slot::X, "X", x);
    }
    adata
}
