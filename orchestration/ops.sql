-- The run record in the warehouse. Every table joins on run_id; times are UTC.
create schema if not exists ops;

create table if not exists ops.runs (
    run_id text primary key,
    kind text not null,
    status text not null,
    exit_code integer,
    reason text,
    started_at timestamptz not null,
    finished_at timestamptz,
    git_commit text,
    git_dirty boolean,
    versions jsonb,
    host text,
    pid integer
);

create table if not exists ops.steps (
    run_id text not null references ops.runs on delete cascade,
    position integer not null,
    step text not null,
    status text not null,
    detail text,
    started_at timestamptz,
    finished_at timestamptz,
    primary key (run_id, position)
);

create table if not exists ops.loads (
    run_id text not null references ops.runs on delete cascade,
    source text not null,
    dataset text not null,
    load_ids text[] not null,
    schema_hash text,
    retries integer not null,
    error text,
    started_at timestamptz not null,
    finished_at timestamptz,
    primary key (run_id, source)
);

create table if not exists ops.load_tables (
    run_id text not null references ops.runs on delete cascade,
    source text not null,
    table_name text not null,
    endpoint text,
    pages integer not null,
    rows_received bigint not null,
    rows_loaded bigint not null,
    rows_mended bigint not null,
    primary key (run_id, source, table_name)
);

create table if not exists ops.nodes (
    run_id text not null references ops.runs on delete cascade,
    unique_id text not null,
    name text not null,
    resource_type text not null,
    status text not null,
    message text,
    relation text,
    rows_affected bigint,
    seconds double precision not null,
    started_at timestamptz,
    finished_at timestamptz,
    primary key (run_id, unique_id)
);

create table if not exists ops.test_results (
    run_id text not null references ops.runs on delete cascade,
    unique_id text not null,
    name text not null,
    tested text,
    column_name text,
    severity text not null,
    status text not null,
    failures bigint,
    message text,
    seconds double precision not null,
    primary key (run_id, unique_id)
);

create table if not exists ops.freshness (
    run_id text not null references ops.runs on delete cascade,
    source text not null,
    table_name text not null,
    status text not null,
    newest_at timestamptz,
    age_seconds double precision,
    primary key (run_id, source, table_name)
);

-- What readers are served, were served and may be served again. Changed in one transaction with the
-- schemas it speaks of.
create table if not exists ops.versions (
    version integer primary key,
    run_id text, -- no foreign key: a version outlives the record of its run
    git_commit text,
    schema_name text unique, -- null once dropped
    watermark text,
    built_xid text,
    tested_at timestamptz,
    published_at timestamptz,
    replaced_at timestamptz
);

create table if not exists ops.version_marts (
    version integer not null references ops.versions on delete cascade,
    mart text not null,
    masked text[] not null,
    row_count bigint not null,
    checksum text not null,
    primary key (version, mart)
);

create table if not exists ops.switches (
    switched_at timestamptz primary key,
    run_id text not null,
    kind text not null,
    version integer not null references ops.versions,
    replaced integer,
    held boolean not null
);

create table if not exists ops.compactions (
    run_id text not null, -- no foreign key: what is gone is gone, whatever becomes of the record
    source text not null,
    compacted_at timestamptz not null default clock_timestamp(),
    before_load text not null,
    tables jsonb not null,
    primary key (run_id, source)
);

create table if not exists ops.metrics (
    run_id text not null references ops.runs on delete cascade,
    table_name text not null,
    column_name text not null, -- empty for a metric of the table
    metric text not null,
    value double precision not null,
    at timestamptz not null,
    state text, -- null where it is not judged
    expected double precision,
    low double precision,
    high double precision,
    score double precision,
    primary key (run_id, table_name, column_name, metric)
);

create table if not exists ops.drift_events (
    accepted_at timestamptz not null default clock_timestamp(),
    run_id text not null, -- no foreign key: what was decided outlives the record of the run
    table_name text not null,
    column_name text not null,
    metric text not null,
    value double precision not null,
    primary key (run_id, table_name, column_name, metric)
);

-- One row a cause as long as it lasts: the index keeps a second one from being opened.
create table if not exists ops.incidents (
    id integer generated always as identity primary key,
    key text not null,
    kind text not null,
    severity text not null,
    state text not null,
    title text not null,
    owner text,
    nodes text[] not null,
    details jsonb not null,
    size double precision not null,
    unit text not null,
    runs_seen integer not null,
    told_severity text, -- as the last alert said it; null before the first
    told_size double precision,
    opened_at timestamptz not null,
    opened_by text not null, -- runs: no foreign key, an incident outlives the record of its run
    seen_at timestamptz not null,
    seen_by text not null,
    muted_until timestamptz,
    resolved_at timestamptz,
    resolved_by text
);
create unique index if not exists one_open_incident_a_cause
on ops.incidents (key) where state <> 'resolved';

