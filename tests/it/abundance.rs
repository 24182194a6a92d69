//! Where samples are abundant, asked of a model that scvi-tools trained.

use scvi_framework::{
    anndata::{AnnData, DataFrame, Element, Nullable, Slot},
    model::{
        Model, Silent,
        queries::{AggregatedPosteriorParams, DifferentialAbundanceParams},
    },
};
use scvi_plugin_scvi::Scvi;

use crate::reference::Trained;

struct Reference {
    model: Model<Scvi>,
    adata: AnnData,
    /// The column of cell types, and the type of each cell.
    label: String,
    types: Vec<String>,
}

impl Reference {
    /// `None`, said aloud, where the reference data are not at hand.
    fn open() -> Option<Self> {
        let Trained { model, adata, label, .. } = Trained::open()?;
        let Ok(Element::Categorical(column)) = adata.get(Slot::Obs, &label) else {
            panic!("no categories")
        };
        let Element::Strings(names) = &*column.categories else { panic!("no names") };
        let types = column.codes.to_i64().iter().map(|&c| names.get(c as usize).into()).collect();
        Some(Self { model, adata, label, types })
    }

    fn by_type(&self) -> DifferentialAbundanceParams {
        let sample_key = Some(self.label.clone());
        DifferentialAbundanceParams { sample_key, ..Default::default() }
    }

    fn ask(&mut self, params: &DifferentialAbundanceParams) -> DataFrame {
        self.model.differential_abundance(&mut self.adata, params, &mut Silent).unwrap()
    }

    fn refused(&mut self, params: &DifferentialAbundanceParams) -> String {
        let Self { model, adata, .. } = self;
        model.differential_abundance(adata, params, &mut Silent).unwrap_err().to_string()
    }

    /// The share of cells that are densest in the sample of their own type.
    fn share_at_home(&self, table: &DataFrame) -> f64 {
        let columns = numbers(table);
        let at_home = self.types.iter().enumerate().filter(|(cell, own)| {
            let densest = columns.iter().max_by(|a, b| a.1[*cell].total_cmp(&b.1[*cell]));
            densest.unwrap().0 == **own
        });
        at_home.count() as f64 / self.types.len() as f64
    }
}

fn numbers(table: &DataFrame) -> Vec<(String, Vec<f64>)> {
    let column = |(name, column): (&String, &Element)| {
        let Element::Dense(dense) = column else { panic!("no numbers") };
        (name.clone(), dense.values.to_f64().to_vec())
    };
    table.columns.iter().map(column).collect()
}

#[test]
fn cells_are_densest_among_their_own_kind() {
    let Some(mut reference) = Reference::open() else { return };
    let table = reference.ask(&reference.by_type());
    assert_eq!(table.names(), reference.adata.obs_names().ok());
    let mut first_seen: Vec<&String> = Vec::new();
    for own in &reference.types {
        if !first_seen.contains(&own) {
            first_seen.push(own);
        }
    }
    assert_eq!(table.columns.keys().collect::<Vec<_>>(), first_seen);
    let share = reference.share_at_home(&table);
    println!("{share} of {} samples", first_seen.len());
    assert!(share > 0.8, "{share}");

    let portions = DifferentialAbundanceParams { batch_size: 37, ..reference.by_type() };
    let portions = numbers(&reference.ask(&portions));
    for ((_, a), (_, b)) in numbers(&table).iter().zip(&portions) {
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-3 * a.abs().max(1.0)));
    }
}

#[test]
fn a_few_cells_may_stand_for_a_sample() {
    let Some(mut reference) = Reference::open() else { return };
    let all = reference.ask(&reference.by_type());
    let few = DifferentialAbundanceParams { num_cells_posterior: Some(30), ..reference.by_type() };
    let table = reference.ask(&few);
    assert_ne!(table, all);
    assert_eq!(table, reference.ask(&few)); // by the seed
    let n_obs = reference.types.len();
    let many =
        DifferentialAbundanceParams { num_cells_posterior: Some(n_obs), ..reference.by_type() };
    assert_eq!(reference.ask(&many), all);

    let heavy = DifferentialAbundanceParams { dof: Some(1.0), ..few };
    let heavy = reference.ask(&heavy);
    let lowest = |table| numbers(table).into_iter().flat_map(|c| c.1).fold(0.0, f64::min);
    assert!(lowest(&heavy) > lowest(&table), "tails are heavier");
}

#[test]
fn cells_without_a_sample_belong_to_none() {
    let Some(mut reference) = Reference::open() else { return };
    let all = reference.ask(&reference.by_type());
    let (types, hidden) = (reference.types.clone(), reference.types[0].clone());
    let mask: Vec<bool> = types.iter().map(|own| *own == hidden).collect();
    let values = Box::new(Element::strings(&types));
    let column = Element::Nullable(Nullable { values, mask: mask.into() });
    reference.adata.set(Slot::Obs, "partly", column).unwrap();
    let partly =
        DifferentialAbundanceParams { sample_key: Some("partly".into()), ..Default::default() };
    let mut expected = all;
    expected.columns.shift_remove(&hidden);
    assert_eq!(reference.ask(&partly), expected);
}

#[test]
fn draws_of_a_group_lie_among_its_cells() {
    let Some(mut reference) = Reference::open() else { return };
    let own = reference.types[0].clone();
    let rows = |wanted: bool| {
        let types = reference.types.iter().enumerate();
        types.filter(|(_, t)| (**t == own) == wanted).map(|(i, _)| i).collect::<Vec<_>>()
    };
    let (own, others) = (rows(true), rows(false));
    let Reference { model, adata, .. } = &mut reference;
    let mut posterior = |indices| {
        let params =
            AggregatedPosteriorParams { indices: Some(indices), batch_size: 50, dof: Some(30.0) };
        model.get_aggregated_posterior(adata, &params, &mut Silent).unwrap()
    };
    let (own, others) = (posterior(own), posterior(others));
    let draws = own.sample(500).unwrap();
    let nearer = own.log_prob(&draws).unwrap().gt_tensor(&others.log_prob(&draws).unwrap());
    let share = nearer.to_kind(scvi_framework::tch::Kind::Double).mean(None).double_value(&[]);
    assert!(share > 0.8, "{share}");
    assert_eq!(AggregatedPosteriorParams::default().dof, Some(3.0));
}

#[test]
fn samples_that_are_not_there_are_named() {
    let Some(mut reference) = Reference::open() else { return };
    let label = reference.label.clone();
    assert_eq!(
        reference.refused(&DifferentialAbundanceParams::default()),
        format!(
            "argument `sample_key`: expected a column of obs with samples (present: {label}, \
             batch), found none"
        )
    );
    let asked = |key: &str, dof| DifferentialAbundanceParams {
        sample_key: Some(key.into()),
        dof,
        ..Default::default()
    };
    assert_eq!(
        reference.refused(&asked("donor", None)),
        format!("obs has no `donor`; present: {label}, batch")
    );
    let n_obs = reference.types.len();
    let column = Element::Nullable(Nullable {
        values: Box::new(Element::strings(&reference.types)),
        mask: vec![true; n_obs].into(),
    });
    reference.adata.set(Slot::Obs, "nobody", column).unwrap();
    assert_eq!(
        reference.refused(&asked("nobody", None)),
        "argument `sample_key`: expected a column that names the sample of at least one cell, \
         found obs['nobody']"
    );
    assert_eq!(
        reference.refused(&asked("batch", Some(0.0))),
        "argument `dof`: expected a number above 0, or none for normal distributions, found 0"
    );
}
