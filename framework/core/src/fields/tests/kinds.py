"""Registers small data sets with every kind of field by scvi-tools, carries them over, and prints all
that was remembered and written."""

import json
import warnings

warnings.filterwarnings("ignore")

import anndata
import mudata
import numpy as np
import pandas as pd
from scvi.data import AnnDataManager
from scvi.data import fields as f


def small(texts, chroms):
    cells, genes = [f"c{i}" for i in range(6)], ["g0", "g1", "g2"]
    obs = pd.DataFrame({"text": texts}, index=cells)
    var = pd.DataFrame({"chrom": chroms, "gc": [0.5, 0.25, 1.0]}, index=genes)
    x = (np.arange(18, dtype="float32") % 5).reshape(6, 3)
    adata = anndata.AnnData(x, obs=obs, var=var)
    adata.obsm["pca"] = np.arange(12, dtype="float64").reshape(6, 2)
    proteins = {"p1": [0, 1, 0, 2, 0, 0], "p2": [1, 0, 1, 0, 1, 3]}
    adata.obsm["prot"] = pd.DataFrame(proteins, index=obs.index)
    adata.varm["load"] = np.ones((3, 4))
    adata.uns["names"] = np.array(["first", "second"], dtype=object)
    adata.uns["note"] = "hello"
    return adata


def plain(value):
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)


def frame(table):
    return {c: [str(table[c].dtype), table[c].tolist()] for c in table.columns}


def report(manager, adata):
    written = {}
    for slot in ["obs", "var"]:
        table = getattr(adata, slot)
        written[slot] = frame(table[[c for c in table.columns if c.startswith("_scvi")]])
    for slot in ["obsm", "varm"]:
        tables = getattr(adata, slot)
        written[slot] = {k: frame(tables[k]) for k in tables if k.startswith("_scvi")}
    return {"registry": manager.registry, "written": written}


def unimodal():
    adata = small(["b", "a", "b", "B", "a", "ä"], ["2", "1", "2"])
    adata.obs["label"] = ["x", "x", "unknown", "x", "y", "y"]
    batch = f.CategoricalObsField("batch", "text")
    manager = AnnDataManager(
        fields=[
            f.LayerField("X", None),
            batch,
            f.LabelsWithUnlabeledObsField("labels", "label", "unknown"),
            f.LabelsWithUnlabeledObsField("others", "text", "a"),
            f.NumericalVarField("gc", "gc"),
            f.CategoricalVarField("chrom", "chrom"),
            f.ObsmField("pca", "pca", colnames_uns_key="names"),
            f.VarmField("load", "load"),
            f.NumericalJointVarField("gcs", ["gc"]),
            f.CategoricalJointVarField("chroms", ["chrom"]),
            f.ProteinObsmField("proteins", "prot", batch_field=batch),
            f.StringUnsField("note", "note"),
        ]
    )
    manager.register_fields(adata)
    target = small(["b", "a", "b", "b", "a", "b"], ["2", "Y", "X"])
    how = {"extend_categories": True, "allow_missing_labels": True}
    moved = manager.transfer_fields(target, **how)
    return [report(manager, adata), report(moved, target)]


def multimodal():
    chroms = ["2", "1", "2"]
    mdata = mudata.MuData({"rna": small(["b"] * 6, chroms), "prot": small(["a"] * 6, chroms)})
    mdata.obs["batch"] = ["x", "y", "x", "y", "x", "y"]
    batch = f.MuDataCategoricalObsField("batch", "batch")
    manager = AnnDataManager(
        fields=[
            f.MuDataLayerField("X", None, mod_key="rna"),
            batch,
            f.MuDataCategoricalObsField("text", "text", mod_key="rna"),
            f.MuDataNumericalVarField("gc", "gc", mod_key="rna"),
            f.MuDataCategoricalJointVarField("chroms", ["chrom"], mod_key="rna"),
            f.MuDataObsmField("pca", "pca", mod_key="prot"),
            f.MuDataProteinLayerField("proteins", None, mod_key="prot", batch_field=batch),
            f.MuDataNumericalJointVarField("gcs", ["gc"], mod_key="prot"),
        ]
    )
    manager.register_fields(mdata)
    return [report(manager, mdata["rna"])]


print(json.dumps(unimodal() + multimodal(), default=plain))
