"""What a person reads on a page."""

from __future__ import annotations

from playwright.sync_api import Page


def figure(page: Page, name: str) -> str:
    """Return what stands below a name in the row of figures, without its small print."""
    shown: str = (
        page.locator(".stats div", has=page.locator("dt", has_text=name))
        .first.locator("dd")
        .evaluate(
            "cell => [...cell.childNodes].filter(node => node.nodeType === 3).map(node => node.textContent).join('').trim()"
        )
    )
    return shown


def rows(page: Page, table: str) -> list[list[str]]:
    """Return the cells of the body of a table, as they stand in the document (also where they are folded away)."""
    found: list[list[str]] = page.locator(f"{table} tbody tr").evaluate_all(
        """rows => rows.map(row => [...row.cells].map(cell => {
            const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT), words = [];
            while (texts.nextNode()) words.push(texts.currentNode.textContent.trim());
            return words.filter(word => word).join(" ");
        }))"""
    )
    return found


def number(text: str) -> int:
    """Return a count as it is written."""
    return int(text.replace(",", ""))
