-- The statements of compact.py, in its order; what stands in braces are its names.

-- CUT_OFF: the newest completed load before a moment, and not after another load
select load_id, inserted_at from {loads}
where status = 0 and inserted_at < %s and load_id <= coalesce(%s, load_id)
order by load_id desc limit 1;

-- TABLES of a schema, and whether they keep versions (scd2)
select table_name, bool_or(column_name = '_dlt_valid_to') from information_schema.columns
where table_schema = %s group by table_name;

-- SUPERSEDED: rows of a log, or nested in one, of which the cut-off knew a newer version. Identical
-- rows of one load rank the same and stay or go together, as the rows nested in them do.
(_dlt_load_id, {id}) in (
    select _dlt_load_id, _dlt_id from (
        select _dlt_load_id, _dlt_id, rank() over (
            partition by {key} order by _dlt_load_id desc, {moment}_dlt_id asc
        ) as version_back
        from {log}
        where _dlt_load_id in (select load_id from {loads} where status = 0 and load_id <= {newest})
    ) as versions
    where version_back > 1
);

-- COUNT: rows that go, and all
select (select count(*) from {table} where {outdated}), (select count(*) from {table});
