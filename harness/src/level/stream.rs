//! Runs several engines on the same tokens at the same time and joins their nodes by name.
//!
//! Each engine runs on its own thread and sends its nodes through a bounded channel, so that no engine gets far ahead.
//! Only one engine computes at a time, because waiting threads of an oracle spin and take processor time from the
//! others. A node waits for nodes of the same name until [`MAX_WAITING`] others wait too. Engines that have not sent it
//! by then are taken to lack it. Memory is therefore bounded by the size of nodes, not by the length of the model or
//! the text.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use crate::decoding::Decoding;
use crate::inference::{Engine, Inference, InferenceError, TracedNode};

/// Number of nodes that an engine may be ahead of the comparison.
const CHANNEL_CAPACITY: usize = 4;

/// Maximal number of nodes that wait for nodes of the same name. It exceeds the nodes of a layer, so implementations
/// may order nodes within a layer differently.
const MAX_WAITING: usize = 64;

/// Name of a node and the occurrence of this name in the same decode.
pub(super) type NodeKey = (String, usize);

/// A node computed by one engine.
pub(super) struct Arrived {
    pub(super) node: TracedNode,
    /// Number of nodes of this engine before it in the same decode.
    pub(super) order: usize,
    /// Names of its inputs, with the occurrence of those that are nodes.
    pub(super) inputs: Vec<(String, Option<usize>)>,
}

/// The slot of one engine in the join of a node.
pub(super) enum Slot {
    /// The engine computed the node.
    Present(Box<Arrived>),
    /// The engine has no such node.
    Lacking,
    /// The engine failed before the node.
    Stopped,
}

impl Slot {
    /// The node, if the engine computed it.
    pub(super) fn present(&self) -> Option<&Arrived> {
        match self {
            Slot::Present(arrived) => Some(arrived),
            Slot::Lacking | Slot::Stopped => None,
        }
    }
}

/// The slots of all engines for one node.
pub(super) struct Join {
    /// Index of the decode: 0 for the prefill.
    pub(super) decode: usize,
    /// One slot for each engine, in their order.
    pub(super) slots: Vec<Slot>,
}

enum Message {
    Node(TracedNode),
    Decoded,
    Failed(InferenceError),
}

/// The result of an engine's run.
#[derive(Debug)]
pub(super) struct EngineRun {
    /// The code that builds the graph, if the engine opened the model.
    pub(super) graph: Option<String>,
    /// The error, if the engine failed.
    pub(super) failure: Option<InferenceError>,
}

/// Runs the engines. Calls `on_join` for each node and `on_decoded` after each decode.
pub(super) fn stream(
    engines: &[&dyn Engine],
    decoding: &Decoding,
    mut on_join: impl FnMut(Join),
    mut on_decoded: impl FnMut(),
) -> Vec<EngineRun> {
    let compute = ComputeLock::default();
    let graphs: Vec<OnceLock<String>> = engines.iter().map(|_| OnceLock::new()).collect();
    let failures: Vec<_> = thread::scope(|scope| {
        let compute = &compute;
        let mut channels = Vec::new();
        for (&engine, graph) in engines.iter().zip(&graphs) {
            let (sender, receiver) = sync_channel(CHANNEL_CAPACITY);
            let own = sender.clone();
            let started = thread::Builder::new()
                .spawn_scoped(scope, move || run(engine, decoding, compute, graph, &own));
            if let Err(error) = started {
                _ = sender.send(Message::Failed(InferenceError::Lost {
                    implementation: engine.id().into(),
                    how: format!("could not start a thread: {error}"),
                    at: "before it was started".into(),
                    stderr: String::new(),
                }));
            }
            channels.push(Channel::new(receiver));
        }
        for decode in 0..decoding.decodes().len() {
            join_decode(decode, &mut channels, &mut on_join);
            on_decoded();
        }
        channels
            .into_iter()
            .map(|channel| channel.failure)
            .collect()
    });
    let graphs = graphs.into_iter().map(OnceLock::into_inner);
    graphs
        .zip(failures)
        .map(|(graph, failure)| EngineRun { graph, failure })
        .collect()
}

