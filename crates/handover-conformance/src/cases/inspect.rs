//! Looking: what the inspector shows is what is there, and looking changes nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use handover::{BrokerExt, JobFilter, JobId, JobState, QueueName, QueueSettings, Room};

use crate::case::{Case, Need, Outcome, case};
use crate::check::{holds, same};
use crate::support::{Bench, FAR, text_message};

pub(crate) const CASES: &[Case] = &[
    case!(every_state_is_counted, Need::Inspect, Need::Delays, Need::Keys, Need::Bound),
    case!(queues_are_listed_by_name_with_their_settings, Need::Inspect),
    case!(a_queue_that_is_not_there_is_none, Need::Inspect),
    case!(looking_changes_nothing, Need::Inspect),
    case!(a_job_is_shown_as_it_was_sent, Need::Inspect),
    case!(a_leased_job_shows_its_attempt_token_and_end, Need::Inspect, Need::Timed),
    case!(a_delayed_job_shows_when_it_is_due, Need::Inspect, Need::Delays),
    case!(a_job_that_is_done_is_no_longer_stored, Need::Inspect),
    case!(jobs_are_listed_page_by_page_in_the_order_they_were_sent, Need::Inspect),
    case!(jobs_are_listed_by_state, Need::Inspect, Need::Delays),
    case!(a_page_is_never_longer_than_the_limit_of_all, Need::Inspect),
    case!(what_was_accepted_and_done_is_counted, Need::Inspect, Need::DedupWhileStored),
    case!(the_highest_depth_is_remembered, Need::Inspect),
    case!(waiting_senders_are_counted, Need::Inspect, Need::Bound),
    case!(explain_says_why_a_job_does_not_run, Need::Inspect, Need::Delays, Need::Steer),
    case!(another_handle_sees_the_same, Need::Inspect, Need::Shared),
];

async fn every_state_is_counted(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 5).await?;
    b.send(&queue, &["buried"]).await?;
    b.bury(&b.take(&queue).await?).await?;
    let keyed = |body| text_message(body).with_key("k");
    b.put(&queue, &[keyed("leased"), keyed("held")]).await?;
    let parent = b.take_text(&queue, "leased").await?;
    b.put(&queue, &[text_message("delayed").with_delay(b.short * 4)]).await?;
    b.send(&queue, &["ready", "ready"]).await?;
    let child = text_message("parked");
    b.broker.send_one(&queue, child, Room::now().child_of(parent.receipt)).await?;
    let info = b.info(&queue).await?;
    let counts = JobState::ALL.map(|state| (state, info.count(state)));
    let want = [
        (JobState::Ready, 2),
        (JobState::Delayed, 1),
        (JobState::Held, 1),
        (JobState::Leased, 1),
        (JobState::Parked, 1),
        (JobState::Buried, 1),
    ];
    same("the counts", counts, want)?;
    same("the unsettled", info.depth(), 5)
}

async fn queues_are_listed_by_name_with_their_settings(b: &Bench) -> Outcome {
    let mut settings = QueueSettings::with_capacity(7);
    settings.overdraft = 3;
    settings.remember = Duration::from_secs(90);
    for name in ["zeta", "alpha", "mid"] {
        b.declare(name, &settings).await?;
    }
    let queues = b.inspector()?.queues().await?;
    let names: Vec<_> = queues.iter().map(|info| info.name.as_str()).collect();
    same("the names", names, ["alpha", "mid", "zeta"])?;
    same("the settings", &queues[0].settings, &settings)?;
    holds("it is not paused", !queues[0].paused)
}

async fn a_queue_that_is_not_there_is_none(b: &Bench) -> Outcome {
    let nowhere = QueueName::new("nowhere")?;
    same("the queue", b.inspector()?.queue(&nowhere).await?, None)?;
    same("its jobs", b.inspector()?.jobs(&nowhere, JobFilter::default()).await?.jobs, [])?;
    same("a job", b.inspector()?.job(JobId::new()).await?, None)?;
    same("why it does not run", b.inspector()?.explain(JobId::new()).await?, None)
}

