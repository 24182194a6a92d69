//! Random data sets with every kind of element.

use std::{any::Any, ops::Range, sync::Arc};

use half::f16;
use rand::{
    Rng, SeedableRng,
    distr::{Distribution, StandardUniform},
    rngs::StdRng,
};
use scvi_framework::{
    Result,
    anndata::{
        AnnData, Backed, Categorical, DType, DataFrame, Dense, Element, Mapping, Nullable, Number,
        Opaque, Raw, Scalar, Slot, Sparse, SparseFormat, Strings, Values,
    },
};

/// A matrix that pretends to be on disk.
#[derive(Debug)]
pub struct OnDisk(pub Dense);

impl Backed for OnDisk {
    fn shape(&self) -> Vec<usize> {
        self.0.shape.clone()
    }
    fn dtype(&self) -> DType {
        self.0.values.dtype()
    }
    fn rows(&self, rows: Range<usize>) -> Result<Element> {
        let n_cols = self.0.shape[1];
        let positions = rows.start * n_cols..rows.end * n_cols;
        Element::matrix(rows.len(), n_cols, self.0.values.take(positions))
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Something that nobody understands.
#[derive(Debug)]
pub struct Mystery;

impl Opaque for Mystery {
    fn describe(&self) -> String {
        "a riddle".into()
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Makes random elements.
pub struct Random(StdRng);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    fn n(&mut self, up_to: usize) -> usize {
        self.0.random_range(0..=up_to)
    }

    /// `n` numbers of any dtype.
    pub fn values(&mut self, n: usize) -> Values {
        match self.n(11) {
            0 => self.drawn::<bool>(n),
            1 => self.drawn::<i8>(n),
            2 => self.drawn::<i16>(n),
            3 => self.drawn::<i32>(n),
            4 => self.drawn::<i64>(n),
            5 => self.drawn::<u8>(n),
            6 => self.drawn::<u16>(n),
            7 => self.drawn::<u32>(n),
            8 => self.drawn::<u64>(n),
            9 => self.drawn::<f32>(n),
            10 => self.drawn::<f64>(n),
            _ => {
                let bits = (0..n).map(|_| f16::from_f32(self.0.random::<f32>()));
                bits.collect::<Vec<_>>().into()
            }
        }
    }

    fn drawn<T: Number>(&mut self, n: usize) -> Values
    where
        StandardUniform: Distribution<T>,
    {
        (0..n).map(|_| self.0.random::<T>()).collect::<Vec<_>>().into()
    }

    fn text(&mut self) -> String {
        let pieces = ["", "a", "Zelle", "é", "\u{1F9EC}", "\"", "\\", "\n", "T cell"];
        (0..self.n(3)).map(|_| pieces[self.n(pieces.len() - 1)]).collect()
    }

    fn strings(&mut self, n: usize) -> Element {
        Element::strings((0..n).map(|_| self.text()).collect::<Vec<_>>())
    }

    fn sparse(&mut self, n: usize, m: usize) -> Element {
        let format = if self.0.random() { SparseFormat::Csr } else { SparseFormat::Csc };
        let (major, minor) = if format == SparseFormat::Csr { (n, m) } else { (m, n) };
        let (mut indices, mut indptr) = (Vec::new(), vec![0]);
        for _ in 0..major {
            indices.extend((0..minor).filter(|_| self.0.random_bool(0.3)).map(|i| i as i32));
            indptr.push(indices.len() as i64);
        }
        let data = self.values(indices.len());
        let matrix = Sparse::new(format, [n, m], data, indices.into(), indptr.into());
        Element::Sparse(matrix.unwrap())
    }

    /// A column of `n` values.
    pub fn column(&mut self, n: usize) -> Element {
        match self.n(3) {
            0 => Element::vector(self.values(n)),
            1 => self.strings(n),
            2 => {
                let n_categories = 1 + self.n(3);
                let codes: Vec<i8> =
                    (0..n).map(|_| self.0.random_range(-1..n_categories as i8)).collect();
                let categories = Box::new(self.strings(n_categories));
                let ordered = self.0.random();
                Element::Categorical(Categorical { codes: codes.into(), categories, ordered })
            }
            _ => {
                let mask = (0..n).map(|_| self.0.random()).collect();
                let values = Box::new(Element::vector(self.values(n)));
                Element::Nullable(Nullable { values, mask })
            }
        }
    }

    /// A matrix with `n` rows and `m` columns.
    pub fn matrix(&mut self, n: usize, m: usize) -> Element {
        match self.n(2) {
            0 => Element::matrix(n, m, self.values(n * m)).unwrap(),
            1 => self.sparse(n, m),
            _ => {
                let values = self.values(n * m);
                Element::Backed(Arc::new(OnDisk(Dense { shape: vec![n, m], values })))
            }
        }
    }

    fn table(&mut self, n: usize) -> DataFrame {
        let mut table = DataFrame::new((0..n).map(|i| format!("row {i}")));
        table.index_name = self.0.random::<bool>().then(|| self.text());
        for i in 0..self.n(4) {
            table.columns.insert(format!("column {i}"), self.column(n));
        }
        table
    }

    /// Anything that `uns` can hold.
    pub fn anything(&mut self, depth: usize) -> Element {
        match self.n(if depth == 0 { 8 } else { 9 }) {
            0 => Element::Null,
            1 => Element::Scalar(Scalar::Number(self.values(1))),
            2 => Element::Scalar(Scalar::String(self.text())),
            3 => Element::Opaque(Arc::new(Mystery)),
            4 => Element::DataFrame(self.table(3)),
            5 => self.column(5),
            6 => {
                let n = self.n(4);
                self.matrix(n, 3)
            }
            7 => {
                let n = self.n(3);
                let values = self.values(2 * n * 4);
                Element::Dense(Dense { shape: vec![2, n, 4], values })
            }
            8 => {
                let flat: Strings = (0..6).map(|_| self.text()).collect();
                Element::Strings(flat.reshape(vec![2, 3]).unwrap())
            }
            _ => {
                let n = self.n(4);
                let all = (0..n).map(|i| (format!("{}{i}", self.text()), self.anything(depth - 1)));
                Element::Mapping(all.collect::<Mapping>())
            }
        }
    }

    /// A data set of `n` cells and `m` genes with something in every slot.
    pub fn adata(&mut self, n: usize, m: usize) -> AnnData {
        let mut adata = AnnData::new(self.table(n), self.table(m));
        adata.set(Slot::X, "X", self.matrix(n, m)).unwrap();
        for i in 0..3 {
            let key = format!("{} {i}", self.text());
            adata.set(Slot::Layers, &key, self.matrix(n, m)).unwrap();
            adata.set(Slot::Obsm, &key, self.matrix(n, 2)).unwrap();
            adata.set(Slot::Varm, &key, self.matrix(m, 2)).unwrap();
            adata.set(Slot::Obsp, &key, self.matrix(n, n)).unwrap();
            adata.set(Slot::Varp, &key, self.matrix(m, m)).unwrap();
            adata.set(Slot::Obs, &key, self.column(n)).unwrap();
        }
        for i in 0..8 {
            adata.set(Slot::Uns, &format!("thing {i}"), self.anything(3)).unwrap();
        }
        let varm = [("loadings".to_owned(), self.matrix(m + 2, 2))].into_iter().collect();
        let (x, var) = (self.matrix(n, m + 2), self.table(m + 2));
        adata.set_raw(Some(Raw { x, var, varm }));
        adata.take_touched();
        adata
    }

    /// A data set of `n` cells with modalities, down to `depth` levels.
    pub fn mudata(&mut self, n: usize, depth: usize) -> AnnData {
        let m = self.n(3);
        let mut mdata = self.adata(n, m);
        if depth > 0 {
            for i in 0..1 + self.n(2) {
                let key = format!("{} {i}", self.text());
                mdata.set_modality(&key, self.mudata(n, depth - 1));
            }
        }
        mdata.take_touched_modalities();
        mdata
    }
}
