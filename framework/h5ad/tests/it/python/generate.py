"""Writes an .h5ad file of every encoding with every compression, and .h5mu files of every layout:
generate.py FOLDER"""

import sys
import warnings
from pathlib import Path

import anndata
import awkward
import h5py
import hdf5plugin
import mudata
import numpy as np
import pandas as pd
from scipy import sparse

warnings.filterwarnings("ignore")

NUMBERS = ["bool", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]
FILTERS = {
    "none": {},
    "gzip": dict(compression="gzip", compression_opts=9),
    "lzf": dict(compression="lzf"),
    "zstd": hdf5plugin.Zstd(),
}
# Blosc as packed with h5py fails on strings, so these are tried on numbers only.
FILTERS_OF_NUMBERS = {
    **{
        f"blosc_{name}_{shuffle}": hdf5plugin.Blosc(cname=name, clevel=5, shuffle=shuffle)
        for name in ("blosclz", "lz4", "lz4hc", "zlib", "zstd", "snappy")
        for shuffle in (0, 1, 2)
    },
    "checksums": dict(fletcher32=True, shuffle=True, compression="gzip"),
    "zstd_19": hdf5plugin.Zstd(clevel=19),
}


def numbers(rng, dtype, shape):
    if dtype == "bool":
        return rng.random(shape) < 0.5
    if np.dtype(dtype).kind == "f":
        values = rng.normal(size=shape).astype(dtype)
        values.flat[:3] = [np.nan, np.inf, -0.0][: min(3, values.size)]
        return values
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)


def frame(rng, names):
    n = len(names)
    some = rng.integers(0, 3, n)
    missing = rng.random(n) < 0.3
    words = np.array(["α-cell", "", "T cell 'x\""], dtype=object)
    columns = {f"number_{t}": numbers(rng, t, n) for t in NUMBERS}
    columns |= {
        "strings": words[some],
        "cat": pd.Categorical.from_codes(some, ["b", "a", "é"]),
        "cat_missing": pd.Categorical.from_codes(np.where(missing, -1, some), ["b", "a", "c"]),
        "cat_ordered": pd.Categorical.from_codes(some, ["z", "y", "x"], ordered=True),
        "cat_int": pd.Categorical.from_codes(some, [30, -1, 2]),
        "cat_float": pd.Categorical.from_codes(some, [0.5, 1.5, 2.5]),
        "cat_bool": pd.Categorical.from_codes(some % 2, [True, False]),
        "cat_many": pd.Categorical.from_codes(np.arange(n), [f"k{i}" for i in range(n + 300)]),
        "cat_unused": pd.Categorical.from_codes(np.zeros(n, int), ["only", "never"]),
        "nullable_bool": pd.array(np.where(missing, None, some > 1), dtype="boolean"),
        "nullable_string": pd.array(np.where(missing, None, words[some]), dtype="string"),
    }
    for t in ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64"):
        columns[f"nullable_{t}"] = pd.array(np.where(missing, None, some), dtype=t)
    return pd.DataFrame(columns, index=names)


