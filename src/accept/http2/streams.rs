//! The streams of a connection, each in a slot that keeps its waker and its future's memory.

use std::pin::Pin;
use std::sync::Arc;

use super::rota::{Place, Post, Rota};
use super::stream::{Stream, Upload};
use crate::message::Interim;

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
    /// Where interim responses come from.
    pub(super) interim: Interim,
    pub(super) stream: Option<Stream<B>>,
}

/// A stream that is over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    pub(super) id: u32,
    /// The client had said everything.
    pub(super) heard: bool,
    /// Bytes of it that nobody will take any more.
    pub(super) held: usize,
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

    /// A free slot for the stream of this id, which is higher than that of any before it.
    pub(super) fn vacant(&mut self, rota: &Arc<Rota>, id: u32) -> usize {
        let at = self.free.pop().unwrap_or_else(|| {
            let at = self.slots.len();
            self.slots.push(Slot {
                post: Post::new(rota, Place::Stream(at)),
                future: Box::pin(None),
                interim: Interim::open(),
                stream: None,
            });
            at
        });
        self.index.push((id, at));
        at
    }

    /// Takes a stream out; what was done for it is cancelled.
    pub(super) fn end(&mut self, at: usize) -> Option<Ended> {
        let slot = self.slots.get_mut(at)?;
        let stream = slot.stream.as_ref()?;
        let ended = Ended {
            id: stream.id,
            heard: stream.heard,
            held: stream.upload.as_ref().map_or(0, Upload::held),
        };
        slot.stream = None;
        slot.future.as_mut().set(None);
        self.free.push(at);
        let place = self.index.binary_search_by_key(&ended.id, |(id, _)| *id);
        if let Ok(place) = place {
            self.index.remove(place);
        }
        Some(ended)
    }

    /// Takes every stream out.
    pub(super) fn clear(&mut self) {
        *self = Self::new();
    }
}
