"""
The REST API, the dashboard and the receiver of webhooks: what people see of the warehouse.

`queries` read the marts (and nothing below them) as the role gitmart_read; `routes` serve what they return as JSON,
`pages` as HTML, so that a page and the API can never differ.
"""
