//! Every statement the writer runs, in one list, prepared once. What they mean together is in the files beside this one.
//!
//! No statement here may scan a table or sort: a test asks SQLite for the plan of each.
//!
//! What writes many rows says `OR ROLLBACK`. Without it SQLite keeps a copy of every page that the statement touches, to undo
//! the statement alone if a row is refused; here a statement that fails fails the transaction. For the same reason
//! `job_add_rows` names no place for its rows: to a row with a place SQLite always keeps that copy.

use rusqlite::{Connection, PrepFlags, Statement};

macro_rules! statements {
    ($($name:ident = $text:expr;)*) => {
        /// The writer's statements, prepared on its connection.
        pub(crate) struct Statements<'c> {
            $(pub(crate) $name: Statement<'c>,)*
        }

        impl<'c> Statements<'c> {
            pub(crate) fn prepare(connection: &'c Connection) -> rusqlite::Result<Self> {
                // Marked as long-lived, they leave SQLite's pool of small memory to what statements need while they run.
                let flags = PrepFlags::SQLITE_PREPARE_PERSISTENT;
                Ok(Self { $($name: connection.prepare_with_flags($text, flags)?,)* })
            }
        }

        #[cfg(test)]
        pub(crate) const ALL: &[(&str, &str)] = &[$((stringify!($name), $text),)*];
    };
}

/// The columns of a queue, as [`super::queue::Row::read`] takes them.
macro_rules! queue_columns {
    () => {
        "SELECT id, name, capacity, overdraft, exclusive, durability, remember_ms, paused, ready, leased, delayed, held,
            parked, buried, depth_max, accepted, done, last_seq, last_token, token_synced FROM queue"
    };
}
/// The columns of a result, as [`super::results::read`] takes them, and its place in the order after them.
macro_rules! result_columns {
    () => {
        "SELECT id, queue, task, status, attempt, token, output, reason, at_ms, took_ms, n FROM result"
    };
}
/// How many rows the statements write that write several: enough that what each statement costs is spread thin.
pub(crate) const ROWS: usize = 16;
/// One of the rows of `job_add_rows`: its number, and where its priority, id, headers and body are among the parameters.
/// Those before them are the same for all rows, or count on from the first.
macro_rules! job_row {
    ($n:literal, $priority:literal, $id:literal, $headers:literal, $body:literal) => {
        concat!(
            "(?1, ?2, ?",
            $priority,
            ", ?3, ?4, ?7 + ",
            $n,
            " * ?8, ?5, ?6, ?",
            $id,
            ", NULL, ?",
            $headers,
            ", ?",
            $body,
            ")"
        )
    };
}
pub(crate) const QUEUE_COLUMNS: &str = queue_columns!();
pub(crate) const RESULT_COLUMNS: &str = result_columns!();

