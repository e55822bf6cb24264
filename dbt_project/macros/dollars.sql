{# The API counts money in whole cents. Exact decimals, never floats: totals must add up. #}
{% macro dollars(cents) -%}
    cast({{ cents }} / 100.0 as numeric(18, 2))
{%- endmacro %}
