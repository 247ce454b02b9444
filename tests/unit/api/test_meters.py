"""Figures, and the page of the manual that lists them."""

from __future__ import annotations

from pathlib import Path

from gitmart.api.middleware.meters import GAUGES, Meters
from gitmart.api.middleware.told import Told

PAGE = Path(__file__).parents[3] / "docs" / "serving.md"


def rows_of(meters: Meters) -> list[str]:
    found = []
    for metric in (metric for metric in meters.registry.collect() if metric.name.startswith("gitmart_")):
        name = f"{metric.name}_total" if metric.type == "counter" else metric.name
        labels = {label: None for sample in metric.samples for label in sample.labels if label != "le"}
        found.append(f"| `{name}` | {', '.join(f'`{label}`' for label in labels)} | {metric.documentation} |")
    return found


def test_the_page_lists_every_figure_as_it_is() -> None:
    meters = Meters()
    meters.ended(Told("/"), "GET", 0.1)
    meters.refused("rate")
    meters.show(lambda: {name: {"busy" if label else "": 1.0} for name, (_, label) in GAUGES.items()})

    listed = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `gitmart_api_")]
    assert listed == rows_of(meters)


def test_a_method_that_nobody_knows_makes_no_series_of_its_own() -> None:
    meters = Meters()
    for method in ("GET", "BREW", "x" * 1000):
        meters.ended(Told("/"), method, 0.1)

    text = meters.text().decode()
    assert 'method="other",route="unmatched",status="0"} 2.0' in text
    assert "BREW" not in text
