"""Compares .h5ad files as Python's anndata sees them: compare.py A B [A B ...]

Prints one line per difference and leaves with 1 when there is any. The second file of each pair
is also opened by scanpy and put through a step of its work.
"""

import sys
import tempfile
import warnings

import hdf5plugin  # noqa: F401  (lets h5py read what it compressed)
import numpy as np
import pandas as pd
from scipy import sparse

warnings.filterwarnings("ignore")


def differences(a, b, at):
    """Yields a line for each way in which b is not a."""
    import anndata

    if type(a) is not type(b):
        yield f"{at}: {type(a)} against {type(b)}"
    elif isinstance(a, anndata.AnnData):
        yield from of_data_sets(a, b, at)
    elif isinstance(a, anndata.Raw):
        for part in ("X", "var", "varm", "obs_names"):
            x, y = getattr(a, part), getattr(b, part)
            if part == "varm":
                x, y = dict(x), dict(y)
            yield from differences(x, y, f"{at}.{part}")
    elif isinstance(a, dict):
        if list(a) != list(b):
            yield f"{at}: keys {list(a)} against {list(b)}"
        for key in a:
            if key in b:
                yield from differences(a[key], b[key], f"{at}[{key!r}]")
    elif isinstance(a, pd.DataFrame):
        yield from differences(a.index, b.index, f"{at}.index")
        if list(a.columns) != list(b.columns):
            yield f"{at}: columns {list(a.columns)} against {list(b.columns)}"
        for name in a.columns:
            if name in b.columns:
                yield from differences(a[name].array, b[name].array, f"{at}[{name!r}]")
    elif isinstance(a, pd.Index):
        if a.name != b.name:
            yield f"{at}: name {a.name!r} against {b.name!r}"
        yield from differences(a.array, b.array, at)
    elif isinstance(a, pd.Categorical):
        if a.ordered != b.ordered:
            yield f"{at}: ordered {a.ordered} against {b.ordered}"
        yield from differences(a.codes, b.codes, f"{at}.codes")
        yield from differences(a.categories, b.categories, f"{at}.categories")
    elif isinstance(a, pd.api.extensions.ExtensionArray):
        if a.dtype != b.dtype:
            yield f"{at}: {a.dtype} against {b.dtype}"
        elif hasattr(a, "_ndarray") and not hasattr(a, "_mask"):
            yield from differences(a.to_numpy(), b.to_numpy(), at)
        else:
            yield from differences(a.isna(), b.isna(), f"{at}.isna")
            yield from differences(a[~a.isna()].to_numpy(), b[~b.isna()].to_numpy(), at)
    elif sparse.issparse(a):
        for part in ("format", "shape", "data", "indices", "indptr"):
            yield from differences(getattr(a, part), getattr(b, part), f"{at}.{part}")
    elif isinstance(a, np.ndarray):
        yield from of_arrays(a, b, at)
    elif type(a).__module__.startswith("awkward"):
        if a.to_list() != b.to_list() or str(a.type) != str(b.type):
            yield f"{at}: awkward arrays differ"
    elif isinstance(a, (float, np.floating)) and np.isnan(a):
        if not np.isnan(b):
            yield f"{at}: {a!r} against {b!r}"
    elif a != b:
        yield f"{at}: {a!r} against {b!r}"


def of_data_sets(a, b, at):
    yield from differences(repr(a), repr(b), f"{at} repr")
    for part in ("X", "obs", "var", "raw"):
        yield from differences(getattr(a, part), getattr(b, part), f"{at}.{part}")
    for part in ("layers", "obsm", "varm", "obsp", "varp", "uns"):
        yield from differences(dict(getattr(a, part)), dict(getattr(b, part)), f"{at}.{part}")


def of_arrays(a, b, at):
    if a.dtype.newbyteorder("=") != b.dtype.newbyteorder("=") or a.shape != b.shape:
        yield f"{at}: {a.dtype}{a.shape} against {b.dtype}{b.shape}"
    elif a.dtype.names:
        for name in a.dtype.names:
            yield from of_arrays(a[name], b[name], f"{at}[{name!r}]")
    elif a.dtype == object:
        for i, (x, y) in enumerate(zip(a.ravel(), b.ravel())):
            if x is pd.NA and y is pd.NA:
                continue
            if type(x) is not type(y) or (x != y and not (x != x and y != y)):
                yield f"{at}[{i}]: {x!r} against {y!r}"
                return
    elif not np.array_equal(a, b, equal_nan=a.dtype.kind in "fc"):
        yield f"{at}: values differ"
    elif a.dtype.kind == "f" and not np.array_equal(np.signbit(a), np.signbit(b)):
        yield f"{at}: signs of zeros differ"


def opens_in_scanpy(path):
    import scanpy

    adata = scanpy.read_h5ad(path)
    adata.copy()
    if adata.n_obs > 0 and adata.n_vars > 0 and adata.X is not None:
        scanpy.pp.calculate_qc_metrics(adata[:50], inplace=False, percent_top=None)
    str(adata)


def read(path):
    """The data set; of a file older than the encodings, what anndata makes of it when it writes."""
    import anndata
    import h5py

    with h5py.File(path) as file:
        is_old = "encoding-type" not in file.attrs
    adata = anndata.read_h5ad(path)
    if not is_old:
        return adata
    with tempfile.NamedTemporaryFile(suffix=".h5ad") as renewed:
        adata.write_h5ad(renewed.name)
        return anndata.read_h5ad(renewed.name)


def main(paths):
    found = []
    for a, b in zip(paths[::2], paths[1::2], strict=True):
        try:
            found += list(differences(read(a), read(b), f"{a} | "))
            opens_in_scanpy(b)
        except Exception as error:
            found.append(f"{a} | {b}: {type(error).__name__}: {error}")
    print("\n".join(found) if found else f"{len(paths) // 2} equal")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
