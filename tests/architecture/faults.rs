//! The table of faults in ARCHITECTURE.md tells the truth: every row is there, and whatever it names
//! exists. A test by its name, once; a kind of chaos in the plan and in what CI runs.

use super::code::words;
use super::source::{Language, Place, Source};

/// Rows that must be there.
const ROWS: [&str; 15] = [
    "D01", "D02", "D03", "D04", "D05", "D06", "D07", "D08", "D09", "D10", "D11", "D12", "D17",
    "D18", "D19",
];
const TABLE: &str = "ARCHITECTURE.md";
const PLAN: &str = "tests/checker/chaos/plan.rs";
const CI: &str = ".ci/run";

/// Every place where the table promises what is not there.
pub(crate) fn check(sources: &[Source]) -> Vec<Place> {
    let of = |path: &str| {
        let found = sources.iter().find(|source| source.path == path);
        found.unwrap_or_else(|| panic!("{path} is missing"))
    };
    let (table, plan, ci) = (of(TABLE), of(PLAN), of(CI));
    let (mut broken, mut rows) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(table.text.lines()) {
        let mut cells = line.split('|').map(str::trim);
        let Some(row) = cells.nth(1).filter(|row| is_row(row)) else { continue };
        rows.push(row);
        let Some(shown) = cells.nth(1) else {
            broken.push(table.place(number, format!("{row} shows nothing")));
            continue;
        };
        let tests: Vec<&str> = between(shown, '`').collect();
        if tests.is_empty() {
            broken.push(table.place(number, format!("{row} names no test")));
        }
        for test in tests.iter().filter(|test| count(sources, test) != 1) {
            let rule = format!("{row}: {} tests are named {test}", count(sources, test));
            broken.push(table.place(number, rule));
        }
        for kind in between(shown, '*') {
            let in_plan = words(&plan.code, kind).next().is_some();
            let in_ci = ci.text.contains(&kebab(kind));
            if !(in_plan && in_ci) {
                broken.push(table.place(number, format!("{row}: no chaos of the kind {kind}")));
            }
        }
    }
    let missing = ROWS.iter().filter(|row| !rows.contains(row));
    broken.extend(missing.map(|row| table.place(1, format!("{row} is not in the table"))));
    broken
}

/// `D` and two digits.
fn is_row(cell: &str) -> bool {
    let digits = cell.strip_prefix('D').unwrap_or_default();
    digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// What stands between pairs of a mark.
fn between(text: &str, mark: char) -> impl Iterator<Item = &str> {
    text.split(mark).skip(1).step_by(2)
}

/// Functions of this name right under a test attribute.
fn count(sources: &[Source], name: &str) -> usize {
    let rust = sources.iter().filter(|source| source.language == Language::Rust);
    let in_file = |source: &Source| {
        let is_test = |at: &usize| {
            let before = source.code[..*at].trim_end();
            let before = before.strip_suffix("fn").unwrap_or_default().trim_end();
            let before = before.strip_suffix("async").unwrap_or(before).trim_end();
            let attribute = before.rsplit('\n').next().unwrap_or_default().trim();
            attribute == "#[test]" || attribute.starts_with("#[tokio::test")
        };
        words(&source.code, name).filter(is_test).count()
    };
    rust.map(in_file).sum()
}

/// `GatewayKill` as it is written on a command line.
fn kebab(kind: &str) -> String {
    let mut out = String::new();
    for letter in kind.chars() {
        if letter.is_ascii_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(table: &str) -> Vec<Source> {
        let source = |path: &str, text: &str| Source::new(path.into(), text.into());
        vec![
            source(TABLE, table),
            source(PLAN, "enum Kind { GatewayKill }"),
            source(CI, "run --only gateway-kill,broker-kill"),
            source(
                "a.rs",
                "#[test]\nfn one() {}\n#[tokio::test(x)]\nasync fn two() {}\nfn no() {}",
            ),
        ]
    }

    fn told(row: &str) -> Vec<String> {
        let mut rows: Vec<String> = ROWS.map(|id| format!("| {id} | x | `one` |")).into();
        rows[0] = row.to_owned();
        let places = check(&sources(&rows.join("\n")));
        places.into_iter().map(|place| place.rule).collect()
    }

    #[test]
    fn a_table_that_rots_is_seen() {
        assert_eq!(told("| D01 | x | `one`, `two`; *GatewayKill* |"), Vec::<String>::new());
        assert_eq!(told("| D01 | x | `gone` |"), ["D01: 0 tests are named gone"]);
        assert_eq!(told("| D01 | x | `no` |"), ["D01: 0 tests are named no"]);
        assert_eq!(told("| D01 | x | *GatewayKill* |"), ["D01 names no test"]);
        let unplanned = ["D01: no chaos of the kind BrokerKill"];
        assert_eq!(told("| D01 | x | `one`; *BrokerKill* |"), unplanned);
        assert_eq!(told("nothing"), ["D01 is not in the table"]);
    }
}
