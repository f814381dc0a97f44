//! Result stores: what is final stays, the later attempt speaks, who waits is woken, and listings are whole.

use std::sync::Arc;
use std::time::Duration;

use handover::{ErrorKind, JobId, Put, QueueName, Record, ResultStore, Status, clock};

use crate::case::{Case, Need, Outcome, Stop, case};
use crate::check::{holds, never_early, refused, same, soon};
use crate::later::Later;
use crate::support::{Bench, FAR};

pub(crate) const CASES: &[Case] = &[
    case!(a_record_comes_back_as_it_was_put, Need::Results),
    case!(a_job_without_a_record_has_none, Need::Results),
    case!(done_is_final_for_results, Need::Results),
    case!(a_failure_gives_way_to_a_later_done, Need::Results),
    case!(a_failure_gives_way_to_a_later_attempt_only, Need::Results),
    case!(progress_is_kept_and_gives_way, Need::Results, Need::Progress),
    case!(progress_never_replaces_an_outcome, Need::Results),
    case!(each_record_of_a_batch_has_its_answer, Need::Results),
    case!(a_wait_is_woken_by_the_outcome, Need::Results),
    case!(a_wait_is_woken_by_a_failure, Need::Results),
    case!(a_wait_is_not_woken_by_progress, Need::Results),
    case!(a_wait_for_nothing_ends_at_its_time, Need::Results),
    case!(a_wait_for_what_is_there_answers_at_once, Need::Results),
    case!(outcomes_are_listed_page_by_page_in_the_order_they_were_stored, Need::Results),
    case!(a_listing_has_only_its_queue, Need::Results),
    case!(an_output_of_the_maximum_is_kept_and_one_byte_more_is_refused, Need::Results),
    case!(a_forgotten_record_is_gone, Need::Results),
    case!(outcomes_are_there_when_the_store_is_opened_again, Need::Results, Need::ResultsReopen),
    case!(a_closed_store_refuses_and_wakes_who_waits, Need::Results),
];

fn mail() -> Result<QueueName, Stop> {
    Ok(QueueName::new("mail")?)
}

fn record(id: JobId, status: Status, token: u64) -> Result<Record, Stop> {
    let mut record = Record::new(id, &mail()?, status);
    record.token = token;
    record.attempt = 1;
    record.output = (status != Status::Failed).then(|| format!("{{\"token\":{token}}}"));
    record.reason = (status == Status::Failed).then(|| format!("token {token} failed"));
    Ok(record)
}

/// Puts one record and answers what became of it.
async fn put(store: &Arc<dyn ResultStore>, record: &Record) -> Result<Put, Stop> {
    match store.put(std::slice::from_ref(record)).await?.as_slice() {
        [put] => Ok(*put),
        answers => Err(Stop::failed(format_args!("one record put, answers {answers:?}"))),
    }
}

async fn a_record_comes_back_as_it_was_put(b: &Bench) -> Outcome {
    let store = b.results()?;
    let mut full = record(JobId::new(), Status::Done, 7)?;
    full.task = "greet".to_owned();
    full.attempt = 3;
    full.output = Some("{\"text\":\"☃ \\n \\u0000 'quoted'\"}".to_owned());
    full.at_ms = 1_700_000_000_123;
    full.took_ms = 45;
    same("the put", put(store, &full).await?, Put::Stored)?;
    same("the record", store.get(full.id).await?.as_ref(), Some(&full))
}

async fn a_job_without_a_record_has_none(b: &Bench) -> Outcome {
    same("the record", b.results()?.get(JobId::new()).await?, None)
}

async fn done_is_final_for_results(b: &Bench) -> Outcome {
    let (store, id) = (b.results()?, JobId::new());
    let first = record(id, Status::Done, 5)?;
    put(store, &first).await?;
    for status in [Status::Done, Status::Failed, Status::Running] {
        let answer = put(store, &record(id, status, 9)?).await?;
        if status != Status::Running {
            same(format!("the put of a later {}", status.as_str()), answer, Put::Kept)?;
        }
        same("the record", store.get(id).await?.as_ref(), Some(&first))?;
    }
    Ok(())
}

async fn a_failure_gives_way_to_a_later_done(b: &Bench) -> Outcome {
    let (store, id) = (b.results()?, JobId::new());
    put(store, &record(id, Status::Failed, 5)?).await?;
    let done = record(id, Status::Done, 6)?;
    same("the put", put(store, &done).await?, Put::Stored)?;
    same("the record", store.get(id).await?, Some(done))
}

