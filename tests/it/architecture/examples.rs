//! Every way to write an import is found.

use std::collections::BTreeMap;

use super::{cycles::cycles, knowledge, modules::Crate, order_violations};

/// Sources of `crate::room::inner::leaf` that import from the room below.
const UPWARD: [&str; 34] = [
    "use crate::high::Item;",
    "use crate::high;",
    "use crate::high as low;",
    "use crate::high::*;",
    "use crate::{low::Item, high::{self, Other}};",
    "use crate::{low::{Item, Other}, high};",
    "use {crate::{high::Item}};",
    "use crate as root; fn f() { root::high::f() }",
    "use crate::{self as root};",
    "use crate::*;",
    "use super::super::super::high::Item;",
    "use super::{super::{super::{high::Item}}};",
    "use super::{ super::{ super as root } };",
    "use self::super::super::super::high::Item;",
    "use super::super::super::super::high::Item;",
    "pub use crate::high::Item;",
    "pub(crate) use crate::high::Item as Other;",
    "pub(in crate::high) struct Item;",
    "fn f() { use crate::high::Item; }",
    "fn f() { crate::high::f() }",
    "fn f(item: Vec<crate::high::Item>) {}",
    "fn f() -> impl crate::high::Trait {}",
    "impl crate::high::Trait for Item {}",
    "fn f() { <crate::high::Item as Trait>::f() }",
    "fn f() { println!(\"{}\", crate::high::f()) }",
    "fn f() { println!(\"{}\", crate :: /* here */ high::f()) }",
    "fn f() { select! { x = super::super::super::high::f() => {} } }",
    "macro_rules! m { () => { use crate::high::Item; } }",
    "macro_rules! m { () => { $crate::high::f() } }",
    "#[crate::high::attribute] fn f() {}",
    "#[serde(with = \"crate::high::seconds\")] struct S;",
    "struct S(pub (crate::high::Item, u8));",
    "mod inside { use super::super::super::super::high::Item; }",
    "use crate::r#high::Item;",
];

/// Sources that could hide an import from every reader.
const HIDDEN: [&str; 12] = [
    "extern crate self as other;",
    "#[path = \"../../high.rs\"] mod other;",
    "#[cfg_attr(all(), path = \"../../high.rs\")] mod other;",
    "fn f() { mod other { use super::super::high; } }",
    "#[macro_export] macro_rules! m { () => {} }",
    "#[macro_use] mod other {}",
    "macro_rules! m { ($room:ident) => { use crate::$room::Item; } }",
    "macro_rules! m { ($room:ident) => { crate::$room::f() } }",
    "fn f() { m!(crate, high) }",
    "fn f() { m!(super, high) }",
    "macro_rules! m { () => { $crate } }",
    "mod missing;",
];

/// Sources that import nothing from below.
const INNOCENT: [&str; 14] = [
    "use crate::low::Item;",
    "use crate::{low::{Item, Other}, room::inner::leaf::high};",
    "use super::super::{inner, inner::leaf};",
    "use super::high;",
    "use high::Item;",
    "// use crate::high::Item;",
    "/// See [`crate::high::Item`].\nfn f() {}",
    "fn f() { println!(\"crate::high::f()\") }",
    "#[doc = \"crate::high\"] fn f(path: &Path) {}",
    "pub(crate) fn f() {} pub(super) struct S(pub(super) u8, pub(crate) u8);",
    "fn f<'crate_high>() -> impl Iterator + use<'crate_high> {}",
    "fn f(r#use: u8, r#mod: u8) -> u8 { r#use + r#mod }",
    "mod tests { use super::*; use crate::low; }",
    "const fn f(x: u8) { include_str!(\"x\") }",
];

fn parsed(files: &[(&str, &str)]) -> Crate {
    let files = files.iter().map(|(file, source)| ((*file).to_owned(), (*source).to_owned()));
    Crate::read(&files.collect::<BTreeMap<_, _>>())
}

fn with_leaf(leaf: &str) -> Crate {
    parsed(&[
        ("lib.rs", "pub mod low;\npub mod room;\n#[cfg(feature = \"x\")]\npub mod high;"),
        ("low.rs", "pub struct Item;"),
        ("high.rs", "pub struct Item;"),
        ("room/mod.rs", "mod inner;"),
        ("room/inner.rs", "mod leaf;"),
        ("room/inner/leaf.rs", leaf),
    ])
}

fn violations(krate: &Crate) -> Vec<String> {
    order_violations(krate, &["low", "room", "high"].map(str::to_owned))
}

#[test]
fn an_import_is_found_however_it_is_written() {
    for source in UPWARD {
        assert!(!violations(&with_leaf(source)).is_empty(), "not found: {source}");
    }
}

#[test]
fn code_that_could_hide_an_import_is_refused() {
    for source in HIDDEN {
        let faults = with_leaf(source).faults;
        assert!(!faults.is_empty(), "not refused: {source}");
    }
    let more_in_lib = parsed(&[("lib.rs", "pub mod low; pub use low::Item;"), ("low.rs", "")]);
    assert!(!more_in_lib.faults.is_empty());
    let stray = parsed(&[("lib.rs", "pub mod low;"), ("low.rs", ""), ("stray.rs", "")]);
    assert!(!stray.faults.is_empty());
}

