{# In every row the columns of the classes of files add up to those of all classes. #}
{% test file_classes_add_up(model) %}
    select
        all_classes_lines_added,
        all_classes_lines_deleted,
        all_classes_files_changed
    from {{ model }}
    where
        {{ of_all_classes('lines_added') }} <> all_classes_lines_added
        or {{ of_all_classes('lines_deleted') }} <> all_classes_lines_deleted
        or {{ of_all_classes('files_changed') }} <> all_classes_files_changed
{% endtest %}
