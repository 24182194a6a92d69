//! Everything that is ever said across the boundary.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    changes::Changes,
    field_job::{FieldJob, FieldReply},
    fields::WireField,
    packet::RawPacket,
    peer::AtLender,
    port::{Port, RawPort},
    wire::{BufferId, Packer, Unpacker, WireData, WireElement, WireMapping},
};
use crate::{
    anndata::{Element, Values},
    error::{Error, Result},
    model::{Event, ModelDescription, OutputSpec, Settings},
    params::Args,
    saved::{ModelMeta, SavedModel},
    train::Ending,
};

/// Whose fault an error is; decides the exit code of the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Arguments or data are wrong.
    User,
    /// The plugin did what it must not.
    Plugin,
}

/// A model in a plugin.
pub type ModelId = u64;

/// What a host asks of a plugin.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PluginRequest {
    /// Which models there are, with all arguments, and which kinds of fields are known.
    Describe,
    /// The work of one of the plugin's fields.
    Field { field: Value, job: FieldJob, data: Option<WireData> },
    /// Registers a data set.
    Setup { model: String, setup: WireSetup, data: WireData },
    /// A new model for a data set.
    Create { model: String, setup: WireSetup, init: Args, settings: Settings, data: WireData },
    /// A model from its saved state.
    Load { model: String, saved: Box<WireSaved>, lent: Vec<WireField>, settings: Settings },
    /// A model for a query that continues a reference.
    Map {
        model: String,
        reference: Box<WireSaved>,
        lent: Vec<WireField>,
        args: Args,
        settings: Settings,
        data: WireData,
    },
    /// Trains a model.
    Train { id: ModelId, args: Args, data: WireData },
    /// Goes on with a model's training.
    Resume { id: ModelId, changes: Args, data: WireData },
    /// Answers a query.
    Query { id: ModelId, method: String, args: Args, data: WireData },
    /// Reduces a data set to the posterior of its cells.
    Minify { id: ModelId, args: Args, data: WireData },
    /// The state of a model.
    Save { id: ModelId },
    /// Forgets a model.
    Drop { id: ModelId },
}

/// The arguments of a set-up, and the user's own fields.
#[derive(Debug, Serialize, Deserialize)]
pub struct WireSetup {
    pub args: Args,
    pub fields: Vec<WireField>,
}

/// What a plugin replies.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PluginReply {
    /// To `Describe`.
    Described { models: Vec<ModelDescription>, fields: Vec<String> },
    /// To `Field`.
    Field(FieldReply),
    /// To `Setup`: the registry.
    Registry(Value),
    /// To `Create`, `Load` and `Map`.
    Model { id: ModelId, class_name: String },
    /// To `Train` and `Resume`.
    Trained(Ending),
    /// To `Save`.
    Saved(Box<WireSaved>),
    /// To everything else.
    Done,
}

/// A reply, and what became of the data set.
#[derive(Debug, Serialize, Deserialize)]
pub struct Answer {
    pub result: Result<PluginReply, Flat>,
    pub changes: Changes,
}

/// What is asked of whoever lent a data set: the host, while a request runs; or a plugin whose model
/// has a field of another plugin do its work.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LenderRequest {
    /// Rows of a matrix on disk.
    Rows { id: usize, start: usize, end: usize },
    /// The work of a field that was lent.
    Field { id: usize, job: FieldJob, data: Option<Box<WireData>> },
    /// Announces a result.
    Begin(OutputSpec),
    /// The next rows of it.
    Block(WireElement),
    /// News; JSON has no word for a loss that is not finite, so its bits come beside it.
    Hear { event: Event, loss_bits: Option<u64> },
    /// A model while it is trained.
    Checkpoint { model: Box<WireSaved>, is_best: bool },
    /// Whether to stop.
    Cancelled,
}

/// What the lender replies.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WireLenderReply {
    Element(WireElement),
    Field(FieldReply, Changes),
    Cancelled(bool),
    Done,
}

/// [`WireLenderReply`], unpacked.
#[derive(Debug)]
pub enum LenderReply {
    Element(Element),
    Cancelled(bool),
    Done,
}

impl LenderReply {
    pub fn unexpected(&self, expected: &'static str) -> Error {
        Error::Message { expected, reason: format!("{self:?}") }
    }
}

/// An error as it crosses.
#[derive(Debug, Serialize, Deserialize)]
pub struct Flat {
    pub fault: Fault,
    pub text: String,
    pub blame: Blame,
}

/// What is known about where an error arose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blame {
    /// On the side that sends it.
    Sender,
    /// There too, as a panic.
    Panic,
    /// The text says it.
    Told,
}

