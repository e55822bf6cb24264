{#
  Raw keeps history; these macros pick the current rows out of it. How raw is stored (an append-only
  log, or scd2 with a validity range) is known here and nowhere else: moving raw to files, or
  building the shop as it stood after some earlier load (var as_of_load), changes this file only.
#}

{#
  The loads that may be read. A load is several transactions; only its row in _dlt_loads says that
  all of them arrived. Load ids are unix times of equal length, so they sort as text.
#}
{% macro completed_loads(source_name, column='load_id') -%}
    select {{ column }} from {{ source(source_name, '_dlt_loads') }}
    where
        status = 0
        {% if var('as_of_load', none) is not none -%}
        and load_id <= '{{ var("as_of_load") }}'
        {% endif -%}
{%- endmacro %}

{#
  The newest version of each key among the rows of completed loads. Of two versions in one load the
  one with the greater `newest` counts, where the rows have such a column. Otherwise they have no
  order of their own, so the row hash decides, to give the same answer every time.
#}
{% macro newest_versions(source_name, table, key, condition=none, newest=none) -%}
    select * from (
        select
            *,
            row_number() over (
                partition by {{ key | join(', ') }}
                order by
                    _dlt_load_id desc,
                    {% if newest is not none -%}
                    {{ newest }} desc nulls last,
                    {% endif -%}
                    _dlt_id asc
            ) as _version_back
        from {{ source(source_name, table) }}
        where
            _dlt_load_id in ({{ completed_loads(source_name) }})
            {% if condition is not none -%}
            and ({{ condition }})
            {% endif -%}
    ) as versions
    where _version_back = 1
{%- endmacro %}

{#
  Log: every version of a row was appended. The newest load wins, and within it the greatest
  `newest`: the cursor of rows that change in place, such as updated_at.
#}
{% macro current_rows_of_log(source_name, table, key, newest=none) -%}
    {{ newest_versions(source_name, table, key, newest=newest) }}
{%- endmacro %}

{#
  The nested rows of a log's current rows. They carry the load and the hash of the row they came
  with, so an item that a later version of its order no longer has stays behind by itself. Where they do not
  name the row they are nested in, its key comes along `parent_as` a column.
#}
{% macro nested_rows_of_log(
    source_name, table, parent, parent_key, newest=none, parent_as=none
) -%}
    select
        nested.*
        {%- if parent_as is not none -%}
        , parent.{{ parent_key[0] }} as {{ parent_as }}
        {%- endif %}
    from {{ source(source_name, table) }} as nested
    inner join ({{ current_rows_of_log(source_name, parent, parent_key, newest) }}) as parent
        on
            nested._dlt_load_id = parent._dlt_load_id
            and nested._dlt_parent_id = parent._dlt_id
{%- endmacro %}

{#
  scd2: a changed or vanished row is closed by _dlt_valid_to. A load that never completed may have
  closed rows too; a closing later than the last completed load does not count.
#}
{% macro current_rows_of_scd2(source_name, table, key) -%}
    {%- set still_valid -%}
        _dlt_valid_to is null
        or _dlt_valid_to > ({{ completed_loads(source_name, 'max(inserted_at)') }})
    {%- endset -%}
    {{ newest_versions(source_name, table, key, still_valid) }}
{%- endmacro %}

{#
  The nested rows of whatever current rows `parents` selects, of a log or of scd2: they name the
  hash of the row they lie in, and are the same in each load that brought it. `carried` are columns
  of the parent, which come along as _parent_<name>.
#}
{% macro nested_rows(source_name, table, parents, carried=[]) -%}
    select * from (
        select
            nested.*
            {%- for column in carried %},
            parent.{{ column }} as _parent_{{ column }}
            {%- endfor %},
            row_number() over (
                partition by nested._dlt_id
                order by nested._dlt_load_id desc
            ) as _time_sent
        from {{ source(source_name, table) }} as nested
        inner join ({{ parents }}) as parent on nested._dlt_parent_id = parent._dlt_id
        where nested._dlt_load_id in ({{ completed_loads(source_name) }})
    ) as sent
    where _time_sent = 1
{%- endmacro %}