#[test]
fn legal_imports_are_allowed() {
    for source in INNOCENT {
        let krate = with_leaf(source);
        assert_eq!(violations(&krate), Vec::<String>::new(), "{source}");
        assert_eq!(krate.faults, Vec::<String>::new(), "{source}");
    }
}

#[test]
fn excluded_crates_are_found_however_they_are_named() {
    let unknown = knowledge::unknown("gRPC, clocks, async, messages").expect("known phrases");
    let found = |leaf: &str| knowledge::violations(&with_leaf(leaf), "room", &unknown);
    for source in [
        "use tonic::Status;",
        "use tonic;",
        "use tonic as other;",
        "use ::tonic::Status;",
        "use {tonic_types::ErrorDetails};",
        "#[tonic::async_trait] trait T {}",
        "fn f() -> ::tonic::Status {}",
        "fn f() { m!(x => ::tonic::f()) }",
        "fn f() { <tonic::Status>::new() }",
        "use chrono as c; fn f() { c::Utc::now() }",
        "use chrono::{DateTime, Utc}; fn f() { Utc::now() }",
        "use std::{fmt, time::Instant};",
        "use std::time; fn f() { time::Instant::now() }",
        "async fn f() {}",
        "fn f() { x.await }",
        "use prost_types::Timestamp;",
    ] {
        assert!(!found(source).is_empty(), "not found: {source}");
    }
    for source in ["use chrono::DateTime;", "use tonics::X;", "fn f(tonic: u8, prost: u8) {}"] {
        assert_eq!(found(source), Vec::<String>::new(), "{source}");
    }
}

#[test]
fn a_crate_is_found_behind_a_reexport() {
    let krate = parsed(&[
        ("lib.rs", "pub mod low; pub mod room;"),
        ("low.rs", "pub use tonic::{self as wire, Status as Refusal};"),
        ("room.rs", "use crate::low::Refusal; fn f() { crate::low::wire::f() }"),
    ]);
    let unknown = knowledge::unknown("tonic").expect("a known phrase");
    let found = knowledge::violations(&krate, "room", &unknown);
    assert_eq!(found, ["room.rs: tonic::Status", "room.rs: tonic::f"]);
}

#[test]
fn an_item_is_found_behind_the_name_of_its_room() {
    let unknown = knowledge::unknown("operations").expect("a known phrase");
    let found = |leaf: &str| knowledge::violations(&with_leaf(leaf), "room", &unknown);
    let named = ["room/inner/leaf.rs: crate::service::Operations"];
    assert_eq!(found("use crate::service::{Error, Operations};"), named);
    assert_eq!(found("use crate::service as s; fn f() { s::Operations::f() }").len(), 1);
    assert_eq!(found("use crate::service::Error;"), Vec::<String>::new());
}

#[test]
fn a_room_can_be_limited_to_named_rooms() {
    let unknown = knowledge::unknown("anything but `low` and `endpoint`").expect("rooms");
    let found = |leaf: &str| knowledge::violations(&with_leaf(leaf), "room", &unknown);
    assert_eq!(found("use crate::low::Item; use super::super::inner;"), Vec::<String>::new());
    assert_eq!(found("use crate::high::Item;"), ["room/inner/leaf.rs: crate::high::Item"]);
    assert!(knowledge::unknown("this, that").is_err());
}

#[test]
fn an_import_cycle_is_found_with_its_items() {
    let krate = parsed(&[
        ("lib.rs", "pub mod room;"),
        ("room/mod.rs", "mod a; mod b; mod c; pub use self::{a::A, b::B as Bee};"),
        ("room/a.rs", "use super::Bee; pub struct A(Bee);"),
        ("room/b.rs", "pub struct B; fn f() { super::c::c() }"),
        ("room/c.rs", "use super::*; pub fn c(a: A) {}"),
    ]);
    assert_eq!(
        cycles(&krate, "room"),
        [
            "room/a.rs needs room/b.rs: B\nroom/b.rs needs room/c.rs: c\nroom/c.rs needs room/a.rs: A"
        ]
    );
}

#[test]
fn a_parent_and_a_child_that_use_each_other_are_a_cycle() {
    let with = |parent: &str| {
        let child = "use super::Shared; pub struct Child(Shared); mod tests { use super::*; }";
        let files = [("lib.rs", "pub mod room;"), ("room/mod.rs", parent), ("room/a.rs", child)];
        cycles(&parsed(&files), "room")
    };
    let none = Vec::<String>::new();
    assert_eq!(with("mod a; pub use self::a::Child; pub struct Shared;"), none);
    assert_eq!(with("mod a; pub use self::a::*; pub struct Shared;"), none);
    let circle = ["room/a.rs needs room/mod.rs: Shared\nroom/mod.rs needs room/a.rs: Child"];
    assert_eq!(with("mod a; use self::a::Child; pub struct Shared;"), circle);
    assert_eq!(with("mod a; pub use self::a::Child; pub struct Shared(Child);"), circle);
    assert_eq!(with("mod a; pub use self::a::*; pub struct Shared; fn f(child: Child) {}"), circle);
    assert_eq!(with("mod a; pub struct Shared; fn f() { m!(a::Child::new()) }"), circle);
}
