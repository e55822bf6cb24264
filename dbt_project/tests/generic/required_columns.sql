{# not_null on many columns in one scan: a test costs more in starting it than in running it. #}
{% test required_columns(model, columns) %}

select {{ columns | join(', ') }}
from {{ model }}
where {{ columns | join(' is null or ') }} is null

{% endtest %}
