//! The turns of nodes to append: one node has the turn, until it appends or is too slow.

use std::{sync::Mutex, time::Duration};

use tokio::time::Instant;

use crate::world::lock;

/// The turn of a node, if any has it.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<Option<Turn>>);

#[derive(Debug)]
struct Turn {
    node: usize,
    life: u64,
    until: Instant,
}

/// Whether a node got the turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    No,
    Yes,
    /// Another node had it for too long.
    FromAnother,
}

impl Turns {
    /// Takes the turn for a node in one of its lives, unless another one has it.
    pub(crate) fn take(&self, node: usize, life: u64, patience: Duration) -> Taken {
        let mut current = lock(&self.0);
        let now = Instant::now();
        let taken = match &*current {
            Some(turn) if (turn.node, turn.life) == (node, life) => Taken::Yes,
            Some(turn) if turn.until > now => return Taken::No,
            Some(_) => Taken::FromAnother,
            None => Taken::Yes,
        };
        *current = Some(Turn { node, life, until: now + patience });
        taken
    }

    /// Ends the turn, if it is that of this node.
    pub(crate) fn end(&self, node: usize) {
        lock(&self.0).take_if(|turn| turn.node == node);
    }
}
