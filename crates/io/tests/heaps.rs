//! The limit on heaps, in a process of its own: a test runs beside the thread that started it.

use haul_io::limit_heaps;

#[test]
fn beside_other_threads_nothing_is_changed() {
    assert!(!limit_heaps(2), "this thread isn't the only one");
}
