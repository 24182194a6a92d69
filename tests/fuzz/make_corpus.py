"""Writes the inputs from which fuzzing starts, all small and of made-up data: make_corpus.py FOLDER

Needs a Python with anndata, mudata and torch (one with scvi-tools has them).
"""

import json
import pickle
import sys
import warnings
import zipfile
from pathlib import Path

import anndata
import h5py
import mudata
import numpy as np
import pandas as pd
import torch
from scipy import sparse

warnings.filterwarnings("ignore")


def bare(g=3, names="gene"):
    adata = data_set(g=g, names=names)
    adata.obs = adata.obs[["depth"]]
    return adata


def data_set(n=4, g=3, names="gene"):
    rng = np.random.default_rng(0)
    obs = pd.DataFrame(
        {
            "batch": pd.Categorical(["a", "b"] * (n // 2)),
            "depth": rng.random(n),
            "maybe": pd.array([1, None] * (n // 2), dtype="Int8"),
            "word": ["x", "é", "y", "z"][:n],
        },
        index=[f"c{i}" for i in range(n)],
    )
    var = pd.DataFrame(index=[f"{names}{i}" for i in range(g)])
    adata = anndata.AnnData(sparse.csr_matrix(rng.poisson(1, (n, g)).astype("f4")), obs, var)
    return adata


def h5ad(folder):
    plain = data_set()
    plain.uns["nested"] = {"note": "text", "numbers": np.arange(3), "none": None}
    plain.write_h5ad(folder / "plain.h5ad")
    packed = bare()
    packed.raw = bare()
    packed.X = packed.X.tocsc()
    packed.layers["dense"] = packed.X.toarray().astype("i2")
    packed.obsm["X_pca"] = np.ones((4, 2), "f4")
    packed.write_h5ad(folder / "packed.h5ad", compression="gzip")
    with h5py.File(folder / "latest.h5ad", "w", libver="latest") as file:
        anndata.io.write_elem(file, "/", data_set())
    text = h5py.special_dtype(vlen=str)
    with h5py.File(folder / "legacy.h5ad", "w") as file:
        file["X"] = np.ones((2, 2), "f4")
        rows = [("c1", 1.5, 0, True), ("c2", 2.5, 1, False)]
        file["obs"] = np.array(rows, dtype=[("index", text), ("x", "f4"), ("kind", "i1"), ("flag", "?")])
        file["var"] = np.array([(b"g1", b"on"), (b"g2", b"")], dtype=[("index", "S6"), ("state", "S3")])
        file["obsm"] = np.zeros(2, dtype=[("X_pca", "f4", (2,))])
        file["uns/kind_categories"] = np.array([b"first", b"second"])
        group = file.create_group("raw.X")
        group.attrs["h5sparse_format"], group.attrs["h5sparse_shape"] = "csc", (2, 2)
        group["data"], group["indices"], group["indptr"] = [1.0, 2.0], [0, 1], [0, 1, 2]
        file["raw.var"] = np.array([(b"r1",), (b"r2",)], dtype=[("index", "S2")])
    joint = mudata.MuData({"rna": bare(), "protein": bare(2, "protein")})
    joint.write_h5mu(folder / "joint.h5mu")


def counts(group):
    group["data"] = np.array([1, 2, 3], "i4")
    group["indices"], group["indptr"] = np.array([0, 1, 1]), np.array([0, 2, 3])
    group["shape"] = np.array([2, 2], "i4")
    group["barcodes"] = np.array([b"AAAC-1", b"AAAG-1"])


def tenx_h5(folder):
    with h5py.File(folder / "v3.h5", "w") as file:
        counts(file.create_group("matrix"))
        features = file.create_group("matrix/features")
        features["id"], features["name"] = np.array([b"E1", b"E2"]), np.array([b"a", b"b"])
        features["feature_type"] = np.array([b"Gene Expression", b"Antibody Capture"])
        features["genome"] = np.array([b"hg38", b""])
        features["control"] = np.array([True, False])
    with h5py.File(folder / "v2.h5", "w") as file:
        counts(file.create_group("hg38"))
        file["hg38/genes"], file["hg38/gene_names"] = np.array([b"E1", b"E2"]), np.array([b"a", b"a"])
    with h5py.File(folder / "velocity.loom", "w") as file:
        file.create_dataset("matrix", data=np.eye(3, 4, dtype="f4"), chunks=(2, 2), compression="gzip")
        file["layers/spliced"] = np.ones((3, 4), "i4")
        file["row_attrs/Gene"] = np.array([b"g1", b"g2", b"g&#945;"])
        file["row_attrs/Length"] = np.arange(3)
        file["col_attrs/CellID"] = np.array(["c1", "c2", "c3", "c4"], dtype=object)
        file["col_attrs/X_umap"] = np.ones((4, 2))


def tenx_mtx(folder):
    features = "E1\ta\tGene Expression\nE2\ta\tAntibody Capture\n"
    matrix = "%%MatrixMarket matrix coordinate integer general\n%\n2 2 3\n1 1 1\n2 1 2\n2 2 3\n"
    (folder / "v3").write_text("\0".join([features, "AAAC-1\nAAAG-1\n", matrix]))
    matrix = "%%MatrixMarket matrix coordinate real general\n2 1 3\n2 1 1.5\n1 1 2e0\n2 1 1\n"
    (folder / "repeats").write_text("\0".join(['E1\t"a"\nE2\tb\n', "AAAC-1\n", matrix]))
    matrix = "%%MatrixMarket matrix coordinate pattern general\n1 1 1\n1 1\n"
    (folder / "pattern").write_text("\0".join(["E1\ta\n", "AAAC-1\n", matrix]))


def registry(folder):
    def part(key, state, **stats):
        place = {"attr_name": "obs", "attr_key": key}
        return {"data_registry": place, "state_registry": state, "summary_stats": stats}

    fields = {
        "X": {
            "data_registry": {"attr_name": "X", "attr_key": None},
            "state_registry": {"n_obs": 3, "n_vars": 2, "column_names": ["g1", "g2"]},
            "summary_stats": {"n_cells": 3, "n_vars": 2},
        },
        "batch": part(
            "_scvi_batch", {"categorical_mapping": ["a", "b"], "original_key": "batch"}, n_batch=2
        ),
        "size_factor": part("depth", {}),
        "extra_categorical_covs": part(
            "_scvi_extra_categorical_covs",
            {
                "mappings": {"batch": ["a", "b"], "donor": [1, 3]},
                "field_keys": ["batch", "donor"],
                "n_cats_per_key": [2, 2],
            },
            n_extra_categorical_covs=2,
        ),
        "extra_continuous_covs": part(
            "_scvi_extra_continuous_covs", {"columns": ["depth"]}, n_extra_continuous_covs=1
        ),
    }
    whole = {
        "scvi_version": "1.4.2",
        "model_name": "M",
        "setup_args": {"layer": None, "batch_key": "batch"},
        "field_registries": fields,
        "setup_method_name": "setup_anndata",
        "_scvi_uuid": "6f9f0b2a-3b0b-4f63-8b05-3c2fd3b0e5a1",
    }
    (folder / "whole.json").write_text(json.dumps(whole))
    ours = json.loads(json.dumps(whole))
    ours["field_registries"] = {
        "batch": fields["batch"]
        | {"field": {"field": "CategoricalObsField", "registry_key": "batch", "attr_key": "batch"}}
    }
    (folder / "tagged.json").write_text(json.dumps(ours))


def model_pt(folder):
    state = {
        "z_encoder.weight": torch.arange(6.0).view(2, 3).t(),
        "flag": torch.tensor(True),
        "half": torch.ones(2, dtype=torch.float16),
    }
    attributes = {
        "registry_": {
            "scvi_version": "1.4.2",
            "model_name": "M",
            "setup_args": {},
            "field_registries": {},
            "categories": np.array(["a", "ä"], dtype=object),
        },
        "init_params_": {"kwargs": {}, "non_kwargs": {"n_latent": 2}},
        "history_": {"elbo_train": pd.DataFrame({"elbo_train": [2.0, 1.0]})},
        "is_trained_": True,
        "train_indices_": np.arange(3),
    }
    path = folder / "model.pt"
    names = np.array(["g1", "g2"])
    torch.save({"model_state_dict": state, "var_names": names, "attr_dict": attributes}, path)
    with zipfile.ZipFile(path) as archive:
        name = next(n for n in archive.namelist() if n.endswith("data.pkl"))
        (folder / "model.pkl").write_bytes(archive.read(name))
    (folder / "attr.pkl").write_bytes(pickle.dumps(legacy_attributes(), protocol=4))


def legacy_attributes():
    """The attributes of a model before 0.15, with every kind of field."""
    text = lambda *names: np.array(names, dtype=object)
    places = {
        "X": ("X", "None"),
        "batch_indices": ("obs", "_scvi_batch"),
        "labels": ("obs", "_scvi_labels"),
        "local_l_mean": ("obs", "_scvi_local_l_mean"),
        "cat_covs": ("obsm", "_scvi_extra_categoricals"),
        "cont_covs": ("obsm", "_scvi_extra_continuous"),
        "protein_expression": ("obsm", "proteins"),
    }
    setup = {
        "scvi_version": "0.8.0",
        "data_registry": {k: {"attr_name": n, "attr_key": a} for k, (n, a) in places.items()},
        "categorical_mappings": {
            "_scvi_batch": {"original_key": "batch", "mapping": text("a", "b")},
            "_scvi_labels": {"original_key": "labels", "mapping": text("x")},
        },
        "extra_categoricals": {
            "mappings": {"donor": text("d1", "d2")},
            "keys": ["donor"],
            "n_cats_per_key": [2],
        },
        "extra_continuous_keys": text("mito"),
        "protein_names": np.array(["p1"]),
        "summary_stats": {"n_batch": 2, "n_cells": 3, "n_vars": 2, "n_labels": 1},
    }
    return {
        "scvi_setup_dict_": setup,
        "init_params_": {"n_latent": 2, "use_cuda": True, "model_kwargs": {}},
        "is_trained_": True,
        "unlabeled_category_": "x",
        "train_indices_": np.arange(3),
    }


def main(root):
    for make in (h5ad, tenx_h5, tenx_mtx, registry, model_pt):
        folder = root / make.__name__
        folder.mkdir(parents=True, exist_ok=True)
        make(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
