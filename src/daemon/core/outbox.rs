//! A queue to another task that the core never waits for.
//!
//! The other task may itself be waiting for the core to read what it said; if the core waited for room, both would wait
//! for ever. What finds no room stays here, in order, and goes when there is some.

use std::collections::VecDeque;

use tokio::sync::mpsc;

/// The core's end of a bounded channel.
pub(crate) struct Outbox<T> {
    sender: mpsc::Sender<T>,
    kept: VecDeque<T>,
}

impl<T> Outbox<T> {
    pub(crate) fn new(sender: mpsc::Sender<T>) -> Self {
        Self { sender, kept: VecDeque::new() }
    }

    /// Sends a message, now if there is room.
    pub(crate) fn push(&mut self, message: T) {
        self.kept.push_back(message);
        self.pump();
    }

    /// Sends what there is room for.
    pub(crate) fn pump(&mut self) {
        while let Ok(permit) = self.sender.try_reserve() {
            let Some(message) = self.kept.pop_front() else { return };
            permit.send(message);
        }
    }

    /// How many messages wait, here and in the channel.
    pub(crate) fn waiting(&self) -> usize {
        self.kept.len() + self.sender.max_capacity() - self.sender.capacity()
    }

    /// Resolves once there is room for what is kept; never while nothing is. Cancel safe.
    pub(crate) fn room(&self) -> impl Future<Output = ()> + use<T> {
        let sender = (!self.kept.is_empty()).then(|| self.sender.clone());
        async move {
            match sender {
                // A receiver that is gone gives no room, and nobody waits for it.
                Some(sender) if sender.reserve().await.is_ok() => {}
                _ => std::future::pending().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_finds_no_room_goes_later_in_order() {
        let (sender, mut receiver) = mpsc::channel(2);
        let mut outbox = Outbox::new(sender);
        (0..5).for_each(|number| outbox.push(number));
        let mut received = Vec::new();
        while received.len() < 5 {
            tokio::select! {
                biased;
                () = outbox.room() => outbox.pump(),
                Some(number) = receiver.recv() => received.push(number),
            }
        }
        assert_eq!(received, [0, 1, 2, 3, 4]);
    }
}
