//! scvi-tools asked anew, so often that its averages have hardly any noise: what it wrote once, with 200
//! draws, is itself up to 7 % of a gene's range away from them.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::{env, process::Command};

use scvi_framework::model::{Silent, queries::NormalizedExpressionParams};
use serde_json::Value;

use crate::{draws::Moments, reference::Trained};

const N_CELLS: usize = 100;
const N_DRAWS: usize = 1500;
/// Means nowhere differ by more than 5 % of the gene's range over all cells.
#[test]
fn many_draws_agree_everywhere() {
    let Some(Trained { folder, model, mut adata, .. }) = Trained::open() else { return };
    let Some(python) = env::var_os("SCVI_TEST_PYTHON") else {
        println!("skipped: SCVI_TEST_PYTHON is not set");
        return;
    };
    let mut command = Command::new(python);
    command.arg("-c").arg(include_str!("live.py")).arg(&folder);
    command.args([N_CELLS, N_DRAWS].map(|n| n.to_string()));
    let ran = command.env("OMP_NUM_THREADS", "1").output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let said: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let expected: Vec<f64> = said.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();

    let cells: Vec<usize> = (0..N_CELLS).collect();
    let params = NormalizedExpressionParams {
        indices: Some(cells),
        n_samples: N_DRAWS,
        return_mean: false,
        batch_size: 20,
        ..Default::default()
    };
    let mut moments = Moments::default();
    model.get_normalized_expression(&mut adata, &params, &mut moments, &mut Silent).unwrap();
    let (ours, _) = moments.of("normalized_expression");
    assert_eq!(ours.len(), expected.len());
    let n_vars = adata.n_vars();
    let all = hdf5::File::open(folder.join("expected.h5")).unwrap();
    let all = all.dataset("normalized_mean").unwrap().read_raw::<f32>().unwrap();
    let range = |gene: usize| {
        let values = || all.iter().skip(gene).step_by(n_vars);
        f64::from(
            values().fold(f32::MIN, |m, v| m.max(*v)) - values().fold(f32::MAX, |m, v| m.min(*v)),
        )
    };
    let ranges: Vec<f64> = (0..n_vars).map(range).collect();
    let off = |i: usize| (ours[i] - expected[i]).abs() / ranges[i % n_vars];
    let worst = (0..ours.len()).map(off).fold(0.0, f64::max);
    assert!(worst <= 0.05, "a mean is off by {worst} of its gene's range");
}
