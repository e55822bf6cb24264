{# unique for a key of several columns. #}
{% test unique_together(model, columns) %}

select
    {{ columns | join(', ') }},
    count(*) as rows_of_the_key
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1

{% endtest %}
