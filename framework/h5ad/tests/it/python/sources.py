"""Files and folders of other programs: sources.py make FOLDER writes one of each kind; sources.py
compare REFERENCE FILE [REFERENCE FILE ...] compares what Python makes of each with an .h5ad file.
A reference is `how|path|option`."""

import gzip
import sys
import warnings
from pathlib import Path

import anndata
import h5py
import loompy
import mudata
import numpy as np
import scanpy
from scipy import io, sparse

sys.path.append(str(Path(__file__).parent))
from compare import differences  # noqa: E402

warnings.filterwarnings("ignore")


def counts(rng, n_cells=30, n_features=12):
    return sparse.csr_matrix(rng.poisson(0.6, (n_cells, n_features)).astype("i4"))


def write_matrix(group, x, dtype="i4", positions="i8"):
    group["data"] = x.data.astype(dtype)
    group["indices"], group["indptr"] = x.indices.astype(positions), x.indptr.astype(positions)
    group["shape"] = np.array(x.shape[::-1], dtype="i4")
    group["barcodes"] = np.array([f"BARCODE{i}-1" for i in range(x.shape[0])], dtype="S18")


def version_3(path, rng, dtype="i4", probes=False):
    x = counts(rng)
    n = x.shape[1]
    text = h5py.string_dtype()
    with h5py.File(path, "w") as file:
        matrix = file.create_group("matrix")
        write_matrix(matrix, x, dtype, "u4" if dtype == "f8" else "i8")
        features = matrix.create_group("features")
        features["name"] = np.array([f"gene {i // 2}" for i in range(n)], dtype="S20")
        features["id"] = np.array([f"ENSG{i}" for i in range(n)], dtype=object).astype(text)
        kinds = ["Gene Expression", "Antibody Capture", "Gene Expression"] * (n // 3)
        features["feature_type"] = np.array(kinds, dtype="S30")
        features["genome"] = np.array([b"hg38", b"mm10", b"hg38", b""] * (n // 4))
        features["_all_tag_keys"] = np.array([b"genome"])
        features["number"] = np.arange(n)
        features["control"] = np.arange(n) % 2 == 0
        if probes:
            features["gene_id"] = np.array([f"GENE{i}" for i in range(n)], dtype="S20")
            matrix["filtered_barcodes"] = np.arange(x.shape[0]) % 3 > 0
            features.create_group("nested")["ignored"] = np.arange(3)


def version_2(path, rng, genomes):
    with h5py.File(path, "w") as file:
        for i, genome in enumerate(genomes):
            x = counts(rng, 20 + i, 8 + i)
            group = file.create_group(genome)
            write_matrix(group, x)
            group["genes"] = np.array([f"{genome}_{j}" for j in range(x.shape[1])], dtype="S20")
            group["gene_names"] = np.array([f"name{j % 6}" for j in range(x.shape[1])], dtype="S20")


def folder_10x(folder, rng, prefix="", packed=True, genes="features", sort=True):
    folder.mkdir(exist_ok=True)
    x = counts(rng).T.tocoo()
    order = np.lexsort((x.row, x.col)) if sort else rng.permutation(x.nnz)
    names = [f"gene {i % 9}" for i in range(x.shape[0])]
    names[3] = 'it"s'.replace('"', "'")
    kinds = ["Gene Expression", "Antibody Capture"] * (x.shape[0] // 2)
    columns = [[f"ENSG{i}" for i in range(x.shape[0])], names]
    if genes == "features":
        columns.append(kinds)
    table = "".join("\t".join(row) + "\n" for row in zip(*columns))
    barcodes = "".join(f"BARCODE{i}-1\n" for i in range(x.shape[1]))
    io.mmwrite(folder / "whole.mtx", sparse.coo_matrix((x.data[order], (x.row[order], x.col[order])), x.shape))
    matrix = (folder / "whole.mtx").read_text()
    (folder / "whole.mtx").unlink()
    for name, text in (("matrix.mtx", matrix), (f"{genes}.tsv", table), ("barcodes.tsv", barcodes)):
        if packed:
            with gzip.open(folder / f"{prefix}{name}.gz", "wt") as file:
                file.write(text)
        else:
            (folder / f"{prefix}{name}").write_text(text)


def loom(path, rng, layers, named=True):
    genes, cells = 70, 150
    matrix = rng.poisson(0.3, (genes, cells)).astype("f4")
    rows = {"Gene": np.array([f"gene{i}" for i in range(genes)]), "Length": np.arange(genes) * 2}
    columns = {
        "CellID": np.array([f"cell{i}" for i in range(cells)]),
        "cluster": np.array(["a & b", "<c>"] * (cells // 2)),
        "depth": rng.random(cells),
        "X_umap": rng.normal(size=(cells, 2)),
        "one": rng.normal(size=(cells, 1)),
    }
    if not named:
        rows["Accession"], columns["barcode"] = rows.pop("Gene"), columns.pop("CellID")
    parts = {"": matrix, **{name: rng.poisson(0.2, (genes, cells)) for name in layers}}
    loompy.create(str(path), parts, rows, columns)


def make(folder):
    rng = np.random.default_rng(0)
    version_3(folder / "v3.h5", rng)
    version_3(folder / "v3_float.h5", rng, "f8")
    version_3(folder / "v3_probes.h5", rng, probes=True)
    version_2(folder / "v2.h5", rng, ["hg19"])
    version_2(folder / "v2_two.h5", rng, ["hg19", "mm10"])
    folder_10x(folder / "mtx_v3", rng)
    folder_10x(folder / "mtx_v3_prefix", rng, prefix="patient A_")
    folder_10x(folder / "mtx_v2", rng, packed=False, genes="genes")
    folder_10x(folder / "mtx_unsorted", rng, packed=False, genes="genes", sort=False)
    loom(folder / "plain.loom", rng, [])
    loom(folder / "velocity.loom", rng, ["spliced", "unspliced"])
    loom(folder / "unnamed.loom", rng, ["other"], named=False)


def reference(how, path, option):
    if how == "10x":
        return scanpy.read_10x_h5(path, gex_only=False, genome=option or None)
    if how == "10x gex":
        return scanpy.read_10x_h5(path)
    if how.startswith("mtx"):
        adata = scanpy.read_10x_mtx(path, gex_only=how == "mtx gex", prefix=option or None)
        adata.X = adata.X.tocsr()  # what is read by column is kept by row here
        return adata
    if how == "loom":
        return anndata.io.read_loom(path)
    return mudata.read_h5mu(path).mod[option]


def compare(words):
    found = []
    for expected, path in zip(words[::2], words[1::2], strict=True):
        how, source, option = expected.split("|")
        first, second = reference(how, source, option), anndata.read_h5ad(path)
        found += differences(first, second, f"{expected} ")
    print("\n".join(found) if found else f"{len(words) // 2} equal")
    return 1 if found else 0


if __name__ == "__main__":
    if sys.argv[1] == "make":
        sys.exit(make(Path(sys.argv[2])))
    sys.exit(compare(sys.argv[2:]))
