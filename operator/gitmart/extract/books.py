"""The row of a repository: found or made, and the word of its state, in small transactions of their own."""

from __future__ import annotations

from gitmart.contract.outcomes import Outcome
from gitmart.contract.repository_url import RepositoryUrl
from gitmart.extract.errors import ExtractError
from gitmart.warehouse.locks import Connection


def ensure_repository(connection: Connection, url: RepositoryUrl) -> int:
    """Return the id of the repository's row, made if need be. Looked up first, so that no id is burnt."""
    for _ in range(2):
        row = connection.execute("select id, url from public.repositories where url_key = %s", [url.key]).fetchone()
        if row is not None:
            if row[1] != str(url):
                connection.execute(
                    "update public.repositories set url = %s, updated_at = now() where id = %s and url_key = %s",
                    [str(url), row[0], url.key],
                )
            return int(str(row[0]))
        connection.execute(
            """insert into public.repositories (url, url_key, host, name) values (%s, %s, %s, %s)
               on conflict (url_key) do nothing""",
            [str(url), url.key, url.host or "localhost", url.name],
        )
    raise AssertionError("a row that was inserted cannot be found")


def begin(connection: Connection, repository_id: int, url_key: str) -> tuple[str, str | None]:
    """
    Set the state to in_progress and return the state and message before.

    Whoever calls this holds the repository's lock, so an in_progress found there is stale: its run died.
    Raise ExtractError (Locked) if the row went, or got another address, before the lock was held.
    """
    row = connection.execute(
        """update public.repositories as r set state = 'in_progress', updated_at = now()
           from (select id, state, state_message from public.repositories where id = %s and url_key = %s) as before
           where r.id = before.id returning before.state, before.state_message""",
        [repository_id, url_key],
    ).fetchone()
    if row is None:
        raise ExtractError(
            f"repository {repository_id} was purged or got another address just now: start again", Outcome.LOCKED
        )
    if row[0] == "in_progress":
        return "failed", "the run before ended without a word"
    return str(row[0]), None if row[1] is None else str(row[1])


def leave(connection: Connection, repository_id: int, state: str, message: str | None) -> None:
    """Write the state and why, unless the run had committed: then the merge itself has written it."""
    connection.execute(
        "update public.repositories set state = %s, state_message = %s, updated_at = now() "
        "where id = %s and state = 'in_progress'",
        [state, message, repository_id],
    )
