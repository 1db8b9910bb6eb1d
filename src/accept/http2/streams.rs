//! The streams of a connection, each in a slot that keeps its waker and its future's memory.

use std::pin::Pin;
use std::sync::Arc;

use super::rota::{Place, Post, Rota};
use super::stream::Stream;

/// Slots and who is in them. Client streams come in ascending order, so their index is
/// sorted as it grows.
#[derive(Debug)]
pub(super) struct Streams<F, B> {
    slots: Vec<Slot<F, B>>,
    free: Vec<usize>,
    index: Vec<(u32, usize)>,
}

/// A place for a stream, used again and again.
#[derive(Debug)]
pub(super) struct Slot<F, B> {
    pub(super) post: Post,
    pub(super) future: Pin<Box<Option<F>>>,
    pub(super) stream: Option<Stream<B>>,
}

impl<F, B> Streams<F, B> {
    pub(super) const fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            index: Vec::new(),
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Where the stream of this id is.
    pub(super) fn find(&self, id: u32) -> Option<usize> {
        let place = self.index.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        self.index.get(place).map(|(_, at)| *at)
    }

    /// The slot.
    pub(super) fn slot(&mut self, at: usize) -> Option<&mut Slot<F, B>> {
        self.slots.get_mut(at)
    }

    /// The stream in this slot.
    pub(super) fn get(&mut self, at: usize) -> Option<&mut Stream<B>> {
        self.slots.get_mut(at)?.stream.as_mut()
    }

    /// Every stream with its slot.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (usize, &mut Stream<B>)> {
        let slots = self.slots.iter_mut().enumerate();
        slots.filter_map(|(at, slot)| slot.stream.as_mut().map(|stream| (at, stream)))
    }

    /// Puts a stream in, whose id is higher than that of any before it.
    pub(super) fn insert(&mut self, rota: &Arc<Rota>, stream: Stream<B>, future: F) -> usize {
        let at = match self.free.pop() {
            Some(at) => at,
            None => {
                let at = self.slots.len();
                self.slots.push(Slot {
                    post: Post::new(rota, Place::Stream(at)),
                    future: Box::pin(None),
                    stream: None,
                });
                at
            }
        };
        self.index.push((stream.id, at));
        if let Some(slot) = self.slots.get_mut(at) {
            slot.stream = Some(stream);
            slot.future.as_mut().set(Some(future));
        }
        at
    }

    /// Takes a stream out; what was done for it is cancelled.
    pub(super) fn remove(&mut self, at: usize) -> Option<Stream<B>> {
        let slot = self.slots.get_mut(at)?;
        let stream = slot.stream.take()?;
        slot.future.as_mut().set(None);
        self.free.push(at);
        if let Ok(place) = self.index.binary_search_by_key(&stream.id, |(id, _)| *id) {
            self.index.remove(place);
        }
        Some(stream)
    }

    /// Takes every stream out.
    pub(super) fn clear(&mut self) {
        *self = Self::new();
    }
}
