//! The limit on heaps, in a process with a single thread: the usual test harness would start others.

use haul_io::limit_heaps;

fn main() {
    assert_eq!(
        limit_heaps(2),
        cfg!(target_env = "gnu"),
        "a single thread can set the limit where there is one"
    );
    let with_others = std::thread::scope(|scope| scope.spawn(|| limit_heaps(2)).join());
    assert!(!with_others.expect("no panic"), "with other threads nothing is changed");
}