impl From<&Error> for Flat {
    fn from(error: &Error) -> Self {
        let blame = match error {
            Error::PluginFailed { .. } | Error::PluginPanicked { .. } | Error::Foreign { .. } => {
                Blame::Told
            }
            _ => Blame::Sender,
        };
        Self { fault: error.fault(), text: error.to_string(), blame }
    }
}

impl Flat {
    /// A panic caught on this side.
    pub fn panic(message: String) -> Self {
        Self { fault: Fault::Plugin, text: message, blame: Blame::Panic }
    }

    /// As an error of `origin` while it did `verb`.
    pub fn into_error(self, origin: &str, verb: &'static str) -> Error {
        let (plugin, fault, text) = (origin.to_owned(), self.fault, self.text);
        match (fault, self.blame) {
            (Fault::User, _) | (_, Blame::Told) => Error::Foreign { plugin, fault, text },
            (Fault::Plugin, Blame::Sender) => Error::PluginFailed { plugin, verb, text },
            (Fault::Plugin, Blame::Panic) => Error::PluginPanicked { plugin, verb, text },
        }
    }
}

/// A model at rest; the history is kept exact beside it.
#[derive(Debug, Serialize, Deserialize)]
pub struct WireSaved {
    meta: ModelMeta,
    history: IndexMap<String, BufferId>,
    weights: WireMapping,
    #[serde(default)]
    optimizer: WireMapping,
}

impl Packer {
    /// Describes a model at rest.
    pub fn saved(&mut self, saved: &SavedModel) -> WireSaved {
        let meta = ModelMeta { history: IndexMap::new(), ..saved.meta.clone() };
        let history = self.series(&saved.meta.history);
        let optimizer = self.arrays(&saved.optimizer);
        WireSaved { meta, history, weights: self.arrays(&saved.weights), optimizer }
    }

    /// Closes the packet.
    pub fn seal(self, message: &impl Serialize, port: RawPort) -> RawPacket {
        RawPacket::new(message, self.buffers, port)
    }
}

impl Unpacker<'_> {
    /// Builds a model at rest.
    ///
    /// # Errors
    /// When a description does not fit its memory.
    pub fn saved(&self, wire: WireSaved) -> Result<SavedModel> {
        let history = self.series(wire.history)?;
        let meta = ModelMeta { history, ..wire.meta };
        let optimizer = self.arrays(wire.optimizer)?;
        Ok(SavedModel { meta, weights: self.arrays(wire.weights)?, optimizer })
    }
}

/// A packet taken apart.
pub struct Incoming<T> {
    pub message: T,
    pub buffers: Vec<Values>,
    pub port: Option<Arc<Port>>,
}

impl<T: DeserializeOwned> Incoming<T> {
    /// Takes a packet apart.
    ///
    /// # Errors
    /// When it is not what it should be.
    pub fn open(packet: RawPacket) -> Result<Self> {
        let (message, buffers, port) = packet.open()?;
        Ok(Self { message, buffers, port })
    }
}

/// Asks the lender, from where its data set is borrowed.
///
/// # Errors
/// When the lender refuses or fails.
pub fn ask_lender(port: &Arc<Port>, request: LenderRequest) -> Result<LenderReply> {
    ask_lender_with(port, request, Packer::default())
}

/// As [`ask_lender`], with elements.
///
/// # Errors
/// When the lender refuses or fails.
pub fn ask_lender_with(
    port: &Arc<Port>,
    request: LenderRequest,
    packer: Packer,
) -> Result<LenderReply> {
    let packet = packer.seal(&request, RawPort::none());
    let (reply, buffers) = call_lender(port, packet, "output")?;
    let unpacker = Unpacker { buffers: &buffers, homes: &AtLender(Some(port.clone())) };
    Ok(match reply {
        WireLenderReply::Element(element) => LenderReply::Element(unpacker.element(element)?),
        WireLenderReply::Cancelled(cancelled) => LenderReply::Cancelled(cancelled),
        WireLenderReply::Done => LenderReply::Done,
        WireLenderReply::Field(reply, _) => {
            let reason = format!("{reply:?}");
            return Err(Error::Message { expected: "no field's reply", reason });
        }
    })
}

/// Sends a packet to the lender: its reply and the memory that goes with it.
///
/// # Errors
/// When the lender refuses or fails.
pub fn call_lender(
    port: &Port,
    packet: RawPacket,
    verb: &'static str,
) -> Result<(WireLenderReply, Vec<Values>)> {
    let reply = Incoming::<Result<WireLenderReply, Flat>>::open(port.call(packet))?;
    let message = reply.message.map_err(|flat| flat.into_error("host", verb))?;
    Ok((message, reply.buffers))
}
