//! A network of its own, which links lead to that can be taken down.
//!
//! Owns: a network namespace, pairs of virtual interfaces between it and the network of the tests.
//! Does not own: what runs in it.

use std::ffi::OsStr;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::peer::{is_root, peer, skip};

/// Links of one process that have addresses of their own.
const LINKS_MAX: u32 = 64;

/// A network namespace. Dropping it ends its links.
#[derive(Debug)]
pub struct Island {
    program: PathBuf,
    name: String,
    links: Vec<IslandLink>,
}

/// A link. Its ends are named after it.
#[derive(Debug)]
struct IslandLink {
    outside: String,
    inside: String,
    address: Ipv4Addr,
}

/// An end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkEnd {
    /// The one in the island: without it, packets are lost, and nobody is told.
    Inside,
    /// The one that tests and programs use: without it, the island can't be reached.
    Outside,
}

impl Island {
    /// An island with `count` links. `None` with a message where the system or the user can't make one.
    ///
    /// # Panics
    /// If it can't be set up where that is possible.
    #[track_caller]
    pub fn new(count: usize) -> Option<Self> {
        static NUMBERS: AtomicU32 = AtomicU32::new(0);
        let program = peer("ip")?;
        if !is_root() {
            skip("only the superuser makes network namespaces");
            return None;
        }
        let process = std::process::id();
        let name = format!("haul-{process}-{}", NUMBERS.fetch_add(1, Ordering::Relaxed));
        let mut island = Self { program, name, links: Vec::new() };
        if !island.ip(&["netns", "add", &island.name]) {
            skip("the system has no network namespaces");
            return None;
        }
        assert!(island.inside(&["link", "set", "lo", "up"]), "a loopback interface");
        for _ in 0..count {
            let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
            assert!(number < LINKS_MAX, "no addresses are left");
            let [high, low] = [(process >> 8) as u8 | 128, process as u8];
            let address = |host: u32| Ipv4Addr::new(10, high, low, (number * 4 + host) as u8);
            let link = IslandLink {
                outside: format!("hl{process}o{number}"),
                inside: format!("hl{process}i{number}"),
                address: address(2),
            };
            island.connect(&link, address(1));
            island.links.push(link);
        }
        Some(island)
    }

    fn connect(&self, link: &IslandLink, outside: Ipv4Addr) {
        let IslandLink { outside: near, inside: far, address } = link;
        let (near_address, far_address) = (format!("{outside}/30"), format!("{address}/30"));
        let is_connected = self
            .ip(&["link", "add", near, "type", "veth", "peer", "name", far, "netns", &self.name])
            && self.ip(&["addr", "add", &near_address, "dev", near])
            && self.ip(&["link", "set", near, "up"])
            && self.inside(&["addr", "add", &far_address, "dev", far])
            && self.inside(&["link", "set", far, "up"]);
        assert!(is_connected, "a link of {}", self.name);
    }

    /// Where what listens in the island is reached, over the link of this number.
    pub fn address(&self, link: usize) -> Ipv4Addr {
        self.links[link].address
    }

    /// Takes an end of a link down.
    ///
    /// # Panics
    /// If the system refuses.
    pub fn take_down(&self, link: usize, end: LinkEnd) {
        assert!(self.set(link, end, "down"), "{}: link {link} goes down", self.name);
    }

    /// Takes an end of a link up again.
    ///
    /// # Panics
    /// If the system refuses.
    pub fn take_up(&self, link: usize, end: LinkEnd) {
        assert!(self.set(link, end, "up"), "{}: link {link} comes up", self.name);
    }

    fn set(&self, link: usize, end: LinkEnd, state: &str) -> bool {
        let link = &self.links[link];
        match end {
            LinkEnd::Inside => self.inside(&["link", "set", &link.inside, state]),
            LinkEnd::Outside => self.ip(&["link", "set", &link.outside, state]),
        }
    }

    /// A command that runs `program` in the island, as a process of this one.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    fn inside(&self, args: &[&str]) -> bool {
        self.ip(&[&["-n", &self.name], args].concat())
    }

    fn ip(&self, args: &[&str]) -> bool {
        let status = Command::new(&self.program).args(args).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }
}

impl Drop for Island {
    fn drop(&mut self) {
        // The links go with it, once the processes in it have ended.
        for link in &self.links {
            self.ip(&["link", "del", &link.outside]);
        }
        self.ip(&["netns", "del", &self.name]);
    }
}
