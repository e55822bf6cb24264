-- Who may do what in this warehouse: for a superuser, or the owner of the database with CREATEROLE.
-- Safe to run again; what others were granted stays.
begin;
set local lock_timeout = '30s';
set local client_min_messages = warning;

do $$
declare
    role text;
begin
    foreach role in array array['{loader}', '{transformer}', '{reader}', '{pii}'] loop
        if to_regrole(role) is null then
            execute format('create role %I nologin', role);
        end if;
        execute format('grant connect on database %I to %I', current_database(), role);
    end loop;
    if not pg_has_role('{pii}', '{reader}', 'member') then
        grant {reader} to {pii};
    end if;
    -- for new schemas: of a source, of models, of versions
    execute format(
        'grant create, temporary on database %I to {loader}, {transformer}', current_database()
    );
    if not has_database_privilege('{transformer}', current_database(), 'create') then
        raise insufficient_privilege using message = format(
            'permission denied for database %I: only its owner can let others create schemas',
            current_database()
        );
    end if;
    -- for publication, which waits for the snapshots of other sessions
    begin
        if not pg_has_role('{transformer}', 'pg_read_all_stats', 'member') then
            grant pg_read_all_stats to {transformer};
        end if;
    exception when insufficient_privilege then
        raise warning 'pg_read_all_stats was not granted to {transformer}: a superuser can';
    end;
end
$$;

----
-- What stands there already, as far as it is the caller's to give.
do $$
declare
    statement text;
begin
    for statement in
        with schemas as (
            select oid, nspname, nspowner, nspacl,
                case when nspname like 'raw\_%' then '{loader}' else '{transformer}' end as keeper,
                case when nspname like 'raw\_%' then {hand_over_raw} else {hand_over_models} end as handed_over
            from pg_namespace
            where (nspname like any (array['raw\_%', 'marts\_\_%', 'replay\_%'])
                   or nspname in ('staging', 'intermediate', 'marts', 'ops', 'quarantine'))
                and pg_has_role(nspowner, 'usage')
        ),
        relations as (
            select s.nspname, s.keeper, s.handed_over, c.relowner, c.relacl,
                format('%I.%I', s.nspname, c.relname) as name,
                case c.relkind when 'v' then 'view' when 'm' then 'materialized view' else 'table' end as kind
            from pg_class as c join schemas as s on s.oid = c.relnamespace
            where c.relkind in ('r', 'p', 'v', 'm') and pg_has_role(c.relowner, 'usage')
        )
        select format('alter schema %I owner to %I', nspname, keeper) from schemas
        where handed_over and nspowner <> to_regrole(keeper)::oid and pg_has_role(keeper, 'usage')
        union all
        select format('alter %s %s owner to %I', kind, name, keeper) from relations
        where handed_over and relowner <> to_regrole(keeper)::oid and pg_has_role(keeper, 'usage')
        union all
        select format('revoke all on schema %I from public', nspname) from schemas
        where nspname <> 'marts' and exists (select from aclexplode(nspacl) where grantee = 0)
        union all
        select format('revoke all on %s from public', name) from relations
        where nspname <> 'marts' and exists (select from aclexplode(relacl) where grantee = 0)
        union all
        select format('grant usage on schema %I to {transformer}', nspname) from schemas
        where nspname like 'raw\_%'
        union all
        select format('grant select on %s to {transformer}', name) from relations
        where nspname like 'raw\_%'
        union all
        select 'grant usage on schema marts to {reader}' from schemas where nspname = 'marts'
        union all
        -- kept versions too: a rollback brings them back; nobody but the owner may enter them
        select format('grant select on %s to {reader}', name) from relations
        where nspname ~ '^marts(__next|__v[0-9]+)?$'
    loop
        execute statement;
    end loop;
end
$$;

----
-- What somebody else has still to give, in sentences.
with schemas as (
    select nspname, pg_get_userbyid(nspowner) as owner, nspowner,
        case when nspname like 'raw\_%' then '{loader}' else '{transformer}' end as keeper
    from pg_namespace
    where nspname like any (array['raw\_%', 'marts\_\_%'])
        or nspname in ('staging', 'intermediate', 'marts', 'ops')
)
select format(
    'schema %s belongs to %s: members of %s cannot write it (with --loader and --transformer a '
    'superuser hands it over)', nspname, owner, keeper
)
from schemas
where not pg_has_role(nspowner, keeper, 'usage') and not pg_has_role(keeper, nspowner, 'usage')
union all
select format('{transformer} cannot read %s until its owner %s has loaded again', nspname, owner)
from schemas
where nspname like 'raw\_%' and not has_schema_privilege('{transformer}', nspname, 'usage')
union all
select format('{reader} cannot read marts until its owner %s has published again', owner)
from schemas
where nspname = 'marts' and not has_schema_privilege('{reader}', nspname, 'usage')
union all
select 'publication cannot wait for the snapshots of others: let a superuser run '
    'GRANT pg_read_all_stats TO {transformer};'
where not pg_has_role('{transformer}', 'pg_read_all_stats', 'usage')
