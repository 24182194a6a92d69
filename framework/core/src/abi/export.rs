//! The plugin's side: answers the requests of a host with the models of this library.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

pub use abi_stable::library::{
    __call_root_module_loader as call_loader, CheckTypeLayout, LibHeader, RootModuleResult,
};
use abi_stable::{prefix_type::PrefixTypeTrait, std_types::RSlice};

use super::{
    changes::{Changes, on_loan},
    door::{self, Door},
    fields::WireField,
    lender::LentField,
    messages::{
        Answer, Flat, Incoming, LenderReply, LenderRequest, ModelId, PluginReply, PluginRequest,
        WireSetup, ask_lender, ask_lender_with,
    },
    native_models,
    packet::RawPacket,
    panics,
    peer::AtLender,
    port::{Port, RawPort, Serve},
    wire::{Packer, Unpacker, WireData},
};
pub use super::{
    door::DoorRef,
    section::{BUILD, ENVIRONMENT, Part, section, section_len},
};
use crate::{
    anndata::{AnnData, Element},
    error::{Error, Result},
    fields::{AnnDataField, from_json, known_kinds},
    model::{Checkpoint, DynModel, DynModelClass, Event, Observer, OutputSpec, Setup, Sink},
    params::Args,
};

/// Doors are always checked.
pub const CHECKED: CheckTypeLayout = CheckTypeLayout::Yes;

/// The door of a library with this manifest.
pub fn door(manifest: &'static [u8]) -> DoorRef {
    Door { manifest: RSlice::from_slice(manifest), open: door::open }.leak_into_prefix()
}

