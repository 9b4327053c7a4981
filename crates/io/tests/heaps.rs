//! The limit on heaps, in a process with a single thread: the usual test harness would start others.

use haul_io::limit_heaps;

fn main() {
    assert_eq!(limit_heaps(2), cfg!(target_env = "gnu"), "alone, it counts where there is such a limit");
    let beside = std::thread::scope(|scope| scope.spawn(|| limit_heaps(2)).join());
    assert!(!beside.expect("no panic"), "beside other threads nothing is changed");
}
