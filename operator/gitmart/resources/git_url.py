"""The address of a repository as a field: parsed by the contract, told to the API server in CEL."""

from __future__ import annotations

from typing import Annotated

from pydantic import ValidationInfo

from gitmart.contract.repository_url import NETWORK_RULES, URL_LIMIT, RepositoryUrl, parse_repository_url
from gitmart.resources.address import AddressField
from gitmart.resources.base import cel_matches

SSH_NEEDS_KEYS = "an ssh:// url needs secretRef: name a Secret that holds ssh-privatekey and known_hosts"


def _parse(text: str, info: ValidationInfo) -> RepositoryUrl:
    return parse_repository_url(text, allow_file=bool(info.context and info.context.get("allow_file_urls")))


def url_rules(field: str) -> list[dict[str, str]]:
    """
    Return the rules on an address, for the schema of the mapping that holds it under `field`.

    They stand there and not at the field for the reason in `address.py`.
    """
    value = f"self.{field}"
    return [
        {
            "rule": f"{'!' if rule.forbidden else ''}{cel_matches(rule.pattern, value)}",
            "message": rule.message,
            "fieldPath": f".{field}",
        }
        for rule in NETWORK_RULES
    ]


GitUrl = Annotated[
    RepositoryUrl,
    AddressField(RepositoryUrl, _parse, URL_LIMIT, "must be a text such as https://host/group/name.git"),
]
