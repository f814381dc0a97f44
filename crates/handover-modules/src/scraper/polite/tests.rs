//! Turns and pauses, on a clock that the tests move.

use super::*;
use tokio::time::{advance, timeout};

const SECOND: Duration = Duration::from_secs(1);

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// How long the wait for a turn takes, in virtual milliseconds.
async fn waited(polite: &Politeness, host: &str, crawl_delay: Option<Duration>) -> (u128, Permit) {
    let start = clock::now();
    let permit = polite.acquire(host, crawl_delay).await;
    ((clock::now() - start).as_millis(), permit)
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_for_the_delay_after_the_last_one_ended() {
    let polite = Politeness::new(SECOND);
    let (wait, permit) = waited(&polite, "a", None).await;
    assert_eq!(wait, 0, "the first is admitted at once");
    advance(ms(700)).await; // the request's own time is not part of the pause
    drop(permit);
    advance(ms(400)).await;
    assert_eq!(waited(&polite, "a", None).await.0, 600);
}

#[tokio::test(start_paused = true)]
async fn hosts_do_not_wait_for_each_other() {
    let polite = Politeness::new(SECOND);
    let _a = polite.acquire("a", None).await;
    assert_eq!(waited(&polite, "b", None).await.0, 0);
}

#[tokio::test(start_paused = true)]
async fn the_longer_of_delay_and_crawl_delay_counts() {
    for (crawl_delay, expected) in [(None, 1000), (Some(ms(10)), 1000), (Some(ms(2500)), 2500)] {
        let polite = Politeness::new(SECOND);
        drop(polite.acquire("a", None).await);
        assert_eq!(waited(&polite, "a", crawl_delay).await.0, expected, "{crawl_delay:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_request_at_a_time_in_the_order_of_asking() {
    let polite = Politeness::new(SECOND);
    let held = polite.acquire("a", None).await;
    let (ended, mut ends) = tokio::sync::mpsc::unbounded_channel();
    for n in 0..5 {
        let (polite, ended) = (polite.clone(), ended.clone());
        tokio::spawn(async move {
            let permit = polite.acquire("a", None).await;
            let other = timeout(ms(1), polite.clone().acquire("a", None)).await;
            assert!(other.is_err(), "nobody else is admitted meanwhile");
            drop(permit);
            ended.send((n, clock::now())).unwrap();
        });
        tokio::task::yield_now().await;
    }
    drop(held);
    let mut last: Option<Instant> = None;
    for expected in 0..5 {
        let (n, at) = ends.recv().await.unwrap();
        assert_eq!(n, expected);
        assert!(last.is_none_or(|last| at - last >= SECOND), "a full pause between two");
        last = Some(at);
    }
}

#[tokio::test(start_paused = true)]
async fn several_places_per_host_each_have_their_own_pause() {
    let polite = Politeness::new(SECOND).per_host(2);
    let (first, second) = (polite.acquire("a", None).await, polite.acquire("a", None).await);
    assert!(timeout(ms(1), polite.acquire("a", None)).await.is_err(), "a third waits");
    drop(first);
    advance(ms(400)).await;
    drop(second);
    let (wait, _third) = waited(&polite, "a", None).await;
    assert_eq!(wait, 600, "the place left first is taken first");
    assert_eq!(waited(&polite, "a", None).await.0, 400);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_given_up_changes_nothing_for_the_others() {
    let polite = Politeness::new(SECOND);
    drop(polite.acquire("a", None).await);
    assert!(timeout(ms(300), polite.acquire("a", None)).await.is_err());
    assert_eq!(waited(&polite, "a", None).await.0, 700, "the pause neither starts anew nor ends");
}

#[tokio::test(start_paused = true)]
async fn a_host_that_asks_for_patience_gets_it_up_to_a_minute() {
    let polite = Politeness::new(SECOND);
    let permit = polite.acquire("a", None).await;
    permit.hold_off(5 * SECOND);
    drop(permit);
    let (wait, permit) = waited(&polite, "a", None).await;
    assert_eq!(wait, 5000);
    permit.hold_off(Duration::from_secs(1 << 40));
    drop(permit);
    assert_eq!(waited(&polite, "a", None).await.0, HOLD_OFF_MAX.as_millis());
}

#[tokio::test(start_paused = true)]
async fn the_table_of_hosts_is_bounded_and_no_pause_is_forgotten() {
    let polite = Politeness::new(SECOND).hosts_max(3);
    let busy = polite.acquire("busy", None).await;
    for host in ["a", "b"] {
        drop(polite.acquire(host, None).await);
    }
    assert_eq!(waited(&polite, "c", None).await.0, 1000, "waits until one has rested");
    assert!(polite.hosts() <= 3);
    assert!(timeout(ms(1), polite.acquire("busy", None)).await.is_err(), "still known as busy");
    drop(busy);
}

#[tokio::test(start_paused = true)]
async fn when_all_hosts_are_busy_a_new_one_waits_for_a_permit_to_end() {
    let polite = Politeness::new(Duration::ZERO).hosts_max(1);
    let held = polite.acquire("a", None).await;
    let other = tokio::spawn({
        let polite = polite.clone();
        async move { polite.acquire("b", None).await }
    });
    tokio::task::yield_now().await;
    assert!(!other.is_finished());
    drop(held);
    drop(other.await.unwrap());
    assert_eq!(polite.hosts(), 1);
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_hosts_pass_through_a_table_of_eight() {
    let polite = Politeness::new(Duration::ZERO).hosts_max(8);
    for n in 0..10_000 {
        drop(polite.acquire(&format!("h{n}"), None).await);
        assert!(polite.hosts() <= 8);
    }
}