/// A lock that the computing engine holds.
#[derive(Default)]
struct ComputeLock(Mutex<()>);

impl ComputeLock {
    /// Waits for the lock. It protects no data, so a panic of its holder is ignored.
    fn lock(&self) -> MutexGuard<'_, ()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Main function of an engine's thread. If the receiver is gone, sending fails and the thread ends.
fn run(
    engine: &dyn Engine,
    decoding: &Decoding,
    compute: &ComputeLock,
    graph: &OnceLock<String>,
    sender: &SyncSender<Message>,
) {
    let mut work = |inference: &mut dyn Inference| {
        graph.get_or_init(|| inference.graph().to_owned());
        for tokens in decoding.decodes() {
            let mut guard = Some(compute.lock());
            let mut sink = |node| {
                guard = None;
                _ = sender.send(Message::Node(node));
                guard = Some(compute.lock());
            };
            let result = inference.decode(tokens, Some(&mut sink));
            drop(guard);
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

/// The receiving end of one engine's channel.
struct Channel {
    receiver: Receiver<Message>,
    failure: Option<InferenceError>,
    /// Whether the current decode may have more nodes.
    busy: bool,
    /// Number of nodes received in the current decode.
    count: usize,
    /// The last occurrence of each name in the current decode.
    last: HashMap<String, usize>,
}

impl Channel {
    fn new(receiver: Receiver<Message>) -> Channel {
        Channel {
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

    /// Receives the next node. None if the decode has ended.
    fn next(&mut self) -> Option<Arrived> {
        match self.receiver.recv() {
            Ok(Message::Node(node)) => return Some(self.arrived(node)),
            Ok(Message::Decoded) => {}
            Ok(Message::Failed(error)) => self.failure = Some(error),
            // The thread has panicked. The scope propagates the panic.
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

    /// The slot for a node that was not received.
    fn absence(&self) -> Slot {
        if self.failure.is_some() {
            Slot::Stopped
        } else {
            Slot::Lacking
        }
    }
}

/// A node that waits for nodes of the same name from other engines.
struct Waiting {
    key: NodeKey,
    arrived: Vec<Option<Arrived>>,
}

fn join_decode(decode: usize, channels: &mut [Channel], on_join: &mut impl FnMut(Join)) {
    let mut waiting: VecDeque<Waiting> = VecDeque::new();
    channels.iter_mut().for_each(Channel::start);
    let mut emit = |of: Waiting, channels: &[Channel]| {
        let slot = |(arrived, channel): (Option<Arrived>, &Channel)| match arrived {
            Some(arrived) => Slot::Present(Box::new(arrived)),
            None => channel.absence(),
        };
        on_join(Join {
            decode,
            slots: of.arrived.into_iter().zip(channels).map(slot).collect(),
        });
    };
    while channels.iter().any(|channel| channel.busy) {
        for index in 0..channels.len() {
            if !channels[index].busy {
                continue;
            }
            let Some(arrived) = channels[index].next() else {
                continue;
            };
            let key = (arrived.node.name.clone(), arrived.node.occurrence);
            let at = match waiting.iter().position(|waiting| waiting.key == key) {
                Some(at) => at,
                None => {
                    waiting.push_back(Waiting {
                        key,
                        arrived: channels.iter().map(|_| None).collect(),
                    });
                    waiting.len() - 1
                }
            };
            waiting[at].arrived[index] = Some(arrived);
            let is_complete = |waiting: &Waiting| {
                let present_or_stopped = |(arrived, channel): (&Option<Arrived>, &Channel)| {
                    arrived.is_some() || channel.failure.is_some()
                };
                waiting
                    .arrived
                    .iter()
                    .zip(channels.iter())
                    .all(present_or_stopped)
            };
            let complete = if is_complete(&waiting[at]) {
                waiting.remove(at)
            } else if waiting.len() > MAX_WAITING {
                waiting.pop_front()
            } else {
                None
            };
            if let Some(complete) = complete {
                emit(complete, channels);
            }
        }
    }
    for rest in waiting {
        emit(rest, channels);
    }
}