/// The name of a kind of field: only what is one has it.
pub const fn kind<F: AnnDataField>(name: &'static str) -> &'static str {
    name
}

type SharedModel = Arc<Mutex<Box<dyn DynModel>>>;

/// The models of this library, and those that were made from them.
#[derive(Default)]
pub struct PluginSide {
    models: Mutex<Models>,
}

#[derive(Default)]
struct Models {
    last: ModelId,
    by_id: HashMap<ModelId, SharedModel>,
}

impl Serve for PluginSide {
    fn serve(&self, request: RawPacket) -> RawPacket {
        // Grad mode belongs to the thread and is shared with everybody: given back as it was.
        let answered = tch::with_grad(|| panics::catch(|| self.answer(request)));
        let failed =
            |flat| (Answer { result: Err(flat), changes: Changes::default() }, Packer::default());
        let (answer, packer) = match answered {
            Ok(Ok(answered)) => answered,
            Ok(Err(error)) => failed(Flat::from(&error)),
            Err(message) => failed(Flat::panic(message)),
        };
        packer.seal(&answer, RawPort::none())
    }
}

impl PluginSide {
    fn answer(&self, request: RawPacket) -> Result<(Answer, Packer)> {
        let Incoming { message, buffers, port } = Incoming::<PluginRequest>::open(request)?;
        let homes = AtLender(port.clone());
        let unpacker = Unpacker { buffers: &buffers, homes: &homes };
        let mut desk = Desk { packer: Packer { home: port, ..Packer::default() }, unpacker };
        let answer = match message {
            PluginRequest::Describe => desk.plain(Ok(PluginReply::Described {
                models: native_models().iter().map(|m| (m.make)().description()).collect(),
                fields: known_kinds().into_iter().map(str::to_owned).collect(),
            })),
            PluginRequest::Field { field, job, data } => {
                let field = from_json(&field)?;
                match data {
                    Some(data) => desk.with_data(data, |adata, _| {
                        job.run(&*field, Some(adata)).map(PluginReply::Field)
                    })?,
                    None => desk.plain(job.run(&*field, None).map(PluginReply::Field)),
                }
            }
            PluginRequest::Setup { model, setup, data } => {
                let setup = desk.setup(setup)?;
                desk.with_data(data, |adata, _| {
                    let registry = class(&model)?.setup_anndata(adata, &setup)?;
                    let registry = serde_json::to_value(&registry).map_err(|e| Error::Message {
                        expected: "a registry",
                        reason: e.to_string(),
                    })?;
                    Ok(PluginReply::Registry(registry))
                })?
            }
            PluginRequest::Create { model, setup, init, settings, data } => {
                let setup = desk.setup(setup)?;
                desk.with_data(data, |adata, _| {
                    Ok(self.keep(class(&model)?.create(adata, &setup, &init, &settings)?))
                })?
            }
            PluginRequest::Load { model, saved, lent, settings } => {
                let saved = desk.unpacker.saved(*saved)?;
                let lent = desk.fields(lent)?;
                let model = class(&model)?.load(saved, &lent, &settings)?;
                desk.plain(Ok(self.keep(model)))
            }
            PluginRequest::Map { model, reference, lent, args, settings, data } => {
                let reference = desk.unpacker.saved(*reference)?;
                let lent = desk.fields(lent)?;
                desk.with_data(data, |adata, _| {
                    let class = class(&model)?;
                    Ok(self.keep(class.load_query_data(adata, reference, &lent, &args, &settings)?))
                })?
            }
            PluginRequest::Train { id, args, data } => {
                let model = self.model(id)?;
                desk.with_data(data, |adata, port| {
                    let mut observer = HostObserver::new(port);
                    Ok(PluginReply::Trained(usable(&model)?.train(adata, &args, &mut observer)?))
                })?
            }
            PluginRequest::Resume { id, changes, data } => {
                let model = self.model(id)?;
                desk.with_data(data, |adata, port| {
                    let mut observer = HostObserver::new(port);
                    let ending = usable(&model)?.resume(adata, &changes, &mut observer)?;
                    Ok(PluginReply::Trained(ending))
                })?
            }
            PluginRequest::Query { id, method, args, data } => {
                let model = self.model(id)?;
                desk.with_data(data, |adata, port| {
                    let (mut sink, mut observer) = (HostSink(port), HostObserver::new(port));
                    usable(&model)?.query(&method, adata, &args, &mut sink, &mut observer)?;
                    Ok(PluginReply::Done)
                })?
            }
            PluginRequest::Minify { id, args, data } => {
                let model = self.model(id)?;
                desk.with_data(data, |adata, port| {
                    usable(&model)?.minify_adata(adata, &args, &mut HostObserver::new(port))?;
                    Ok(PluginReply::Done)
                })?
            }
            PluginRequest::Save { id } => {
                let saved = usable(&self.model(id)?)?.save()?;
                let saved = Box::new(desk.packer.saved(&saved));
                desk.plain(Ok(PluginReply::Saved(saved)))
            }
            PluginRequest::Drop { id } => {
                drop(self.models().by_id.remove(&id));
                desk.plain(Ok(PluginReply::Done))
            }
        };
        Ok((answer, desk.packer))
    }

    fn models(&self) -> std::sync::MutexGuard<'_, Models> {
        self.models.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, model: Box<dyn DynModel>) -> PluginReply {
        let class_name = model.class_name().to_owned();
        let mut models = self.models();
        models.last += 1;
        let id = models.last;
        models.by_id.insert(id, Arc::new(Mutex::new(model)));
        PluginReply::Model { id, class_name }
    }

    fn model(&self, id: ModelId) -> Result<SharedModel> {
        self.models().by_id.get(&id).cloned().ok_or_else(|| Error::Message {
            expected: "a model that was created here",
            reason: format!("number {id}"),
        })
    }
}

/// A model; a panic while it worked has poisoned it, since its state can be anything.
fn usable(model: &SharedModel) -> Result<std::sync::MutexGuard<'_, Box<dyn DynModel>>> {
    model.lock().map_err(|_| Error::Poisoned)
}

fn class(name: &str) -> Result<Arc<dyn DynModelClass>> {
    let models = native_models();
    let found = models.iter().find(|m| m.name == name);
    found.map(|m| (m.make)()).ok_or_else(|| Error::MissingElement {
        slot: "plugin",
        key: name.into(),
        present: models.iter().map(|m| m.name.to_owned()).collect(),
    })
}

