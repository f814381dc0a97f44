//! The channels that are measured, each behind the same few words: one trait for threads and one for tasks. How many of each
//! and how long is for the bench.

use std::future::Future;

/// A channel between threads.
pub(super) trait Threads {
    type Sender: Clone + Send;
    type Receiver: Send;
    fn bounded(capacity: usize) -> (Self::Sender, Self::Receiver);
    /// Another handle for another consumer; `None` where there can be one only.
    fn share(receiver: &Self::Receiver) -> Option<Self::Receiver>;
    /// Waits for room; false at the end.
    fn send(sender: &Self::Sender, item: u64) -> bool;
    /// Waits for an item; `None` at the end.
    fn receive(receiver: &Self::Receiver) -> Option<u64>;
}

/// A channel between tasks.
pub(super) trait Tasks {
    type Sender: Clone + Send + Sync + 'static;
    type Receiver: Clone + Send + Sync + 'static;
    fn bounded(capacity: usize) -> (Self::Sender, Self::Receiver);
    /// Waits for room; false at the end.
    fn send(sender: &Self::Sender, item: u64) -> impl Future<Output = bool> + Send;
    /// Waits for an item; `None` at the end.
    fn receive(receiver: &Self::Receiver) -> impl Future<Output = Option<u64>> + Send;
}

macro_rules! threads {
    ($peer:ident, $path:ident, $send:ident, $receive:ident) => {
        impl Threads for $peer {
            type Sender = $path::Sender<u64>;
            type Receiver = $path::Receiver<u64>;
            fn bounded(capacity: usize) -> (Self::Sender, Self::Receiver) {
                $path::bounded(capacity)
            }
            fn share(receiver: &Self::Receiver) -> Option<Self::Receiver> {
                Some(receiver.clone())
            }
            fn send(sender: &Self::Sender, item: u64) -> bool {
                sender.$send(item).is_ok()
            }
            fn receive(receiver: &Self::Receiver) -> Option<u64> {
                receiver.$receive().ok()
            }
        }
    };
}

macro_rules! tasks {
    ($peer:ident, $bounded:path, $sender:ty, $receiver:ty, $send:ident, $receive:ident) => {
        impl Tasks for $peer {
            type Sender = $sender;
            type Receiver = $receiver;
            fn bounded(capacity: usize) -> (Self::Sender, Self::Receiver) {
                $bounded(capacity)
            }
            async fn send(sender: &Self::Sender, item: u64) -> bool {
                sender.$send(item).await.is_ok()
            }
            async fn receive(receiver: &Self::Receiver) -> Option<u64> {
                receiver.$receive().await.ok()
            }
        }
    };
}

pub(super) struct Handover;
pub(super) struct Crossbeam;
pub(super) struct Flume;
pub(super) struct Kanal;
pub(super) struct AsyncChannel;
pub(super) struct Std;

threads!(Handover, handover_buffer, send, recv);
threads!(Crossbeam, crossbeam_channel, send, recv);
threads!(Flume, flume, send, recv);
threads!(Kanal, kanal, send, recv);
threads!(AsyncChannel, async_channel, send_blocking, recv_blocking);

impl Threads for Std {
    type Sender = std::sync::mpsc::SyncSender<u64>;
    type Receiver = std::sync::mpsc::Receiver<u64>;
    fn bounded(capacity: usize) -> (Self::Sender, Self::Receiver) {
        std::sync::mpsc::sync_channel(capacity)
    }
    fn share(_receiver: &Self::Receiver) -> Option<Self::Receiver> {
        None
    }
    fn send(sender: &Self::Sender, item: u64) -> bool {
        sender.send(item).is_ok()
    }
    fn receive(receiver: &Self::Receiver) -> Option<u64> {
        receiver.recv().ok()
    }
}

tasks!(
    Handover,
    handover_buffer::bounded,
    handover_buffer::Sender<u64>,
    handover_buffer::Receiver<u64>,
    send_async,
    recv_async
);
tasks!(Flume, flume::bounded, flume::Sender<u64>, flume::Receiver<u64>, send_async, recv_async);
tasks!(Kanal, kanal::bounded_async, kanal::AsyncSender<u64>, kanal::AsyncReceiver<u64>, send, recv);
tasks!(
    AsyncChannel,
    async_channel::bounded,
    async_channel::Sender<u64>,
    async_channel::Receiver<u64>,
    send,
    recv
);
