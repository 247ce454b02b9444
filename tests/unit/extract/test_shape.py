"""Which options make a run read all commits anew, and which only make it look at the refs again."""

from __future__ import annotations

from gitmart.extract.shape import Shape


def test_what_is_kept_of_a_commit_changes_both_digests_and_which_commits_count_only_one() -> None:
    kept = [
        Shape(),
        Shape(first_parent_counts=True),
        Shape(patch_ids=True),
        Shape(first_parent_counts=True, patch_ids=True),
    ]
    chosen = [Shape(include=("main",)), Shape(exclude=("main",))]

    assert len({shape.rows for shape in kept}) == len(kept)
    assert {shape.rows for shape in chosen} == {Shape().rows}
    assert len({tuple(shape.parts()) for shape in kept + chosen}) == len(kept + chosen)
