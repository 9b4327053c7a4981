//! The shares of hosts on the simulated server: the script as Rust.
//!
//! Owns: the meaning of [`Script::Hosts`](haul_fleet::Script::Hosts).
//! Does not own: the other scripts ([`super::fake`]).

use std::collections::{BTreeMap, VecDeque};

use haul_fleet::Reply;

/// What is stored of hosts.
#[derive(Clone, Debug, Default)]
pub(crate) struct FakeHosts {
    hosts: BTreeMap<String, Vec<Record>>,
    stale: BTreeMap<String, i64>,
    pauses: BTreeMap<String, i64>,
    /// The last news, and how many there were before.
    news: VecDeque<String>,
    forgotten: usize,
}

/// News that are kept.
const NEWS_MAX: usize = 1_000;

/// What is stored of a node at a host.
#[derive(Clone, Debug)]
struct Record {
    name: String,
    call: i64,
    held: i64,
    want: i64,
    part: i64,
    heard: i64,
}

/// A call, without its hosts.
struct Asking {
    node: String,
    call: i64,
    most: i64,
    has_rate: bool,
    lease: i64,
    now: i64,
}

/// What a node asks for at a host.
struct Ask<'a> {
    host: &'a str,
    used: i64,
    used_part: i64,
    wanted: i64,
    pause: i64,
}

impl FakeHosts {
    /// The answer to a call whose run has the state `state`.
    pub(crate) fn call(&mut self, arguments: &[Vec<u8>], state: &str, now: i64) -> Reply {
        let texts: Vec<_> = arguments.iter().map(|text| String::from_utf8_lossy(text)).collect();
        let number = |index: usize| texts[index].parse::<i64>().unwrap();
        if state == "none" {
            return Reply::List(vec![Reply::text("none")]);
        }
        let asking = Asking {
            node: texts[0].clone().into_owned(),
            call: number(2),
            most: number(3),
            has_rate: number(4) == 1,
            lease: number(5),
            now,
        };
        let stale: Vec<_> = self.stale.iter().filter(|(_, until)| **until <= now).take(100).collect();
        let stale: Vec<_> = stale.into_iter().map(|(host, _)| host.clone()).collect();
        for host in stale {
            self.hosts.remove(&host);
            self.stale.remove(&host);
        }
        let mut answer = Vec::new();
        for index in (6..texts.len()).step_by(5) {
            let ask = Ask {
                host: &texts[index],
                used: number(index + 1),
                used_part: number(index + 2),
                wanted: number(index + 3),
                pause: number(index + 4),
            };
            if ask.pause > 0 && now + ask.pause > self.pauses.get(ask.host).copied().unwrap_or(0) {
                self.pauses.retain(|_, until| *until > now);
                self.pauses.insert(ask.host.to_owned(), now + ask.pause);
                self.tell(ask.host);
            }
            let given = if ask.wanted >= 0 { self.share(&asking, &ask) } else { [0; 3] };
            answer.extend(given.map(Reply::Int));
        }
        let told: Vec<String> = match texts[1].parse::<usize>() {
            Ok(from) => {
                self.news.iter().skip(from.saturating_sub(self.forgotten)).take(100).cloned().collect()
            }
            Err(_) => {
                let mut paused: Vec<_> = self.pauses.iter().filter(|(_, until)| **until > now).collect();
                paused.sort_by_key(|(_, until)| **until);
                paused.into_iter().map(|(host, _)| host.clone()).collect()
            }
        };
        let end = self.forgotten + self.news.len();
        let cursor = texts[1].parse::<usize>().map_or(end, |from| from.max(self.forgotten) + told.len());
        let left = |host: &str| (self.pauses.get(host).copied().unwrap_or(0) - now).max(0);
        let told = told.iter().flat_map(|host| [Reply::text(host), Reply::Int(left(host))]).collect();
        let cursor = Reply::text(cursor.to_string());
        Reply::List(vec![Reply::text(state), cursor, Reply::List(told), Reply::List(answer)])
    }

    fn tell(&mut self, host: &str) {
        self.news.push_back(host.to_owned());
        if self.news.len() > NEWS_MAX {
            self.news.pop_front();
            self.forgotten += 1;
        }
    }

    fn share(&mut self, asking: &Asking, ask: &Ask<'_>) -> [i64; 3] {
        let Asking { node, call, most, has_rate, lease, now } = asking;
        let records = self.hosts.get(ask.host).cloned().unwrap_or_default();
        let before = records.iter().find(|one| one.name == *node).cloned();
        let is_known = |one: &Record| one.name != *node && now - one.heard < *lease;
        let mut known: Vec<_> = records.into_iter().filter(is_known).collect();
        if before.as_ref().is_some_and(|before| before.call > *call) {
            return [0; 3];
        }
        let mut names: Vec<_> = known.iter().map(|one| one.name.clone()).chain([node.clone()]).collect();
        names.sort();
        let count = names.len() as i64;
        let shares: BTreeMap<_, _> = names
            .into_iter()
            .enumerate()
            .map(|(index, name)| {
                let moved = if *most < count { now / 1_000 } else { 0 };
                let turn = (index as i64 + moved) % count;
                (name, most / count + i64::from(turn < most % count))
            })
            .collect();
        let others: i64 = known.iter().map(|one| one.held).sum();
        let parts: i64 = known.iter().map(|one| one.part).sum();
        let active = known.iter().filter(|one| *most == 0 || one.held > 0).count() as i64;
        let is_hungry = *most > 0 && known.iter().any(|one| one.held < one.want.min(shares[&one.name]));
        let mut permits = ask.wanted;
        if *most > 0 {
            permits = permits.min((most - others).max(0));
            permits = if is_hungry { permits.min(shares[node]) } else { permits };
        }
        let fair = 1_000_000 / (active + 1);
        let part = if *has_rate && permits > 0 { fair.min(1_000_000 - parts).max(0) } else { 0 };
        let part = if part < 1_000 { 0 } else { part };
        let is_short = ask.wanted > 0
            && (*has_rate && permits > 0 && part < fair
                || *most > 0 && permits < ask.wanted.min(shares[node]));
        if is_short && before.is_none_or(|before| before.want < ask.wanted) {
            self.tell(ask.host);
        }
        if ask.wanted > 0 || ask.used > 0 {
            known.push(Record {
                name: node.clone(),
                call: *call,
                held: permits.max(ask.used),
                want: ask.wanted,
                part: part.max(ask.used_part),
                heard: *now,
            });
        }
        let is_contended = ask.wanted > 0
            && known.len() > 1
            && (is_hungry || *most > 0 && permits < ask.wanted || *has_rate && part < 1_000_000);
        if known.is_empty() {
            self.hosts.remove(ask.host);
            self.stale.remove(ask.host);
        } else {
            self.hosts.insert(ask.host.to_owned(), known);
            self.stale.insert(ask.host.to_owned(), now + lease);
        }
        [permits, part, is_contended.into()]
    }
}
