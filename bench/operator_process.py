"""
The operator as a process to be measured: the real one, but for Jobs that can be made suspended.

A suspended Job has no pods, so what is measured is the operator and the API server, not the scheduler and kubelet.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

from gitmart.contract.logs import configure_logging
from gitmart.handlers.cluster import JOB, Cluster, Kind, Object
from gitmart.handlers.command import serve
from gitmart.handlers.settings import Settings


class SuspendingCluster(Cluster):
    """Makes every Job suspended."""

    async def create(self, kind: Kind, namespace: str, body: Object) -> Object:
        """Make an object."""
        if kind == JOB:
            body = body | {"spec": body["spec"] | {"suspend": True}}
        return await super().create(kind, namespace, body)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suspend-jobs", action="store_true")
    configure_logging()
    suspend = parser.parse_args().suspend_jobs
    settings = Settings.of(argparse.Namespace(), os.environ)
    sys.exit(asyncio.run(serve(settings, SuspendingCluster if suspend else Cluster)))
