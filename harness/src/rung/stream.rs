//! Several engines decode the same tokens at the same time, and their nodes meet by name.
//!
//! Each engine runs on a thread of its own and sends its nodes through a channel that holds a few, so that none of them
//! gets far ahead. They take turns in computing: oracles spin while their threads wait for each other, which takes the
//! processor from whoever else computes. A node waits for its namesakes until [`WAITING`] others wait too; what has not
//! turned up by then is taken to be lacking. Memory is therefore bounded by the size of nodes, however long the model
//! and the text are.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use crate::decoding::Decoding;
use crate::inference::{Engine, Inference, InferenceError, TracedNode};

/// Nodes that an engine may be ahead of what has been compared.
const AHEAD: usize = 4;

/// Nodes that wait for namesakes at most: more than a layer has, so that the order within a layer is each side's own.
const WAITING: usize = 64;

/// A node by name, and how often the name came before in the same decode.
pub(super) type NodeKey = (String, usize);

/// A node as one engine computed it.
pub(super) struct Arrived {
    pub(super) node: TracedNode,
    /// How many nodes of this engine came before in the same decode.
    pub(super) order: usize,
    /// Its inputs, with the occurrence of those that are nodes.
    pub(super) inputs: Vec<(String, Option<usize>)>,
}

/// What an engine has to say of a node.
pub(super) enum Share {
    /// It computed it.
    Here(Box<Arrived>),
    /// It has no such node.
    Lacking,
    /// It does not run, or no longer.
    Gone,
}

impl Share {
    /// The node, if the engine computed it.
    pub(super) fn here(&self) -> Option<&Arrived> {
        match self {
            Share::Here(arrived) => Some(arrived),
            Share::Lacking | Share::Gone => None,
        }
    }
}

/// What all engines have to say of a node.
pub(super) struct Meeting {
    /// Which decode: 0 for the prefill.
    pub(super) decode: usize,
    /// In the order of the engines.
    pub(super) shares: Vec<Share>,
}

enum Message {
    Node(TracedNode),
    Decoded,
    Failed(InferenceError),
}

/// What became of an engine.
#[derive(Debug)]
pub(super) struct Ran {
    /// Who put its graph together, if it opened the model.
    pub(super) graph: Option<String>,
    /// What it failed of, if it did.
    pub(super) failure: Option<InferenceError>,
}

/// Runs the engines and calls `meet` with each node, and `decoded` after each decode.
pub(super) fn stream(
    engines: &[&dyn Engine],
    decoding: &Decoding,
    mut meet: impl FnMut(Meeting),
    mut decoded: impl FnMut(),
) -> Vec<Ran> {
    let turn = Turn::default();
    let graphs: Vec<OnceLock<String>> = engines.iter().map(|_| OnceLock::new()).collect();
    let failures: Vec<_> = thread::scope(|scope| {
        let turn = &turn;
        let mut lanes = Vec::new();
        for (&engine, graph) in engines.iter().zip(&graphs) {
            let (sender, receiver) = sync_channel(AHEAD);
            let own = sender.clone();
            let started = thread::Builder::new()
                .spawn_scoped(scope, move || run(engine, decoding, turn, graph, &own));
            if let Err(error) = started {
                _ = sender.send(Message::Failed(InferenceError::Lost {
                    side: engine.id().into(),
                    how: format!("got no thread: {error}"),
                    at: "before it was started".into(),
                    stderr: String::new(),
                }));
            }
            lanes.push(Lane::new(receiver));
        }
        for decode in 0..decoding.decodes().len() {
            one_decode(decode, &mut lanes, &mut meet);
            decoded();
        }
        lanes.into_iter().map(|lane| lane.failure).collect()
    });
    let graphs = graphs.into_iter().map(OnceLock::into_inner);
    graphs
        .zip(failures)
        .map(|(graph, failure)| Ran { graph, failure })
        .collect()
}

/// Whoever holds it may compute.
#[derive(Default)]
struct Turn(Mutex<()>);

