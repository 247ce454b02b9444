"""A second warehouse whose raw tables PostgreSQL's logical replication fills: made, watched, removed, recognised."""
