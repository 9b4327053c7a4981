//! The slots of operations in flight, found by the user data that travels through the kernel.
//!
//! The user data names a slot and its generation, so a late completion never hits a slot that was reused.
//!
//! Owns: slots, generations, stable addresses.
//! Does not own: what is in a slot.

/// Identifies the content of a slot until it is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    index: u32,
    generation: u32,
}

impl Key {
    pub(crate) fn to_bits(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        Self { index: bits as u32, generation: (bits >> 32) as u32 }
    }
}

/// Values at addresses that don't change until they are removed.
pub(crate) struct Slab<T> {
    /// Boxed: growing the list doesn't move a slot that the kernel points into.
    slots: Vec<Box<Slot<T>>>,
    free: Vec<u32>,
}

struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Slab<T> {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { slots: Vec::with_capacity(capacity), free: Vec::with_capacity(capacity) }
    }

    pub(crate) fn insert(&mut self, value: T) -> Key {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Box::new(Slot { generation: 0, value: None }));
            u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 operations are in flight")
        });
        let slot = &mut self.slots[index as usize];
        slot.value = Some(value);
        Key { index, generation: slot.generation }
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let slot = self.slots.get_mut(key.index as usize)?;
        if slot.generation == key.generation { slot.value.as_mut() } else { None }
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let slot = self.slots.get_mut(key.index as usize).filter(|slot| slot.generation == key.generation)?;
        let value = slot.value.take()?;
        // The last generation is skipped: one of its keys would equal the user data of ignored completions.
        slot.generation = if slot.generation >= u32::MAX - 1 { 0 } else { slot.generation + 1 };
        self.free.push(key.index);
        Some(value)
    }

    pub(crate) fn keys(&self) -> Vec<Key> {
        let taken = self.slots.iter().zip(0..).filter(|(slot, _)| slot.value.is_some());
        taken.map(|(slot, index)| Key { index, generation: slot.generation }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_key_finds_nothing() {
        let mut slab = Slab::with_capacity(1);
        let first = slab.insert('a');
        assert_eq!(Key::from_bits(first.to_bits()), first);
        assert_eq!(slab.remove(first), Some('a'));
        let second = slab.insert('b');
        assert_eq!(second.index, first.index, "slots are reused");
        assert_eq!(slab.get_mut(first), None);
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.keys(), [second]);
    }

    #[test]
    fn growing_moves_no_slot() {
        let mut slab = Slab::with_capacity(1);
        let key = slab.insert(7);
        let before = std::ptr::from_mut(slab.get_mut(key).unwrap());
        (0..100).for_each(|number| _ = slab.insert(number));
        assert_eq!(std::ptr::from_mut(slab.get_mut(key).unwrap()), before);
    }
}
