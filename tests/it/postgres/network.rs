//! A network of namespaces: one for each node and each server, with a router between them that
//! drops packets without a word to either side. Nothing of it is in the namespace of the machine,
//! so networks of several tests have the same addresses.
//!
//! It takes `ip` and the right to make namespaces, as root has.

use std::{
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicU64, Ordering},
};

/// How many nodes and how many servers a network has.
const EACH: usize = 3;

/// A namespace with one address.
#[derive(Debug, Clone)]
pub(super) struct Place {
    namespace: String,
    pub(super) address: String,
}

impl Place {
    /// A program that runs there.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(path_of_ip().expect("it made the namespace"));
        command.args(["netns", "exec", &self.namespace, program]);
        command
    }
}

/// What has a namespace, with its number.
#[derive(Debug, Clone, Copy)]
pub(super) enum Member {
    Node(usize),
    Server(usize),
}

/// A network. It is removed when it is dropped.
pub(super) struct Network {
    router: String,
    nodes: Vec<Place>,
    servers: Vec<Place>,
    /// The rules of the router that drop packets.
    cuts: Vec<[String; 2]>,
}

impl Network {
    /// A network, or `None` if this machine or its user cannot make one.
    pub(super) fn create(promise: &str) -> Option<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(1);
        let (process, number) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let router = format!("userpool-{process}-{number}");
        let (nodes, servers, cuts) = Default::default();
        let mut network = Self { router, nodes, servers, cuts };
        if let Err(reason) = network.create_router() {
            eprintln!("NOT TESTED: {promise}; {reason}");
            return None;
        }
        for number in 0..EACH {
            let place = network.join(number);
            network.nodes.push(place);
            let place = network.join(EACH + number);
            network.servers.push(place);
        }
        Some(network)
    }

    /// Creates the router, and tries what the tests need.
    fn create_router(&self) -> Result<(), String> {
        let rule = ["from", "10.0.0.2", "to", "10.0.1.2", "blackhole"];
        run(&["netns", "add", &self.router])?;
        run(&[&["-n", &self.router, "rule", "add"], rule.as_slice()].concat())?;
        run(&[&["-n", &self.router, "rule", "del"], rule.as_slice()].concat())?;
        let link = ["link", "add", "try0", "type", "veth", "peer", "name", "try1"];
        run(&[&["-n", &self.router], link.as_slice()].concat())?;
        run(&["-n", &self.router, "link", "del", "try0"])?;
        let forward = "echo 1 > /proc/sys/net/ipv4/ip_forward";
        run(&["netns", "exec", &self.router, "sh", "-c", forward])
    }

    /// Creates a namespace, and connects it to the router.
    fn join(&self, number: usize) -> Place {
        let (router, namespace) = (&self.router, &format!("{}-{number}", self.router));
        let (near, far) = (&format!("10.0.{number}.2"), &format!("10.0.{number}.1"));
        let (near_net, far_net) = (&format!("{near}/24"), &format!("{far}/24"));
        let (link, port) = ("eth0", &format!("port{number}"));
        let peer = ["veth", "peer", "name", port, "netns", router];
        must(&["netns", "add", namespace]);
        must(&[&["link", "add", link, "netns", namespace, "type"], peer.as_slice()].concat());
        must(&["-n", router, "address", "add", far_net, "dev", port]);
        must(&["-n", router, "link", "set", port, "up"]);
        must(&["-n", namespace, "address", "add", near_net, "dev", link]);
        must(&["-n", namespace, "link", "set", link, "up"]);
        must(&["-n", namespace, "link", "set", "lo", "up"]);
        must(&["-n", namespace, "route", "add", "default", "via", far]);
        Place { namespace: namespace.clone(), address: near.clone() }
    }

    pub(super) fn place(&self, member: Member) -> &Place {
        match member {
            Member::Node(number) => &self.nodes[number],
            Member::Server(number) => &self.servers[number],
        }
    }

    /// Drops every packet between two sides from now on.
    pub(super) fn cut(&mut self, one_side: &[Member], other_side: &[Member]) {
        for &one in one_side {
            for &other in other_side {
                self.drop_packets(one, other);
                self.drop_packets(other, one);
            }
        }
    }

    /// Drops every packet from one member to another from now on, and none of the other direction.
    pub(super) fn drop_packets(&mut self, from: Member, to: Member) {
        let cut = [from, to].map(|member| self.place(member).address.clone());
        self.change_rule("add", &cut);
        self.cuts.push(cut);
    }

    /// Drops no packet any more.
    pub(super) fn heal(&mut self) {
        for cut in std::mem::take(&mut self.cuts) {
            self.change_rule("del", &cut);
        }
    }

    fn change_rule(&self, change: &str, [from, to]: &[String; 2]) {
        must(&["-n", &self.router, "rule", change, "from", from, "to", to, "blackhole"]);
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let places = self.nodes.iter().chain(&self.servers).map(|place| &place.namespace);
        for namespace in places.chain([&self.router]) {
            // Its links go with it. It may not be there, if it could not be made.
            let _ = run(&["netns", "del", namespace]);
        }
    }
}

fn path_of_ip() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    directories.map(|directory| directory.join("ip")).find(|path| path.exists())
}

/// Runs `ip`.
fn run(arguments: &[&str]) -> Result<(), String> {
    let path = path_of_ip().ok_or("ip is missing, install iproute2")?;
    let output = Command::new(path).args(arguments).output().expect("ip runs");
    if output.status.success() {
        return Ok(());
    }
    let error = String::from_utf8_lossy(&output.stderr);
    Err(format!("ip {}: {}", arguments.join(" "), error.trim()))
}

/// Runs `ip` where it has worked before.
fn must(arguments: &[&str]) {
    run(arguments).unwrap_or_else(|error| unreachable!("{error}"));
}
