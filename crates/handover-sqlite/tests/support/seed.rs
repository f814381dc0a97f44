//! The two knobs of the long tests: the seed, which plays a run again, and how long the run is.

/// Whether the longer forms are asked for: `HANDOVER_LONG` is set, and neither empty nor 0.
pub(crate) fn is_long() -> bool {
    std::env::var("HANDOVER_LONG").is_ok_and(|long| !matches!(&*long, "" | "0"))
}

/// Randomness that says where it came from: `HANDOVER_SEED` plays it again.
#[allow(clippy::print_stdout, reason = "it is shown where the test fails")]
pub(crate) fn random(test: &str) -> fastrand::Rng {
    let given = std::env::var("HANDOVER_SEED").ok().map(|seed| seed.parse().unwrap());
    let seed = given.unwrap_or_else(|| fastrand::u64(..1 << 40));
    println!("{test}: HANDOVER_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}