async fn looking_changes_nothing(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let ids = b.send(&queue, &["a", "b"]).await?;
    let before = b.info(&queue).await?;
    for _ in 0..3 {
        b.inspector()?.queues().await?;
        b.inspector()?.jobs(&queue, JobFilter::default()).await?;
        b.inspector()?.job(ids[0]).await?;
        b.inspector()?.explain(ids[0]).await?;
    }
    same("the queue", b.info(&queue).await?, before)?;
    let delivery = b.take(&queue).await?;
    same("the attempt", delivery.attempt, 1)
}

async fn a_job_is_shown_as_it_was_sent(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let message = text_message("body \0\u{1}").with_header("task", "greet");
    b.put(&queue, std::slice::from_ref(&message)).await?;
    let job = b.job(message.id).await?;
    same("the message", &job.message, &message)?;
    same("the queue", &job.queue, &queue)?;
    same("the state", job.state, JobState::Ready)?;
    same("the attempt", job.attempt, 0)?;
    same("the token", job.token, 0)?;
    same("the reason", job.reason, None)
}

async fn a_leased_job_shows_its_attempt_token_and_end(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let ids = b.send(&queue, &["a"]).await?;
    let lease = b.long();
    let delivery = b.take_for(&queue, lease).await?;
    let job = b.job(ids[0]).await?;
    same("the state", job.state, JobState::Leased)?;
    same("the attempt", job.attempt, 1)?;
    same("the token", job.token, delivery.receipt.token)?;
    let due = job.due_in.unwrap_or_default();
    // A whole millisecond more, where the broker rounds up so that no lease ends early.
    let most = lease + Duration::from_millis(1);
    holds(format!("the lease of {lease:?} ends in {due:?}"), due <= most && due > lease / 2)
}

async fn a_delayed_job_shows_when_it_is_due(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let delay = b.short * 4;
    let message = text_message("a").with_delay(delay);
    b.put(&queue, std::slice::from_ref(&message)).await?;
    let job = b.job(message.id).await?;
    same("the state", job.state, JobState::Delayed)?;
    let due = job.due_in.unwrap_or_default();
    // A whole millisecond more, where the broker rounds up so as to be never early.
    let most = delay + Duration::from_millis(1);
    holds(format!("the delay of {delay:?} ends in {due:?}"), due <= most && !due.is_zero())
}

async fn a_job_that_is_done_is_no_longer_stored(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let ids = b.send(&queue, &["a"]).await?;
    b.done(&b.take(&queue).await?).await?;
    same("the job", b.inspector()?.job(ids[0]).await?, None)?;
    same("the jobs", b.inspector()?.jobs(&queue, JobFilter::default()).await?.jobs.len(), 0)
}

async fn jobs_are_listed_page_by_page_in_the_order_they_were_sent(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 30).await?;
    let ids = b.send_many(&queue, 25).await?;
    b.take(&queue).await?;
    let (mut listed, mut after, mut pages) = (Vec::new(), 0, 0);
    loop {
        let filter = JobFilter::default().after(after).limit(10);
        let page = b.inspector()?.jobs(&queue, filter).await?;
        holds("a page is not longer than asked", page.jobs.len() <= 10)?;
        listed.extend(page.jobs.iter().map(|job| job.message.id));
        pages += 1;
        match page.next {
            Some(next) => after = next,
            None => break,
        }
    }
    same("the jobs", listed, ids)?;
    same("the pages", pages, 3)
}

async fn jobs_are_listed_by_state(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 30).await?;
    b.send(&queue, &["leased", "ready"]).await?;
    b.put(&queue, &[text_message("delayed").with_delay(b.short * 4)]).await?;
    let leased = b.take(&queue).await?.message.id;
    for state in JobState::ALL {
        let filter = JobFilter::default().state(Some(state));
        let page = b.inspector()?.jobs(&queue, filter).await?;
        let one = matches!(state, JobState::Leased | JobState::Ready | JobState::Delayed);
        same(format!("how many are {state}"), page.jobs.len(), usize::from(one))?;
        holds("they are in that state", page.jobs.iter().all(|job| job.state == state))?;
        same("the page after", page.next, None)?;
        if state == JobState::Leased {
            same("the leased one", page.jobs[0].message.id, leased)?;
        }
    }
    Ok(())
}

