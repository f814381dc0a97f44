-- The format, version 1. Times are milliseconds since 1970, as src/file_time.rs tells them. What each table is for:
--   time    what the time of this file is made of
--   queue   settings and exact counters, so that no question about a queue counts rows
--   job     what is stored and not done; where it stands and who has it, in one row
--   body    bodies too large to be rewritten with their row each time it changes hands
--   known   every id that is known: of stored jobs, and of done ones while they are remembered
--   forget  which ids of done jobs to forget, and when; one row for many ids
--   owner   who held a lease, such as host:pid
--   result  outcomes and progress of jobs

-- One row: the offset belongs to one boot of one machine.
CREATE TABLE time (
    boot     TEXT    PRIMARY KEY,
    ahead_ms INTEGER NOT NULL -- the time of the file minus the time since that boot
) STRICT, WITHOUT ROWID;

CREATE TABLE queue (
    id          INTEGER PRIMARY KEY,
    name        TEXT    NOT NULL UNIQUE,
    capacity    INTEGER NOT NULL,
    overdraft   INTEGER NOT NULL,
    exclusive   INTEGER NOT NULL,
    durability  INTEGER,                    -- NULL as the file is opened, 0 process, 1 buffered, 2 synced
    remember_ms INTEGER NOT NULL,
    paused      INTEGER NOT NULL DEFAULT 0,
    ready       INTEGER NOT NULL DEFAULT 0, -- these six: how many jobs are in each state
    leased      INTEGER NOT NULL DEFAULT 0,
    delayed     INTEGER NOT NULL DEFAULT 0,
    held        INTEGER NOT NULL DEFAULT 0,
    parked      INTEGER NOT NULL DEFAULT 0,
    buried      INTEGER NOT NULL DEFAULT 0,
    depth_max   INTEGER NOT NULL DEFAULT 0,
    accepted    INTEGER NOT NULL DEFAULT 0,
    done        INTEGER NOT NULL DEFAULT 0,
    last_seq    INTEGER NOT NULL DEFAULT 0, -- of the youngest job it ever had: no place is given twice in a queue
    last_token  INTEGER NOT NULL DEFAULT 0, -- of the youngest lease it ever gave
    token_synced INTEGER NOT NULL DEFAULT 0, -- what last_token was in the last commit that was to be synced
    seen        INTEGER NOT NULL DEFAULT 0  -- the time of the last change: time does not go back before it
) STRICT;

CREATE TABLE owner (
    id    INTEGER PRIMARY KEY,
    label TEXT    NOT NULL UNIQUE
) STRICT;

-- The columns that change when a job is leased keep their width in bytes (see sql/send.rs), and the body comes last: so a
-- lease overwrites a few bytes in place.
CREATE TABLE job (
    seq      INTEGER PRIMARY KEY,                   -- the order of arrival
    queue    INTEGER NOT NULL REFERENCES queue(id),
    state    INTEGER NOT NULL,                      -- 0 ready, 1 leased, 2 delayed, 3 held, 4 parked, 5 buried
    priority INTEGER NOT NULL,
    due      INTEGER NOT NULL,                      -- not to be taken before; the end of the lease while leased
    attempt  INTEGER NOT NULL,
    token    INTEGER NOT NULL,                      -- of the last lease; negative before the first
    owner    INTEGER NOT NULL REFERENCES owner(id), -- who has the lease, or touched the job last
    sent     INTEGER NOT NULL,
    id       BLOB    NOT NULL,
    key      TEXT,
    reason   TEXT,
    headers  TEXT,                                  -- a JSON object of texts; NULL for none
    body     BLOB                                   -- NULL where it is in the table body
) STRICT;

CREATE INDEX job_ready   ON job(queue, priority DESC, seq) WHERE state = 0;
CREATE INDEX job_leased  ON job(queue, due)                WHERE state = 1;
CREATE INDEX job_delayed ON job(queue, due)                WHERE state = 2;
CREATE INDEX job_key     ON job(queue, key, seq)           WHERE key IS NOT NULL AND state < 4;
CREATE INDEX job_aside   ON job(queue, state, seq)         WHERE state >= 4;

CREATE TABLE body (
    seq   INTEGER PRIMARY KEY REFERENCES job(seq),
    bytes BLOB    NOT NULL
) STRICT;

-- Written once for each job and not touched when it is done: the job is stored while the row at seq has this id.
CREATE TABLE known (
    id    BLOB    PRIMARY KEY,
    queue INTEGER NOT NULL REFERENCES queue(id),
    seq   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE forget (
    until INTEGER NOT NULL,
    queue INTEGER NOT NULL REFERENCES queue(id),
    n     INTEGER NOT NULL, -- tells apart what was done within one millisecond
    ids   BLOB    NOT NULL, -- 16 bytes each
    PRIMARY KEY (until, queue, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE result (
    n       INTEGER PRIMARY KEY AUTOINCREMENT, -- the order in which they were stored
    id      BLOB    NOT NULL UNIQUE,
    queue   TEXT    NOT NULL,
    task    TEXT    NOT NULL,
    status  INTEGER NOT NULL, -- 0 running, 1 failed, 2 done
    attempt INTEGER NOT NULL,
    token   INTEGER NOT NULL,
    output  TEXT,
    reason  TEXT,
    at_ms   INTEGER NOT NULL,
    took_ms INTEGER NOT NULL,
    until   INTEGER NOT NULL  -- kept until then, as whoever stored it was told
) STRICT;

CREATE INDEX result_outcome ON result(queue, n) WHERE status > 0;
CREATE INDEX result_until   ON result(until);
