//! Times training epochs on simulated counts.
use scvi_framework::{data::{Simulation, simulate}, model::*, train::TrainParams};
use scvi_plugin_scvi::*;
struct Obs(std::time::Instant, usize);
impl Observer for Obs {
    fn hear(&mut self, e: &Event) {
        if let Event::Training { epoch, loss, cells, n_cells, .. } = e {
            if cells == n_cells { eprintln!("epoch {epoch} loss {loss:.2} {:?}", self.0.elapsed()); self.0 = std::time::Instant::now(); }
        }
    }
}
fn main() {
    let t = std::time::Instant::now();
    let mut adata = simulate(&Simulation { n_obs: 18641, n_vars: 1200, density: 0.16, ..Default::default() }).unwrap();
    eprintln!("simulate {:?}", t.elapsed());
    let setup = ScviSetup { batch_key: Some("batch".into()), ..Default::default() };
    let t = std::time::Instant::now();
    let mut model = Model::<Scvi>::new(&mut adata, &setup, &ScviParams::default(), &Settings { threads: Some(2), ..Default::default() }).unwrap();
    eprintln!("new {:?}", t.elapsed());
    model.train(&mut adata, &TrainParams { max_epochs: Some(3), ..Default::default() }, &mut Obs(std::time::Instant::now(), 0)).unwrap();
}
