//! The crawl's bench on the site of the foundation's test, without Scrapy. `cargo xtask test --only crawl` serves the site and
//! names it in the environment: `HANDOVER_SITE`.

#![allow(clippy::unwrap_used, reason = "a test that unwraps shows where it failed")]

use std::process::Command;

use serde_json::Value;

#[test]
fn a_crawl_is_measured_and_says_its_figures() {
    let run = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(["crawl", "--only", "handover", "--short", "--json"])
        .output()
        .unwrap();
    let said = String::from_utf8(run.stdout).unwrap();
    assert!(run.status.success(), "{said}{}", String::from_utf8_lossy(&run.stderr));
    let json: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    let crawl = &json["crawl"];
    assert!(crawl["handover_pages_per_s"].as_f64().unwrap() > 0.0, "{json}");
    assert!(crawl["pages"].as_u64().unwrap() > 500, "{json}");
    #[cfg(target_os = "linux")]
    assert!(crawl["handover_mb"].as_f64().unwrap() > 0.0, "{json}");
}