def data_set(rng, n=40, g=25):
    anndata.settings.allow_write_nullable_strings = True
    counts = rng.poisson(0.5, (n, g))
    obs = frame(rng, [f"cell ü{i}" for i in range(n)])
    obs.index.name = "barcode"
    var = frame(rng, [f"gene{i}" for i in range(g)])
    adata = anndata.AnnData(sparse.csr_matrix(counts.astype("f4")), obs=obs, var=var)
    adata.raw = anndata.AnnData(
        sparse.csc_matrix(rng.poisson(0.2, (n, g + 7)).astype("i8")),
        obs=pd.DataFrame(index=obs.index),
        var=frame(rng, [f"raw{i}" for i in range(g + 7)]),
        varm={"PCs": rng.normal(size=(g + 7, 3))},
    )
    for t in NUMBERS:
        adata.layers[f"dense_{t}"] = numbers(rng, t, (n, g))
        if t != "f2":
            adata.layers[f"csr_{t}"] = sparse.csr_matrix(counts.astype(t))
            adata.layers[f"csc_{t}"] = sparse.csc_matrix(counts.astype(t))
    long = sparse.csr_matrix(counts.astype("f8"))
    long.indices, long.indptr = long.indices.astype("i8"), long.indptr.astype("i8")
    adata.layers["csr_long"] = long
    adata.layers["empty"] = sparse.csr_matrix((n, g), dtype="f4")
    adata.obsm["X_pca"] = rng.normal(size=(n, 5)).astype("f4")
    adata.obsm["three_axes"] = rng.normal(size=(n, 2, 3))
    adata.obsm["no_columns"] = np.zeros((n, 0))
    adata.obsm["sparse"] = sparse.csr_matrix(rng.poisson(0.1, (n, 9)))
    adata.obsm["frame"] = frame(rng, obs.index)
    adata.obsm["ragged"] = awkward.Array([list(range(i % 4)) for i in range(n)])
    adata.varm["PCs"] = rng.normal(size=(g, 5))
    adata.obsp["distances"] = sparse.csr_matrix(rng.poisson(0.05, (n, n)).astype("f8"))
    adata.obsp["dense"] = rng.normal(size=(n, n))
    adata.varp["correlation"] = rng.normal(size=(g, g))
    adata.uns = uns(rng)
    return adata


def uns(rng):
    records = np.array([("a", 1.5, 2), ("ß", np.nan, 3)], dtype=[("n", "O"), ("x", "f4"), ("i", "i8")])
    return {
        "string": "text with ünicode",
        "empty_string": "",
        "int": 3,
        "float": 2.5,
        "true": True,
        "numpy_scalar": np.float32(1.25),
        "none": None,
        "strings": np.array(["x", "", "ÿ"], dtype=object),
        "one_string": np.array(["x"], dtype=object),
        "no_strings": np.array([], dtype=object),
        "strings_2d": np.array([["a", "b"], ["c", "d"]], dtype=object),
        "complex": np.array([1 + 2j, 3j]),
        "bytes": np.array([b"ab", b"c"]),
        "records": records,
        "empty": np.zeros(0),
        "nested": {"deeper": {"deepest": {"values": np.arange(4), "none": {}}, "x": "y"}},
        "frame": frame(rng, ["r1", "r2", "r3"]),
        "frame_of_numbers": pd.DataFrame({"v": [1.0, 2.0]}, index=[10, 20]),
        "frame_without_columns": pd.DataFrame(index=["a", "b"]),
        "categorical": pd.Categorical(["b", None, "a"], ordered=True),
        "nullable": pd.array([1, None], dtype="Int16"),
        "matrix": sparse.csc_matrix(np.eye(3)),
        "ragged": awkward.Array([{"a": [1, 2]}, {"a": []}]),
        "inner": anndata.AnnData(np.eye(2, dtype="f4")),
        **{f"array_{t}": numbers(rng, t, (3, 2)) for t in NUMBERS},
    }


def with_many_columns(n_columns):
    columns = {f"a column with a rather long name {i}": [float(i)] for i in range(n_columns)}
    return anndata.AnnData(obs=pd.DataFrame(columns, index=["only"]))