create table if not exists ops.incident_events (
    incident integer not null references ops.incidents on delete cascade,
    at timestamptz not null,
    event text not null,
    by text not null, -- a run, or a person
    note text,
    size double precision
);
create index if not exists events_of_an_incident on ops.incident_events (incident);

create table if not exists ops.alerts (
    id integer generated always as identity primary key,
    incident integer references ops.incidents on delete cascade,
    recipient text not null, -- the name of a channel, never its URL
    title text not null,
    body text not null,
    event text not null,
    queued_at timestamptz not null default clock_timestamp(),
    attempts integer not null default 0,
    problem text,
    sent_at timestamptz,
    given_up_at timestamptz
);

create table if not exists ops.scores (
    run_id text not null references ops.runs on delete cascade,
    mart text not null,
    at timestamptz not null,
    score double precision not null,
    checks integer not null,
    tests_passed integer not null,
    tests_run integer not null,
    freshness text,
    drifts integer not null,
    primary key (run_id, mart)
);

create table if not exists ops.lineage_edges (
    graph text not null, -- ops.runs.lineage names it; runs of the same models share one
    from_node text not null,
    from_column text, -- null: the rows as such
    to_node text not null,
    to_column text, -- null: which rows there are
    kind text not null
);
create index if not exists lineage_edges_graph on ops.lineage_edges (graph);

create table if not exists ops.slots (
    id integer generated always as identity primary key,
    cause text not null, -- schedule, webhook, or the name of a sensor
    due_at timestamptz not null,
    local_time text not null,
    not_before timestamptz not null,
    status text not null,
    attempts integer not null default 0,
    run_ids text[] not null,
    claimed_by text,
    claimed_at timestamptz, -- by the server's clock; the others are the scheduler's
    begun_at timestamptz,
    ended_at timestamptz,
    exit_code integer,
    note text,
    unique (cause, due_at)
);
create index if not exists slots_open on ops.slots (not_before) where status in ('waiting', 'running');

create table if not exists ops.triggers (
    name text primary key,
    state text,
    at timestamptz not null,
    problem text
);

-- runs whose stages are commands of their own: what the next one has to know
create table if not exists ops.stages (
    run_id text primary key references ops.runs on delete cascade,
    state jsonb not null,
    closed boolean not null,
    touched_at timestamptz not null
);

alter table ops.steps add column if not exists retries text[] not null default '{}';
alter table ops.test_results add column if not exists stored_in text;
alter table ops.loads add column if not exists changes text[] not null default '{}';
alter table ops.loads add column if not exists warned text[] not null default '{}';
alter table ops.load_tables add column if not exists rows_rejected bigint not null default 0;
alter table ops.load_tables add column if not exists rows_released bigint not null default 0;
alter table ops.runs add column if not exists lineage text;
alter table ops.load_tables add column if not exists query text;

comment on table ops.runs is 'One row a run: what it was, how it ended, from which commit';
comment on table ops.steps is 'The steps of a run, in order';
comment on table ops.loads is 'One row a source and run: the dlt load ids, which raw rows carry; columns that came or changed';
comment on table ops.load_tables is 'Rows received from the API, rejected, released from the quarantine and new in raw, table by table';
comment on table ops.nodes is 'One row a dbt node and run';
comment on table ops.test_results is 'One row a dbt test and run, with the rows that failed it';
comment on table ops.freshness is 'The age of each source table when the run looked';
comment on table ops.versions is 'One row a version of the marts: who built it, from which newest load, where it stands';
comment on table ops.version_marts is 'The marts of a version, with a checksum of their rows when they had passed their tests';
comment on table ops.switches is 'Each time the marts changed for readers: a publication or a rollback';
comment on table ops.compactions is 'Each time history was removed from raw: what load before_load superseded, rows by table';
comment on table ops.metrics is 'What each run measured of its tables, and whether it was out of the ordinary';
comment on table ops.lineage_edges is 'Which column comes from which: direct, its value; indirect, only which rows there are';
comment on table ops.drift_events is 'The new levels that a person has accepted';
comment on table ops.incidents is 'What is or was wrong, one row a cause: open, acknowledged, muted or resolved';
comment on table ops.incident_events is 'What became of each incident, in order: by which run, or by whom';
comment on table ops.alerts is 'The alerts that were sent and those that wait for their channel';
comment on table ops.stages is 'The runs whose stages are commands of their own, and whether they are over';
comment on table ops.scores is 'The share of the checks of each mart that a run passed, in percent';
comment on table ops.slots is 'When a run was due, by the clock, a call or new data, and what became of it';
comment on table ops.triggers is 'The last slot of the schedule, and what each sensor saw last';
