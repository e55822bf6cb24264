{#
  prod: `staging`, `intermediate`, and marts in `marts__next` (var marts_schema). Nobody reads that
  schema until every test has passed and publication renames it to `marts`; were dbt to build in
  `marts`, readers would see new tables beside old ones, and untested ones.
  Other targets: `dev_staging` and so on. A plain `dbt build` can then never touch what is published.
#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- set folder = custom_schema_name | default(target.schema, true) | trim -%}
    {%- if target.name != 'prod' -%}
        {{ folder if folder == target.schema else target.schema ~ '_' ~ folder }}
    {%- elif folder == 'marts' -%}
        {{ var('marts_schema') }}
    {%- else -%}
        {{ folder }}
    {%- endif -%}
{%- endmacro %}