async fn a_failure_gives_way_to_a_later_attempt_only(b: &Bench) -> Outcome {
    let (store, id) = (b.results()?, JobId::new());
    let first = record(id, Status::Failed, 5)?;
    put(store, &first).await?;
    same(
        "the put of an earlier one",
        put(store, &record(id, Status::Failed, 4)?).await?,
        Put::Kept,
    )?;
    same("the put of the same one", put(store, &first).await?, Put::Kept)?;
    let later = record(id, Status::Failed, 6)?;
    same("the put of a later one", put(store, &later).await?, Put::Stored)?;
    same("the record", store.get(id).await?, Some(later))
}

async fn progress_is_kept_and_gives_way(b: &Bench) -> Outcome {
    let (store, id) = (b.results()?, JobId::new());
    for token in [1, 1, 2] {
        let progress = record(id, Status::Running, token)?;
        same("the put", put(store, &progress).await?, Put::Stored)?;
        same("the record", store.get(id).await?, Some(progress))?;
    }
    same(
        "progress of a late owner",
        put(store, &record(id, Status::Running, 1)?).await?,
        Put::Kept,
    )?;
    let done = record(id, Status::Done, 2)?;
    same("the put", put(store, &done).await?, Put::Stored)?;
    same("the record", store.get(id).await?, Some(done))
}

async fn progress_never_replaces_an_outcome(b: &Bench) -> Outcome {
    let (store, id) = (b.results()?, JobId::new());
    let done = record(id, Status::Done, 1)?;
    put(store, &done).await?;
    put(store, &record(id, Status::Running, 2)?).await?;
    same("the record", store.get(id).await?, Some(done))
}

async fn each_record_of_a_batch_has_its_answer(b: &Bench) -> Outcome {
    let (store, known) = (b.results()?, JobId::new());
    put(store, &record(known, Status::Done, 1)?).await?;
    let (first, last) = (JobId::new(), JobId::new());
    let batch = [
        record(first, Status::Done, 1)?,
        record(known, Status::Done, 2)?,
        record(last, Status::Failed, 1)?,
        record(last, Status::Done, 2)?,
    ];
    let answers = store.put(&batch).await?;
    same("the answers", answers, [Put::Stored, Put::Kept, Put::Stored, Put::Stored])?;
    same("the last one", store.get(last).await?.map(|record| record.status), Some(Status::Done))
}

/// A wait for this job that has been seen waiting.
async fn wait_later(
    store: &Arc<dyn ResultStore>,
    id: JobId,
) -> Result<Later<handover::Result<Option<Record>>>, Stop> {
    let store = Arc::clone(store);
    let mut waiting = Later::start(async move { store.wait(id, FAR).await });
    waiting.waits().await?;
    Ok(waiting)
}

async fn a_wait_is_woken_by_the_outcome(b: &Bench) -> Outcome {
    let (store, id) = (b.results()?, JobId::new());
    let (mut one, mut two) = (wait_later(store, id).await?, wait_later(store, id).await?);
    let mut other = wait_later(store, JobId::new()).await?;
    let done = record(id, Status::Done, 1)?;
    put(store, &done).await?;
    same("what came", one.answer().await??.as_ref(), Some(&done))?;
    same("what came to another", two.answer().await??.as_ref(), Some(&done))?;
    other.waits().await
}

async fn a_wait_is_woken_by_a_failure(b: &Bench) -> Outcome {
    let (store, id) = (b.results()?, JobId::new());
    let mut waiting = wait_later(store, id).await?;
    let failed = record(id, Status::Failed, 1)?;
    put(store, &failed).await?;
    same("what came", waiting.answer().await??, Some(failed))
}

async fn a_wait_is_not_woken_by_progress(b: &Bench) -> Outcome {
    let (store, id) = (b.results()?, JobId::new());
    put(store, &record(id, Status::Running, 1)?).await?;
    let mut waiting = wait_later(store, id).await?;
    put(store, &record(id, Status::Running, 1)?).await?;
    waiting.waits().await?;
    put(store, &record(id, Status::Done, 1)?).await?;
    same("what came", waiting.answer().await??.map(|record| record.status), Some(Status::Done))
}

async fn a_wait_for_nothing_ends_at_its_time(b: &Bench) -> Outcome {
    let asked = clock::now();
    same("what came", b.results()?.wait(JobId::new(), b.short).await?, None)?;
    never_early("the empty answer", asked.elapsed(), b.short)?;
    soon("the empty answer", asked.elapsed())?;
    same("what comes at once", b.results()?.wait(JobId::new(), Duration::ZERO).await?, None)
}

async fn a_wait_for_what_is_there_answers_at_once(b: &Bench) -> Outcome {
    let (store, id) = (b.results()?, JobId::new());
    let done = record(id, Status::Done, 1)?;
    put(store, &done).await?;
    let asked = clock::now();
    same("what came", store.wait(id, Duration::MAX).await?, Some(done))?;
    soon("it came", asked.elapsed())
}

