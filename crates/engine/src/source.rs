//! Where tasks come from.
//!
//! Owns: the shape of a source.
//! Does not own: any particular source.

/// What a source has.
#[derive(Debug)]
pub enum Next<T> {
    /// A task.
    Task(T),
    /// Nothing now; ask again within milliseconds.
    Later,
    /// Nothing ever.
    End,
}

/// Where tasks come from. Every iterator is one; it is asked only when there is room, so it may be endless.
pub trait Source<T> {
    /// The next task. Should not block: answers are dealt with between the calls.
    fn next(&mut self) -> Next<T>;
}

impl<T, I: Iterator<Item = T>> Source<T> for I {
    fn next(&mut self) -> Next<T> {
        Iterator::next(self).map_or(Next::End, Next::Task)
    }
}
