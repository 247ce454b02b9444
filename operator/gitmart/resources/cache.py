"""Where what was fetched is kept: a volume, in Kubernetes' own words."""

from __future__ import annotations

from pydantic import Field

from gitmart.resources.base import Model, ObjectName


class VolumeClaim(Model):
    """A persistent volume claim of the same namespace, as in a pod's volumes. It is mounted for writing."""

    claim_name: ObjectName = Field(description="Name of the PersistentVolumeClaim.")


class Cache(Model):
    """Where what was fetched is kept from one extraction to the next."""

    persistent_volume_claim: VolumeClaim = Field(
        description="The claim whose volume holds it, in a folder per repository; several may share one."
    )
