"""
The dashboard: pages rendered here, with their charts, from what `queries` return. Nothing here knows SQL.

A page's state is its address: switches are a form that is sent by GET. Pages work without script; the little there is
of it shows figures under the pointer and brings what is live up to date.
"""