def multimodal(folder, rng):
    """Modalities that share cells, features or both; some rows in some modalities only."""
    whole = data_set(rng)
    first, second = whole[:30, :15].copy(), whole[10:, 12:].copy()
    second.raw = None
    for axis in (0, 1, -1):
        parts = {"b part": first.copy(), "a": second.copy()}
        if axis == -1:
            parts = {"raw": whole.copy(), "filtered": first.copy()}
        if axis == 0:
            parts["a"].var_names = [f"other {name}" for name in parts["a"].var_names]
        if axis == 1:
            parts["a"].obs_names = [f"other {name}" for name in parts["a"].obs_names]
        joint = mudata.MuData(parts, axis=axis)
        joint.obs["own"] = np.arange(joint.n_obs)
        joint.obs["kind"] = pd.Categorical(["x", "y"] * (joint.n_obs // 2))
        joint.var["own"] = rng.normal(size=joint.n_vars)
        joint.obsm["X_joint"] = rng.normal(size=(joint.n_obs, 3))
        joint.obsp["near"] = sparse.csr_matrix(np.eye(joint.n_obs))
        joint.varm["loadings"] = rng.normal(size=(joint.n_vars, 2))
        joint.uns = uns(rng)
        joint.write_h5mu(folder / f"multimodal_{axis}.h5mu")
    mudata.MuData({"only": whole.copy()}).write_h5mu(folder / "one.h5mu", compression="gzip")


def old_style(path, rng):
    """A file of anndata 0.6: structured arrays, variable-length strings in them."""
    text = h5py.special_dtype(vlen=str)
    obs = np.array(
        [("c1", 1.5, 0, True, 3), ("çß", 2.5, 1, False, 4), ("c3", -1.0, -1, True, 5)],
        dtype=[("index", text), ("x", "f4"), ("kind", "i1"), ("flag", "?"), ("n", "u2")],
    )
    var = np.array([(b"g1", b"on"), (b"g2long", b"")], dtype=[("index", "S6"), ("state", "S3")])
    obsm = np.zeros(3, dtype=[("X_pca", "f4", (2,)), ("X_one", "f8", (1,))])
    obsm["X_pca"] = rng.normal(size=(3, 2))
    with h5py.File(path, "w") as file:
        file["X"] = rng.poisson(1, (3, 2)).astype("f4")
        file["obs"], file["var"], file["obsm"] = obs, var, obsm
        file["uns/kind_categories"] = np.array([b"first", b"second"])
        file["uns/single"] = np.array([b"alone"])
        file["uns/number"] = 3.5
        group = file.create_group("raw.X")
        group.attrs["h5sparse_format"], group.attrs["h5sparse_shape"] = "csc", (3, 4)
        matrix = sparse.csc_matrix(rng.poisson(1, (3, 4)).astype("f4"))
        for part in ("data", "indices", "indptr"):
            group[part] = getattr(matrix, part)
        file["raw.var"] = np.array([(f"r{i}".encode(),) for i in range(4)], dtype=[("index", "S2")])


def main(folder):
    folder = Path(folder)
    rng = np.random.default_rng(0)
    adata = data_set(rng)
    for name, options in FILTERS.items():
        with h5py.File(folder / f"{name}.h5ad", "w") as file:
            anndata.io.write_elem(file, "/", adata, dataset_kwargs=dict(options))
    for version in ("earliest", "v110", "latest"):
        path = folder / f"libver_{version}.h5ad"
        with h5py.File(path, "w", libver=version) as file:
            anndata.io.write_elem(file, "/", adata)
    anndata.AnnData(np.zeros((0, 0), "f4")).write_h5ad(folder / "nothing.h5ad")
    anndata.AnnData(np.zeros((3, 0), "f4")).write_h5ad(folder / "no_genes.h5ad")
    anndata.AnnData(obs=pd.DataFrame(index=["a", "b"])).write_h5ad(folder / "no_x.h5ad")
    anndata.AnnData(sparse.csc_matrix(np.eye(4, dtype="f4"))).write_h5ad(folder / "csc.h5ad")
    anndata.AnnData(np.eye(4, dtype=">f4")).write_h5ad(folder / "big_endian.h5ad")
    numeric = anndata.AnnData(rng.normal(size=(300, 40)).astype("f4"))
    for t in ("i1", "u2", "f8"):
        numeric.layers[t] = rng.poisson(1, (300, 40)).astype(t)
    for name, options in FILTERS_OF_NUMBERS.items():
        with h5py.File(folder / f"{name}.h5ad", "w") as file:
            anndata.io.write_elem(file, "/", numeric)
            anndata.io.write_elem(file, "X", numeric.X, dataset_kwargs=dict(options))
            anndata.io.write_elem(file, "layers", dict(numeric.layers), dataset_kwargs=dict(options))
    with_many_columns(6000).write_h5ad(folder / "wide.h5ad")
    old_style(folder / "old.h5ad", rng)
    multimodal(folder, rng)


if __name__ == "__main__":
    main(sys.argv[1])
