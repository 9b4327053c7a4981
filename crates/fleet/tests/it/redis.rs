//! The lease contract on Redis itself: kills, stops, partitions, restarts; races; the fake as its equal.
//!
//! Owns: these checks.
//! Does not own: the contract's model ([`super::contract`]), the server ([`haul_testkit::Redis`]).

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use haul_fleet::{
    Address, Call, Connection, Failure, Finished, Kept, Node, Outcome, Reply, Run, RunError, Script, Server,
    Settings, pack, unpack,
};
use haul_testkit::{Link, Redis};

use crate::fake::FakeServer;

fn server(url: &str) -> Connection {
    let address: Address = format!("{url}/test").parse().unwrap();
    Connection::new(&address, Duration::from_secs(5)).unwrap()
}

fn new_run(url: &str, settings: &Settings, slices: u64) -> Run<Connection> {
    let mut run = Run::new(server(url));
    run.create(settings, &[]).unwrap();
    for number in 1..=slices {
        run.add(number, 2, pack(&[format!("{number}a"), format!("{number}b")])).unwrap();
    }
    run.fill(&[]).unwrap();
    run
}

fn number(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

/// An answer without what differs from server to server: times, and the order of hashes.
fn comparable(script: Script, reply: Result<Reply, Failure>) -> String {
    let reply = match reply {
        Ok(reply) => reply,
        Err(failure) => return format!("refused: {}", failure.to_string().contains("STATE")),
    };
    match (script, &reply) {
        (Script::Status, Reply::List(parts)) if parts.len() == 5 => {
            let sorted = |list: &Reply| {
                let mut pairs: Vec<_> =
                    list.pairs().map(|(name, value)| format!("{name}={:?}", value.str())).collect();
                pairs.sort();
                pairs
            };
            format!("{:?} {:?} {:?}", sorted(&parts[0]), parts[1], sorted(&parts[3]))
        }
        (Script::Hosts, Reply::List(parts)) if parts.len() == 4 => {
            let paused: Vec<_> = parts[2].pairs().map(|(host, left)| (host, left.int() > Some(0))).collect();
            format!("{:?} {paused:?} {:?}", parts[0], parts[3])
        }
        (Script::List, Reply::List(parts)) => {
            let mut pairs: Vec<_> =
                parts[1].list().chunks(2).map(|pair| format!("{:?} {:?}", pair[0], pair[1])).collect();
            pairs.sort();
            format!("{pairs:?}")
        }
        _ => format!("{reply:?}"),
    }
}

#[test]
fn the_fake_answers_as_redis_does() {
    let Some(redis) = Redis::start_with(&[]) else { return };
    for (seed, lease_ms) in
        [(1, "0"), (2, "1000000000"), (3, "0"), (4, "1000000000"), (5, "0"), (6, "1000000000")]
    {
        let (mut real, mut fake, mut random) = (server(&redis.url()), FakeServer::default(), seed);
        let mut both = |script: Script, arguments: Vec<Vec<u8>>| {
            let call = Call::new(script, arguments);
            let (real, fake) = (real.call(&call), fake.call(&call));
            let taken = real.clone().ok();
            let (real, fake) = (comparable(script, real), comparable(script, fake));
            assert_eq!(real, fake, "seed {seed}: {call:?}");
            taken
        };
        let bytes = |text: &str| text.as_bytes().to_vec();
        both(Script::Take, vec![bytes("n0"), bytes("name"), bytes("t")]);
        let settings = [("lease_ms", lease_ms), ("deliveries_max", "2")];
        both(Script::Create, settings.iter().flat_map(|(name, value)| [bytes(name), bytes(value)]).collect());
        both(Script::Create, vec![]);
        let (mut added, mut leases) = (0, vec![(bytes("1-0"), bytes("none"))]);
        for step in 0..600_i64 {
            let node = bytes(&format!("n{}", number(&mut random) % 3));
            let (id, token) = leases[number(&mut random) as usize % leases.len()].clone();
            match number(&mut random) % 20 {
                0..=2 => {
                    // Every third is repeated.
                    added += u64::from(!number(&mut random).is_multiple_of(3));
                    let content = pack(&[format!("{}", added.max(1))]);
                    both(Script::Add, vec![bytes(&added.max(1).to_string()), bytes("1"), content]);
                }
                3..=6 => {
                    let token = bytes(&format!("token-{step}-"));
                    let taken = both(Script::Take, vec![node, bytes("name"), token.clone()]);
                    if let Some(Reply::List(parts)) = taken
                        && let [_, id, ..] = &parts[..]
                        && parts.len() > 1
                    {
                        leases.push((id.bytes().unwrap().to_vec(), token));
                    }
                }
                7..=8 => drop(both(Script::Renew, vec![node, id, token])),
                9..=10 => {
                    let failures = if step % 2 == 0 { bytes("failures") } else { Vec::new() };
                    let totals = [bytes("succeeded"), bytes("3"), bytes("failed"), bytes("1")];
                    let arguments = [vec![node, id, token, bytes("{}"), failures], totals.to_vec()].concat();
                    both(Script::Finish, arguments);
                }
                11 => drop(both(Script::Release, vec![node, id, token])),
                19 if step % 3 > 0 => {
                    let end = [
                        bytes("name"),
                        bytes("512"),
                        bytes("{}"),
                        bytes("f"),
                        bytes("succeeded"),
                        bytes("1"),
                    ];
                    let attempt = bytes(&(number(&mut random) % 3).to_string());
                    let arguments = vec![node, id, token, attempt];
                    if step % 3 == 1 {
                        both(Script::Prepare, [arguments, end.to_vec()].concat());
                    } else {
                        both(Script::Adopt, arguments);
                    }
                }
                12 => {
                    let (from, content) =
                        if step % 2 == 0 { ("aside", Vec::new()) } else { ("failed", pack(&["again"])) };
                    both(Script::Retry, vec![bytes(from), id, bytes("1"), content]);
                    // It takes the number of the next slice.
                    added = added.max(1) + 1;
                }
                13 => drop(both(Script::Status, vec![])),
                14 => {
                    for name in ["done", "failed", "aside", "reasons"] {
                        both(Script::List, vec![bytes(name), bytes("0")]);
                    }
                }
                15..=18 => {
                    // Permits for more than the nodes, as turns depend on the clock.
                    let most = ["0", "3", "7"][number(&mut random) as usize % 3];
                    let has_rate = ["0", "1"][number(&mut random) as usize % 2];
                    // A call now and then comes after a later one of its node.
                    let call = (step - if number(&mut random).is_multiple_of(5) { 3 } else { 0 }).to_string();
                    let mut arguments = vec![node, Vec::new()];
                    arguments.extend([call.as_str(), most, has_rate, lease_ms].map(bytes));
                    for host in 0..1 + number(&mut random) % 3 {
                        let mut below = |limit: i64| (number(&mut random) as i64 % limit).to_string();
                        let pause = if step % 7 == 0 { 1_000_000 + step * 1_000 } else { 0 };
                        let wanted = (below(9).parse::<i64>().unwrap() - 1).to_string();
                        let numbers = [below(3), below(400_000), wanted, pause.to_string()];
                        arguments.push(bytes(&format!("http://h{host}:80")));
                        arguments.extend(numbers.iter().map(|number| bytes(number)));
                    }
                    both(Script::Hosts, arguments);
                }
                _ if step > 200 => drop(both(Script::Fill, vec![bytes("version"), bytes("1")])),
                _ => {}
            }
        }
        both(Script::Cancel, vec![bytes("0")]);
        both(Script::Take, vec![bytes("n0"), bytes("name"), bytes("t")]);
        both(Script::Cancel, vec![bytes("1")]);
        both(Script::Cancel, vec![bytes("1")]);
    }
}

/// Takes with eight connections until nothing is left. Returns how many slices were taken.
fn race(url: &str, slices: u64) -> u64 {
    new_run(url, &Settings { lease: Duration::from_secs(3_600), ..Settings::default() }, slices);
    let (owned, count) = (Mutex::new(BTreeSet::new()), AtomicU64::new(0));
    thread::scope(|scope| {
        for node in 0..8 {
            let (owned, count) = (&owned, &count);
            scope.spawn(move || {
                let mut server = server(url);
                loop {
                    let token = format!("{node}-{}", count.load(Ordering::Relaxed));
                    let call = Call::new(Script::Take, [&*format!("node{node}"), "name", &token]);
                    let reply = server.call(&call).unwrap();
                    let [_, id, _, deliveries, ..] = reply.list() else { return };
                    assert_eq!(deliveries.int(), Some(1));
                    assert!(
                        owned.lock().unwrap().insert(id.str().unwrap().to_owned()),
                        "two owners of {id:?}"
                    );
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    count.into_inner()
}

#[test]
fn raced_claims_have_one_owner_each() {
    let Some(redis) = Redis::start_with(&[]) else { return };
    assert_eq!(race(&redis.url(), 10_000), 10_000);
}

#[test]
#[ignore = "a measurement: cargo test -p haul-fleet --release --test it memory -- --ignored --nocapture"]
fn memory_of_100_000_slices() {
    let Some(redis) = Redis::start_with(&[]) else { return };
    let before = redis.memory("used_memory");
    let mut run = Run::new(server(&redis.url()));
    run.create(&Settings::default(), &[]).unwrap();
    let mut bytes = 0;
    for number in 1..=100_000_u64 {
        let lines: Vec<_> = (0..100)
            .map(|line| format!("https://example.org/images/{:08x}/{line}.jpg", number * 7_919))
            .collect();
        let content = pack(&lines);
        bytes += content.len();
        run.add(number, 100, content).unwrap();
    }
    let held = redis.memory("used_memory") - before;
    use std::io::Write;
    writeln!(std::io::stderr(), "100000 slices of 100 lines: {bytes} bytes packed, {held} bytes in Redis")
        .unwrap();
}

/// Works on slices until the run ends: publishes each line once per slice that it may work on.
fn work(
    url: &str,
    published: &Mutex<Vec<String>>,
    acknowledged: &Mutex<Vec<String>>,
    until: impl Fn() -> bool,
) {
    let (signal, woken) = std::sync::mpsc::channel();
    let signal = Mutex::new(signal);
    let wake = move || {
        let _ = signal.lock().unwrap().send(());
    };
    let address: Address = format!("{url}/test").parse().unwrap();
    let server = Connection::new(&address, Duration::from_millis(500)).unwrap();
    let node = Node::join(server, "worker", wake).unwrap();
    node.want(1);
    let mut has_ended = false;
    while !(until() || has_ended && node.is_idle()) {
        let _ = woken.recv_timeout(Duration::from_millis(50));
        for outcome in node.outcomes() {
            match outcome {
                Outcome::Taken { id, content, .. } => {
                    let lines = unpack(&content).unwrap();
                    let texts = lines.iter().map(|line| String::from_utf8(line.clone()).unwrap());
                    if node.may_start(&id) {
                        published.lock().unwrap().extend(texts);
                        let totals = vec![("succeeded", lines.len() as u64)];
                        node.finish(Finished { id, report: b"{}".to_vec(), failures: Vec::new(), totals });
                    } else {
                        node.release(&id);
                    }
                }
                Outcome::Acknowledged(id) => acknowledged.lock().unwrap().push(id),
                Outcome::Ended(_) => has_ended = true,
                _ => {}
            }
        }
    }
    node.leave(Duration::from_secs(2));
}

#[test]
fn partitions_and_restarts_lose_nothing_and_count_once() {
    const SLICES: u64 = 120;
    let Some(mut redis) = Redis::start() else { return };
    let settings = Settings { lease: Duration::from_millis(700), deliveries_max: 100, ..Settings::default() };
    let mut run = new_run(&redis.url(), &settings, SLICES);
    let links: Vec<_> = (0..3).map(|_| Link::to(redis.address())).collect();
    let urls: Vec<_> = links.iter().map(|link| format!("redis://{}", link.address())).collect();
    let (published, acknowledged) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let start = Instant::now();
    let is_late = || start.elapsed() > Duration::from_secs(60);
    thread::scope(|scope| {
        for url in &urls {
            let (published, acknowledged) = (&published, &acknowledged);
            scope.spawn(move || work(url, published, acknowledged, is_late));
        }
        let mut random = 7;
        for round in 0..12 {
            let link = &links[number(&mut random) as usize % 3];
            match round % 3 {
                0 => link.cut(),
                1 => link.stop(),
                _ => redis.restart(),
            }
            thread::sleep(Duration::from_millis(100 + number(&mut random) % 300));
            link.heal();
        }
    });
    assert!(!is_late(), "the fleet never ends: {:?}", run.status());
    let status = run.status().unwrap();
    assert_eq!(
        (status.total("done"), status.total("succeeded"), status.total("aside")),
        (SLICES, 2 * SLICES, 0)
    );
    let distinct: BTreeSet<_> = published.into_inner().unwrap().into_iter().collect();
    assert_eq!(distinct.len() as u64, 2 * SLICES, "nothing is lost");
    let (all, mut distinct) = (acknowledged.into_inner().unwrap(), BTreeSet::new());
    assert!(all.into_iter().all(|id| distinct.insert(id)), "a slice was acknowledged twice");
}

#[test]
fn a_run_is_created_once_and_removed_wholly() {
    let Some(redis) = Redis::start_with(&[]) else { return };
    let mut run = new_run(&redis.url(), &Settings { rate: Some(2.5), ..Settings::default() }, 3);
    assert_eq!(run.create(&Settings::default(), &[]), Err(RunError::Exists));
    let status = run.status().unwrap();
    assert_eq!((status.total("slices"), status.total("lines"), &*status.state), (3, 6, "full"));
    assert_eq!(status.settings(), Settings { rate: Some(2.5), ..Settings::default() });
    let mut count = 0;
    run.each(Kept::Reports, |_, _| count += 1).unwrap();
    assert_eq!(count, 0);
    assert!(run.cancel(true).unwrap() && !run.cancel(true).unwrap());
    assert_eq!(run.status(), Err(RunError::Missing));
    assert!(redis.ask("DBSIZE").unwrap().starts_with(":0\r\n"));
}

#[test]
fn a_wrong_password_is_refused_and_never_shown() {
    let Some(redis) = Redis::start_with(&["--requirepass", "hush"]) else { return };
    let at = |login: &str| redis.url().replace("redis://", &format!("redis://{login}"));
    Run::new(server(&at(":hush@"))).create(&Settings::default(), &[]).unwrap();
    for login in ["", ":wrong-secret@"] {
        let refused = Run::new(server(&at(login))).status().unwrap_err();
        assert!(matches!(refused, RunError::Server(Failure::Refused(_))), "{refused:?}");
        assert!(!format!("{refused} {refused:?}").contains("secret"), "{refused:?}");
    }
}