impl Turn {
    /// Waits for the turn. An engine that panicked leaves nothing behind that could be half done.
    fn take(&self) -> MutexGuard<'_, ()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The part of an engine's thread. A receiver that is gone wants no more, which is no error.
fn run(
    engine: &dyn Engine,
    decoding: &Decoding,
    turn: &Turn,
    graph: &OnceLock<String>,
    sender: &SyncSender<Message>,
) {
    let mut work = |inference: &mut dyn Inference| {
        graph.get_or_init(|| inference.graph().to_owned());
        for tokens in decoding.decodes() {
            let mut mine = Some(turn.take());
            let mut sink = |node| {
                mine = None;
                _ = sender.send(Message::Node(node));
                mine = Some(turn.take());
            };
            let result = inference.decode(tokens, Some(&mut sink));
            drop(mine);
            let failed = result.is_err();
            let message = result.map_or_else(Message::Failed, |_| Message::Decoded);
            if sender.send(message).is_err() || failed {
                return;
            }
        }
    };
    if let Err(error) = engine.with_model(&decoding.model, &decoding.params, &mut work) {
        _ = sender.send(Message::Failed(error));
    }
}

/// What comes from one engine.
struct Lane {
    receiver: Receiver<Message>,
    failure: Option<InferenceError>,
    /// Whether the decode at hand has more nodes.
    busy: bool,
    /// Nodes that came in the decode at hand.
    count: usize,
    /// The last occurrence of each name in the decode at hand.
    last: HashMap<String, usize>,
}

impl Lane {
    fn new(receiver: Receiver<Message>) -> Lane {
        Lane {
            receiver,
            failure: None,
            busy: false,
            count: 0,
            last: HashMap::new(),
        }
    }

    fn start(&mut self) {
        self.busy = self.failure.is_none();
        self.count = 0;
        self.last.clear();
    }

    /// The next node, or none if the decode has ended.
    fn next(&mut self) -> Option<Arrived> {
        match self.receiver.recv() {
            Ok(Message::Node(node)) => return Some(self.arrived(node)),
            Ok(Message::Decoded) => {}
            Ok(Message::Failed(error)) => self.failure = Some(error),
            // The thread has panicked, which the scope passes on.
            Err(_) => panic!("an engine stopped in the middle of a decode"),
        }
        self.busy = false;
        None
    }

    fn arrived(&mut self, mut node: TracedNode) -> Arrived {
        let order = self.count;
        self.count += 1;
        let inputs = std::mem::take(&mut node.inputs);
        let inputs = inputs
            .into_iter()
            .map(|name| {
                let occurrence = self.last.get(&name).copied();
                (name, occurrence)
            })
            .collect();
        self.last.insert(node.name.clone(), node.occurrence);
        Arrived {
            node,
            order,
            inputs,
        }
    }

    /// What it means that a node has not come.
    fn absence(&self) -> Share {
        if self.failure.is_some() {
            Share::Gone
        } else {
            Share::Lacking
        }
    }
}

/// A node for which namesakes are missing yet.
struct Waiting {
    key: NodeKey,
    arrived: Vec<Option<Arrived>>,
}

fn one_decode(decode: usize, lanes: &mut [Lane], meet: &mut impl FnMut(Meeting)) {
    let mut waiting: VecDeque<Waiting> = VecDeque::new();
    lanes.iter_mut().for_each(Lane::start);
    let mut give = |of: Waiting, lanes: &[Lane]| {
        let share = |(arrived, lane): (Option<Arrived>, &Lane)| match arrived {
            Some(arrived) => Share::Here(Box::new(arrived)),
            None => lane.absence(),
        };
        meet(Meeting {
            decode,
            shares: of.arrived.into_iter().zip(lanes).map(share).collect(),
        });
    };
    while lanes.iter().any(|lane| lane.busy) {
        for index in 0..lanes.len() {
            if !lanes[index].busy {
                continue;
            }
            let Some(arrived) = lanes[index].next() else {
                continue;
            };
            let key = (arrived.node.name.clone(), arrived.node.occurrence);
            let at = match waiting.iter().position(|waiting| waiting.key == key) {
                Some(at) => at,
                None => {
                    waiting.push_back(Waiting {
                        key,
                        arrived: lanes.iter().map(|_| None).collect(),
                    });
                    waiting.len() - 1
                }
            };
            waiting[at].arrived[index] = Some(arrived);
            let met = |waiting: &Waiting| {
                let here_or_gone = |(arrived, lane): (&Option<Arrived>, &Lane)| {
                    arrived.is_some() || lane.failure.is_some()
                };
                waiting.arrived.iter().zip(lanes.iter()).all(here_or_gone)
            };
            let given = if met(&waiting[at]) {
                waiting.remove(at)
            } else if waiting.len() > WAITING {
                waiting.pop_front()
            } else {
                None
            };
            if let Some(given) = given {
                give(given, lanes);
            }
        }
    }
    for rest in waiting {
        give(rest, lanes);
    }
}