statements! {
    begin = "BEGIN IMMEDIATE";
    begin_read = "BEGIN";
    commit = "COMMIT";
    version = "PRAGMA user_version";
    time_ahead = "SELECT ahead_ms FROM time LIMIT 1";

    queue_by_name = concat!(queue_columns!(), " WHERE name = ?1");
    queue_name = "SELECT name FROM queue WHERE id = ?1";
    queue_add = "INSERT INTO queue (name, capacity, overdraft, exclusive, durability, remember_ms)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    queue_change = "UPDATE queue SET capacity = ?2, overdraft = ?3, exclusive = ?4, durability = ?5, remember_ms = ?6,
        paused = ?7 WHERE id = ?1";
    queue_count = "UPDATE queue SET ready = ?2, leased = ?3, delayed = ?4, held = ?5, parked = ?6, buried = ?7,
        depth_max = ?8, accepted = ?9, done = ?10, last_seq = ?11, last_token = ?12,
        token_synced = ?13, seen = ?14 WHERE id = ?1";

    owner_find = "SELECT id FROM owner WHERE label = ?1";
    owner_add = "INSERT INTO owner (id, label) SELECT coalesce(max(id), 1) + 1, ?1 FROM owner RETURNING id";

    known_add = "INSERT INTO known (id, queue, seq) VALUES (?1, ?2, ?3) ON CONFLICT (id) DO NOTHING";
    known_add_rows = "INSERT OR ROLLBACK INTO known (id, queue, seq) VALUES
        (?3, ?1, ?2 + 0), (?4, ?1, ?2 + 1), (?5, ?1, ?2 + 2), (?6, ?1, ?2 + 3), (?7, ?1, ?2 + 4),
        (?8, ?1, ?2 + 5), (?9, ?1, ?2 + 6), (?10, ?1, ?2 + 7), (?11, ?1, ?2 + 8), (?12, ?1, ?2 + 9),
        (?13, ?1, ?2 + 10), (?14, ?1, ?2 + 11), (?15, ?1, ?2 + 12), (?16, ?1, ?2 + 13), (?17, ?1, ?2 + 14),
        (?18, ?1, ?2 + 15)
        ON CONFLICT (id) DO NOTHING";
    known_unclaim = "DELETE FROM known WHERE id = ?1 AND queue = ?2 AND seq = ?3";
    known_get = "SELECT queue, seq FROM known WHERE id = ?1";
    known_drop = "DELETE FROM known WHERE id = ?1";
    forget_add = "INSERT INTO forget (until, queue, n, ids) VALUES (?1, ?2, ?3, ?4)";
    forget_next = "SELECT until, queue, n FROM forget ORDER BY until LIMIT 1";
    forget_ids = "SELECT ids FROM forget WHERE until = ?1 AND queue = ?2 AND n = ?3";
    forget_drop = "DELETE FROM forget WHERE until = ?1 AND queue = ?2 AND n = ?3";

    seq_last = "SELECT coalesce(max(seq), 0) FROM job";
    job_add = "INSERT INTO job (seq, queue, state, priority, due, attempt, token, owner, sent, id, key, headers, body)
        VALUES (?1, ?2, ?3, ?4, ?5, ?13, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    job_add_rows = concat!("INSERT OR ROLLBACK INTO job (queue, state, priority, due, attempt, token, owner, sent, id, key, headers, body) VALUES ",
        job_row!(0, 9, 10, 11, 12), ", ",
        job_row!(1, 13, 14, 15, 16), ", ",
        job_row!(2, 17, 18, 19, 20), ", ",
        job_row!(3, 21, 22, 23, 24), ", ",
        job_row!(4, 25, 26, 27, 28), ", ",
        job_row!(5, 29, 30, 31, 32), ", ",
        job_row!(6, 33, 34, 35, 36), ", ",
        job_row!(7, 37, 38, 39, 40), ", ",
        job_row!(8, 41, 42, 43, 44), ", ",
        job_row!(9, 45, 46, 47, 48), ", ",
        job_row!(10, 49, 50, 51, 52), ", ",
        job_row!(11, 53, 54, 55, 56), ", ",
        job_row!(12, 57, 58, 59, 60), ", ",
        job_row!(13, 61, 62, 63, 64), ", ",
        job_row!(14, 65, 66, 67, 68), ", ",
        job_row!(15, 69, 70, 71, 72));
    job_get = "SELECT id, queue, state, token, due, key, body IS NULL FROM job WHERE seq = ?1";
    job_drop = "DELETE FROM job WHERE seq = ?1";
    job_done = "DELETE FROM job WHERE seq = ?1 AND queue = ?2 AND state = 1 AND token = ?3 AND due > ?4 AND id = ?5
        AND key IS NULL AND body IS NOT NULL";
    job_is = "SELECT 1 FROM job WHERE seq = ?1 AND id = ?2";
    run_ids = "SELECT id FROM job NOT INDEXED WHERE seq BETWEEN ?1 AND ?2 AND queue = ?3 AND state = 1
        AND token = seq + ?4 AND due > ?5 AND key IS NULL AND body IS NOT NULL ORDER BY seq";
    run_drop = "DELETE FROM job WHERE seq BETWEEN ?1 AND ?2";
    run_lease = "UPDATE OR ROLLBACK job SET state = 1, due = ?3, attempt = attempt + 1, token = seq + ?4, owner = ?5
        WHERE seq BETWEEN ?1 AND ?2";
    job_take = "SELECT seq, id, priority, attempt, sent, key, reason, headers, body FROM job INDEXED BY job_ready
        WHERE queue = ?1 AND state = 0 ORDER BY priority DESC, seq LIMIT ?2";
    job_lease = "UPDATE job SET state = 1, due = ?2, attempt = attempt + 1, token = ?3, owner = ?4 WHERE seq = ?1";
    job_extend = "UPDATE job SET due = ?2 WHERE seq = ?1";
    job_place = "UPDATE job SET state = ?2, due = ?3 WHERE seq = ?1";
    job_retry = "UPDATE job SET state = ?2, due = ?3, reason = ?4 WHERE seq = ?1";
    job_release = "UPDATE job SET state = ?2, due = ?3, attempt = max(attempt - 1, 0) WHERE seq = ?1";
    job_kick = "UPDATE job SET state = ?2, due = ?3, attempt = 0 WHERE seq = ?1";
    job_bury = "UPDATE job SET state = 5, reason = ?2 WHERE seq = ?1";
    job_ran_out = "UPDATE job SET state = 0, reason = 'the lease of attempt ' || attempt || ' ran out before it was settled'
        WHERE seq = ?1";

    due_list = "SELECT seq, state, due, key FROM job INDEXED BY job_leased WHERE queue = ?1 AND state = 1 AND due <= ?2
        UNION ALL SELECT seq, state, due, key FROM job INDEXED BY job_delayed WHERE queue = ?1 AND state = 2 AND due <= ?2
        ORDER BY due LIMIT ?3";
    due_next = "SELECT due FROM job INDEXED BY job_leased WHERE queue = ?1 AND state = 1
        UNION ALL SELECT due FROM job INDEXED BY job_delayed WHERE queue = ?1 AND state = 2 ORDER BY due LIMIT 1";
    key_active = "SELECT 1 FROM job INDEXED BY job_key
        WHERE queue = ?1 AND key = ?2 AND key IS NOT NULL AND state < 4 LIMIT 1";
    key_front = "SELECT seq, state, due FROM job INDEXED BY job_key
        WHERE queue = ?1 AND key = ?2 AND key IS NOT NULL AND state < 4 AND state <> 3 LIMIT 1";
    key_next = "SELECT seq, due FROM job INDEXED BY job_key
        WHERE queue = ?1 AND key = ?2 AND key IS NOT NULL AND state < 4 AND state = 3 ORDER BY seq LIMIT 1";
    parked_list = "SELECT seq, due, key FROM job INDEXED BY job_aside
        WHERE queue = ?1 AND state >= 4 AND state = 4 ORDER BY seq LIMIT ?2";
    buried_list = "SELECT seq, key FROM job INDEXED BY job_aside
        WHERE queue = ?1 AND state >= 4 AND state = 5 ORDER BY seq LIMIT ?2";

    body_add = "INSERT INTO body (seq, bytes) VALUES (?1, ?2)";
    body_get = "SELECT bytes FROM body WHERE seq = ?1";
    body_drop = "DELETE FROM body WHERE seq = ?1";

    result_get = concat!(result_columns!(), " WHERE id = ?1");
    result_newer = "SELECT n, id FROM result WHERE n > ?1 ORDER BY n LIMIT ?2";
    result_last = "SELECT coalesce(max(n), ?1) FROM result WHERE n > ?1";
    result_drop = "DELETE FROM result WHERE id = ?1";
    result_add = "INSERT INTO result (id, queue, task, status, attempt, token, output, reason, at_ms, took_ms, until)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    result_next = "SELECT n, until FROM result INDEXED BY result_until ORDER BY until LIMIT 1";
    result_expire = "DELETE FROM result WHERE n = ?1";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_statement_of_the_writer_scans_a_table_or_sorts() {
        let mut connection = Connection::open_in_memory().unwrap();
        crate::schema::migrate(&mut connection).unwrap();
        for (name, text) in ALL {
            // BEGIN, COMMIT and PRAGMA have no plan.
            let Ok(mut plan) = connection.prepare(&format!("EXPLAIN QUERY PLAN {text}")) else {
                continue;
            };
            let mut lines = plan.raw_query();
            while let Some(line) = lines.next().unwrap() {
                let Ok(line) = line.get::<_, String>(3) else { continue };
                let scans =
                    line.starts_with("SCAN") && !from_memory(&line) && !first_row_only(name);
                assert!(!scans && !line.contains("TEMP B-TREE"), "{name}: {line}");
            }
        }
    }

    /// Rows that are in the statement itself.
    fn from_memory(line: &str) -> bool {
        line.contains("CONSTANT") || line.contains("VALUES")
    }

    /// Statements that walk from one end of a table and stop at the first row.
    fn first_row_only(name: &str) -> bool {
        matches!(name, "time_ahead" | "seq_last" | "owner_add" | "forget_next" | "result_next")
    }
}