async fn outcomes_are_listed_page_by_page_in_the_order_they_were_stored(b: &Bench) -> Outcome {
    let (store, queue) = (b.results()?, mail()?);
    let mut stored = Vec::new();
    for n in 0..25 {
        let status = if n % 3 == 0 { Status::Failed } else { Status::Done };
        let outcome = record(JobId::new(), status, n)?;
        put(store, &outcome).await?;
        // Progress is no outcome and is not listed.
        put(store, &record(JobId::new(), Status::Running, n)?).await?;
        stored.push(outcome);
    }
    let (mut listed, mut after) = (Vec::new(), 0);
    loop {
        let (page, next) = store.list(&queue, after, 10).await?;
        holds("a page is not longer than asked", page.len() <= 10)?;
        listed.extend(page);
        match next {
            Some(next) => after = next,
            None => break,
        }
    }
    same("the outcomes", listed, stored)
}

async fn a_listing_has_only_its_queue(b: &Bench) -> Outcome {
    let store = b.results()?;
    let mine = record(JobId::new(), Status::Done, 1)?;
    let other = Record::new(JobId::new(), &QueueName::new("print")?, Status::Done);
    store.put(&[mine.clone(), other]).await?;
    same("the outcomes", store.list(&mail()?, 0, 100).await?, (vec![mine], None))?;
    let nowhere = QueueName::new("nowhere")?;
    same("those of no queue", store.list(&nowhere, 0, 100).await?, (vec![], None))
}

async fn an_output_of_the_maximum_is_kept_and_one_byte_more_is_refused(b: &Bench) -> Outcome {
    let store = b.results()?;
    let most = store.caps().output_bytes_max;
    if most > 128 * 1024 * 1024 {
        return Err(Stop::Ignored(format!("not possible here: output_bytes_max is {most}")));
    }
    let text = |bytes: usize| Some(format!("\"{}\"", "x".repeat(bytes.saturating_sub(2))));
    let mut large = record(JobId::new(), Status::Done, 1)?;
    large.output = text(most);
    same("the put of the maximum", put(store, &large).await?, Put::Stored)?;
    let back = store.get(large.id).await?;
    holds("it comes back", back.and_then(|record| record.output) == large.output)?;
    let good = record(JobId::new(), Status::Done, 1)?;
    let mut larger = record(JobId::new(), Status::Done, 1)?;
    larger.output = text(most + 1);
    let answer = store.put(&[good.clone(), larger]).await;
    refused("one byte more", answer, ErrorKind::Unsupported)?;
    same("the other of the batch", store.get(good.id).await?, None)
}

async fn a_forgotten_record_is_gone(b: &Bench) -> Outcome {
    let (store, id) = (b.results()?, JobId::new());
    put(store, &record(id, Status::Done, 1)?).await?;
    let forgotten = crate::support::owed("forgetting a record", store.forget(id).await)?;
    same("the forget", forgotten, true)?;
    same("the second forget", store.forget(id).await?, false)?;
    same("the record", store.get(id).await?, None)?;
    same("the listing", store.list(&mail()?, 0, 10).await?.0, vec![])?;
    let again = record(id, Status::Failed, 1)?;
    same("the put of another", put(store, &again).await?, Put::Stored)
}

async fn outcomes_are_there_when_the_store_is_opened_again(b: &Bench) -> Outcome {
    let store = b.results()?;
    let (done, failed) =
        (record(JobId::new(), Status::Done, 1)?, record(JobId::new(), Status::Failed, 1)?);
    store.put(&[done.clone(), failed.clone()]).await?;
    let again = b.reopen_results().await?;
    same("the first", again.get(done.id).await?.as_ref(), Some(&done))?;
    same("the second", again.get(failed.id).await?.as_ref(), Some(&failed))?;
    same("a repeat", put(&again, &done).await?, Put::Kept)?;
    same("the listing", again.list(&mail()?, 0, 10).await?.0, vec![done, failed])?;
    again.close().await?;
    Ok(())
}

async fn a_closed_store_refuses_and_wakes_who_waits(b: &Bench) -> Outcome {
    let (store, id) = (b.results()?, JobId::new());
    let mut waiting = wait_later(store, id).await?;
    store.close().await?;
    let closed = ErrorKind::Closed;
    refused("the wait", waiting.answer().await?, closed)?;
    refused("a get", store.get(id).await, closed)?;
    refused("a put", store.put(&[record(id, Status::Done, 1)?]).await, closed)?;
    refused("a listing", store.list(&mail()?, 0, 10).await, closed)?;
    store.close().await?;
    Ok(())
}
