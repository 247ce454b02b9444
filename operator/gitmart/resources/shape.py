"""What a Repository's spec says of the data, in the words of the commands that read histories."""

from __future__ import annotations

from gitmart.contract.file_classes import FileClass, format_path_class
from gitmart.resources.repository import RepositorySpec


def shape_options(spec: RepositorySpec) -> list[str]:
    """Return the options of `gitmart extract` and `gitmart check` that shape the data: both must get the same."""
    return [
        *(f"--include-branch={glob}" for glob in spec.branches.include),
        *(f"--exclude-branch={glob}" for glob in spec.branches.exclude),
        *(f"--exclude-path={glob}" for glob in spec.paths.exclude),
        *(f"--path-class={format_path_class(rule.glob, FileClass(rule.file_class))}" for rule in spec.paths.classes),
        *(["--first-parent-counts"] if spec.first_parent_counts else []),
        *(["--patch-ids"] if spec.patch_ids else []),
    ]