/// What one request is worked on with.
struct Desk<'a> {
    packer: Packer,
    unpacker: Unpacker<'a>,
}

impl Desk<'_> {
    fn plain(&mut self, result: Result<PluginReply>) -> Answer {
        let result = result.map_err(|e| Flat::from(&e));
        Answer { result, changes: Changes::default() }
    }

    /// The port to whoever lent what came with the request.
    fn lender(&self) -> Result<Arc<Port>> {
        self.packer.home.clone().ok_or_else(|| Error::Message {
            expected: "a port to the host",
            reason: "none came with the request".into(),
        })
    }

    fn setup(&self, wire: WireSetup) -> Result<Setup<Args>> {
        Ok(Setup { args: wire.args, fields: self.fields(wire.fields)? })
    }

    fn fields(&self, wire: Vec<WireField>) -> Result<Vec<Arc<dyn AnnDataField>>> {
        let open = |wire: WireField| {
            let lent = LentField { port: self.lender()?, id: wire.id };
            wire.open(lent)
        };
        wire.into_iter().map(open).collect()
    }

    /// Runs `work` on the data set and reports what it changed there, even when it failed.
    fn with_data(
        &mut self,
        data: WireData,
        work: impl FnOnce(&mut AnnData, &Arc<Port>) -> Result<PluginReply>,
    ) -> Result<Answer> {
        let port = self.lender()?;
        let work = |adata: &mut AnnData| work(adata, &port);
        let (result, changes) = on_loan(data, &self.unpacker, &mut self.packer, work)?;
        Ok(Answer { changes, ..self.plain(result) })
    }
}

/// The host's sink.
struct HostSink<'a>(&'a Arc<Port>);

impl Sink for HostSink<'_> {
    fn begin(&mut self, spec: &OutputSpec) -> Result<()> {
        ask_lender(self.0, LenderRequest::Begin(spec.clone())).map(drop)
    }

    fn rows(&mut self, block: Element) -> Result<()> {
        let mut packer = Packer { home: Some(self.0.clone()), ..Packer::default() };
        let block = packer.element(&block)?;
        ask_lender_with(self.0, LenderRequest::Block(block), packer).map(drop)
    }
}

/// The host's observer; news that come faster than anybody can read stay here.
struct HostObserver<'a> {
    port: &'a Arc<Port>,
    passed_on: Option<Instant>,
}

/// The shortest time between news that are not the last of their kind.
const PAUSE: Duration = Duration::from_millis(50);

impl<'a> HostObserver<'a> {
    fn new(port: &'a Arc<Port>) -> Self {
        Self { port, passed_on: None }
    }
}

impl Observer for HostObserver<'_> {
    fn hear(&mut self, event: &Event) {
        let worth_telling = match event {
            Event::Training { cells, n_cells, .. } => cells >= n_cells,
            Event::Progress { done, total } => done >= total,
            _ => true,
        };
        if !worth_telling && self.passed_on.is_some_and(|at| at.elapsed() < PAUSE) {
            return;
        }
        self.passed_on = Some(Instant::now());
        let mut event = event.clone();
        let mut loss_bits = None;
        if let Event::Training { loss, .. } = &mut event
            && !loss.is_finite()
        {
            loss_bits = Some(loss.to_bits());
            *loss = 0.0;
        }
        // Who listens has no say in the work: at worst the news are lost.
        let _ = ask_lender(self.port, LenderRequest::Hear { event, loss_bits });
    }

    fn checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        let mut packer = Packer::default();
        let model = Box::new(packer.saved(&checkpoint.model));
        let request = LenderRequest::Checkpoint { model, is_best: checkpoint.is_best };
        ask_lender_with(self.port, request, packer).map(drop)
    }

    fn cancelled(&self) -> bool {
        matches!(ask_lender(self.port, LenderRequest::Cancelled), Ok(LenderReply::Cancelled(true)))
    }
}
