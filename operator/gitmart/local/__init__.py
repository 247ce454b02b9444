"""Local mode: the same manifests and the same workers, without a cluster, on an embedded PostgreSQL."""
