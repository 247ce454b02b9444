"""What each figure means: the catalogue of metrics, and the functions that compute them when they are read."""

from __future__ import annotations

from functools import cache

from pydantic import BaseModel, Field

from gitmart.contract.metrics import catalogue


class Metric(BaseModel):
    """A metric. Texts may have links in Markdown; those without a scheme lead to pages of gitmart's manual."""

    name: str = Field(examples=["Largest share"])
    definition: str = Field(examples=["x of the most active contributor ÷ T."])
    caveat: str = Field(description="What to beware of; empty without any.", examples=[""])
    source: str = Field(description="Who defines it so; empty: gitmart.", examples=[""])
    places: list[str] = Field(
        description="Columns of marts and functions that have it.", examples=[["concentration().largest_share"]]
    )


class Function(BaseModel):
    """A function of the marts' schema."""

    name: str = Field(examples=["burstiness"])
    description: str = Field(examples=["How unevenly commits come, by author date. Always one row."])
    result: str = Field(description="What its rows say.", examples=["fano_factor is 1 for commits at random."])
    arguments: list[str] = Field(description="In their order.", examples=[["repository", "since", "until"]])


class Catalogue(BaseModel):
    """All metrics by name, and all functions."""

    metrics: list[Metric]
    functions: list[Function]


@cache
def metrics() -> Catalogue:
    """Return the catalogue."""
    return Catalogue.model_validate(catalogue())