async fn a_page_is_never_longer_than_the_limit_of_all(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 2000).await?;
    b.send_many(&queue, JobFilter::LIMIT_MAX + 20).await?;
    let unsaid = b.inspector()?.jobs(&queue, JobFilter::default()).await?;
    same("a page where nothing is said", unsaid.jobs.len(), 100)?;
    let all = b.inspector()?.jobs(&queue, JobFilter::default().limit(usize::MAX)).await?;
    same("a page of everything", all.jobs.len(), JobFilter::LIMIT_MAX)?;
    let rest = JobFilter::default().after(all.next.unwrap_or_default()).limit(JobFilter::LIMIT_MAX);
    let rest = b.inspector()?.jobs(&queue, rest).await?;
    same("the page after", rest.jobs.len(), 20)?;
    same("and nothing after that", rest.next, None)
}

async fn what_was_accepted_and_done_is_counted(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let message = text_message("a");
    b.put(&queue, &[message.clone(), text_message("b"), text_message("c")]).await?;
    b.broker.send_one(&queue, message, Room::now()).await?;
    b.done(&b.take(&queue).await?).await?;
    b.bury(&b.take(&queue).await?).await?;
    b.retry(&b.take(&queue).await?, Duration::ZERO).await?;
    let info = b.info(&queue).await?;
    same("accepted, repeats not counted", info.accepted, 3)?;
    same("done", info.done, 1)
}

async fn the_highest_depth_is_remembered(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    b.send(&queue, &["a", "b", "c"]).await?;
    for delivery in b.drain_deliveries(&queue).await? {
        b.done(&delivery).await?;
    }
    b.send(&queue, &["d"]).await?;
    let info = b.info(&queue).await?;
    same("the highest depth", info.depth_max, 3)?;
    same("the depth", info.depth(), 1)
}

async fn waiting_senders_are_counted(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 1).await?;
    b.send(&queue, &["a"]).await?;
    same("nobody waits", b.info(&queue).await?.senders_waiting, 0)?;
    let first = b.send_later(&queue, &["b"], Room::within(FAR)).await?;
    let mut second = b.send_later(&queue, &["c"], Room::within(FAR)).await?;
    same("two wait", b.info(&queue).await?.senders_waiting, 2)?;
    first.cancel().await;
    b.done(&b.take(&queue).await?).await?;
    second.answer().await??;
    same("nobody waits any more", b.info(&queue).await?.senders_waiting, 0)
}

async fn explain_says_why_a_job_does_not_run(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let ids = b.send(&queue, &["buried", "leased"]).await?;
    b.bury(&b.take(&queue).await?).await?;
    b.take(&queue).await?;
    let delayed = text_message("delayed").with_delay(b.short * 4);
    b.put(&queue, std::slice::from_ref(&delayed)).await?;
    let states =
        [(ids[0], JobState::Buried), (ids[1], JobState::Leased), (delayed.id, JobState::Delayed)];
    for (id, state) in states {
        let Some(why) = b.inspector()?.explain(id).await? else {
            return holds(format!("there is an explanation of the {state} job"), false);
        };
        same("the state", why.state, state)?;
        holds(format!("there is a reason for the {state} job"), !why.because.is_empty())?;
        let timed = state == JobState::Delayed;
        holds("a delayed job has an earliest time", !timed || why.earliest.is_some())?;
    }
    b.operator()?.pause(&queue, true).await?;
    let ready = b.send(&queue, &["ready"]).await?[0];
    let why = b.inspector()?.explain(ready).await?;
    let said = why.map(|why| why.because.join(" ")).unwrap_or_default();
    holds(format!("it says that the queue is paused: {said:?}"), said.contains("paused"))
}

async fn another_handle_sees_the_same(b: &Bench) -> Outcome {
    let queue = b.queue("mail", 10).await?;
    let ids: BTreeSet<_> = b.send(&queue, &["a", "b"]).await?.into_iter().collect();
    b.take(&queue).await?;
    let other = b.open_another().await?;
    let jobs = other.inspector()?.jobs(&queue, JobFilter::default()).await?.jobs;
    same("the jobs", jobs.iter().map(|job| job.message.id).collect::<BTreeSet<_>>(), ids)?;
    let info = other.inspector()?.queue(&queue).await?;
    same("the leased", info.map(|info| info.leased), Some(1))
}
