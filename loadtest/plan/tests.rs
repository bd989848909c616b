//! Plans are read whole, mistakes are named, picks are what they say.

use super::*;

const WHOLE: &str = r#"
name = "whole"
server = ["demo"]
threads = 2
storm = { every_s = 5, share = 0.2 }
[[group]]
sockets = 10
channels = ["trade:*:*"]
per_socket = 3
pick = "random"
encoding = "protobuf"
slow = { share = 0.25, bytes_per_s = 100 }
[[group]]
sockets = 5
channels = "all"
deflate = true
batch = true
"#;

#[test]
fn a_whole_plan_is_read() {
    let plan = Plan::parse(WHOLE).expect("a plan");
    assert_eq!((plan.sockets(), plan.sources()), (15, 1));
    assert_eq!(plan.group_of(9), Some((0, 9)));
    assert_eq!(plan.group_of(10), Some((1, 0)));
    assert_eq!(plan.group_of(15), None);
    assert_eq!(plan.groups[0].encoding, Encoding::Protobuf);
    assert!(plan.storm.expect("a storm").resume);
    let slow: Vec<usize> = (0..10).filter(|nth| plan.groups[0].is_slow(*nth)).collect();
    assert_eq!(slow, [3, 7]);
}

#[test]
fn a_plan_at_another_rate_asks_its_server_for_it() {
    let mut plan = Plan::idle(1, "trade:binance:BTC-USDT", 1.0);
    (plan.rate, plan.burst) = (3_000.0, 30);
    let words = "demo --trades-per-s 3000 --book-updates-per-s 1500 --burst 30 --seed 1";
    plan.server = words.split(' ').map(str::to_owned).collect();
    let plan = plan.at_rate(4_000.0);
    assert_eq!(plan.burst, 40);
    let words = plan.server.join(" ");
    assert_eq!(words, "demo --trades-per-s 4000 --book-updates-per-s 2000 --burst 40 --seed 1");
}

#[test]
fn mistakes_are_named() {
    let base = "name = \"x\"\n[[group]]\nsockets = 1\nchannels = [\"a\"]\n";
    assert!(Plan::parse(base).is_ok());
    for (more, named) in [
        ("typo = 1\n", "typo"),
        ("encoding = \"xml\"\n", "json, msgpack or protobuf"),
        ("slow = { share = 2 }\n", "slow.share"),
        ("[[group]]\nsockets = 0\nchannels = \"some\"\n", "no sockets; group 2: channels"),
        ("[[group]]\nsockets = 1000000\nchannels = \"all\"\n", "sockets: 1 to"),
    ] {
        let error = Plan::parse(&format!("{base}{more}")).expect_err(more);
        assert!(format!("{error:#}").contains(named), "{error:#}");
    }
}

#[test]
fn the_plans_beside_this_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans");
    let mut count = 0;
    for file in std::fs::read_dir(folder).expect("the plans").flatten() {
        let plan = Plan::read(&file.path()).expect("a plan");
        assert!(!plan.server.is_empty(), "{}: what is the server started with?", plan.name);
        count += 1;
    }
    assert!(count >= 12, "{count} plans");
}

#[test]
fn channels_are_picked_in_turn_or_by_seed() {
    let list: Vec<String> = (0..10).map(|n| format!("c{n}")).collect();
    let mut group = Plan::idle(1, "x", 1.0).groups.remove(0);
    assert_eq!(group.channels_of(3, 1, &list).len(), 10);
    group.per_socket = 4;
    assert_eq!(group.channels_of(2, 1, &list), ["c8", "c9", "c0", "c1"]);
    group.pick = Pick::Random;
    let mut picked = group.channels_of(2, 1, &list);
    assert_eq!(picked, group.channels_of(2, 1, &list));
    assert_ne!(picked, group.channels_of(3, 1, &list));
    picked.sort_unstable();
    picked.dedup();
    assert_eq!(picked.len(), 4);
}
