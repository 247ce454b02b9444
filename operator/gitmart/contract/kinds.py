"""What gitmart's resources are called on a cluster, for whoever asks its API: the two sides share no models."""

from __future__ import annotations

GROUP = "gitmart.dev"
VERSION = "v1alpha1"
REPOSITORIES = "repositories"
DBT_SCHEDULES = "dbtschedules"

REQUESTED_AT = f"{GROUP}/requested-at"  # annotation of a resource: run now, please; of a Job: which request it answers
