use super::page;
use crate::circumstances::{Circumstances, Machine};
use crate::fault::Fault;
use crate::judge::Found;
use crate::record::{Budget, Entry, Header, Outcome, Phases, RunReport, StoreReport};
use crate::report::{CampaignReport, DrillReport};
use crate::store::Store;

fn report(platform: &str, ids: &[u64], budget: u64) -> CampaignReport {
    let times = [900_u64, 1000, 1100, 3300, 3400];
    let entry = |(id, at): (u64, &u64)| Entry {
        run: 1,
        store: Store::Postgres,
        id,
        writer: 0,
        begun: *at,
        ended: *at,
        outcome: Outcome::Acknowledged,
    };
    let entries: Vec<Entry> = (0_u64..).zip(&times).map(entry).collect();
    let found = Found {
        ids: ids.to_vec(),
        ordered: false,
    };
    let store = StoreReport {
        phases: Some(Phases {
            detection_ms: Some(700),
            election_ms: Some(600),
            promotion_ms: Some(60),
            rerouting_ms: None,
        }),
        ..StoreReport::of(Store::Postgres, &entries.iter().collect::<Vec<_>>(), Some(&found), 1150)
    };
    let run = RunReport::of(1, vec!["postgres-1".to_owned()], Some(9), vec![store]);
    let budget = [Budget {
        store: Store::Postgres,
        ms: budget,
    }];
    let drills = vec![DrillReport::of(&"postgres".into(), Fault::Kill, vec![run], &budget)];
    let circumstances = Circumstances {
        begun: 1_795_541_600_000,
        version: "1".to_owned(),
        command: vec!["nova".to_owned(), "--html=<a&b>".to_owned()],
        machine: Machine {
            cores: 2,
            memory_bytes: Some(24 << 30),
            kernel: None,
            load: None,
        },
        settings: [("postgres.ttl".to_owned(), "20s".to_owned())].into(),
    };
    let header = Header::new(platform, "local", 7, Some(circumstances));
    CampaignReport::of(&header, "/tmp/x.jsonl", drills)
}

#[test]
fn a_page_tells_everything_in_words_as_well() {
    let passed = page(&report("nova", &[0, 1, 2, 3, 4], 5000));
    for told in [
        "Drill of platform nova: passed",
        "2026-11-24 17:33:20 UTC",
        "2 cores, 24576 MiB of memory",
        "<td class=\"good\">met</td>",
        "<td class=\"number\">2.20 s</td>",
        "<td class=\"number\">700 ms</td>",
        "postgres.ttl",
        "<dd>7</dd>",
    ] {
        assert!(passed.contains(told), "{told}\n{passed}");
    }
    assert!(!passed.contains("Why it failed"), "{passed}");
    let failed = page(&report("nova", &[0, 1, 2, 3], 1000));
    for told in [
        "Drill of platform nova: failed",
        "<td class=\"bad\">exceeded</td>",
        "<td class=\"number bad\">1</td>",
        "acknowledged writes are missing (ids 4)",
    ] {
        assert!(failed.contains(told), "{told}\n{failed}");
    }
}

#[test]
fn nothing_comes_from_elsewhere_and_nothing_breaks_out() {
    let page = page(&report("<script>x</script>", &[], 1));
    for absent in ["<script", "http", "@import", "url(", "--html=<a"] {
        assert!(!page.contains(absent), "{absent}\n{page}");
    }
    assert!(page.contains("nova --html=&lt;a&amp;b&gt;"), "{page}");
}

/// Every element that is opened is closed, in order: what a browser would silently repair is found here.
#[test]
fn elements_are_closed_in_the_order_in_which_they_were_opened() {
    let page = page(&report("nova", &[0], 1));
    let mut open = Vec::new();
    for part in page.split('<').skip(1) {
        let (tag, _) = part.split_once('>').unwrap_or((part, ""));
        let name = tag.split_whitespace().next().unwrap_or_default();
        if let Some(closed) = name.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed), "{part}");
        } else if !(name.starts_with('!') || name == "meta" || tag.ends_with('/')) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
}
