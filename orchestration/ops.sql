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

comment on schema ops is 'Écluse: what every run did';
comment on table ops.runs is 'One row a run: what it was, how it ended, from which commit';
comment on table ops.steps is 'The steps of a run, in order';
comment on table ops.loads is 'One row a source and run: the dlt load ids, which raw rows carry';
comment on table ops.load_tables is 'Rows received from the API and new in raw, table by table';
comment on table ops.nodes is 'One row a dbt node and run';
comment on table ops.test_results is 'One row a dbt test and run, with the rows that failed it';
comment on table ops.freshness is 'The age of each source table when the run looked';
