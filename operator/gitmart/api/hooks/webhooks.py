"""Webhooks over HTTP: what a git host sends when somebody pushes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from gitmart.api.hooks import deliveries, signatures
from gitmart.api.hooks.deliveries import FORM, JSON, DeliveryError, document_of, keys_of
from gitmart.api.hooks.dependencies import HooksOfProcess, problems
from gitmart.api.hooks.runs import Hooks
from gitmart.api.hooks.signatures import Claim, UnprovedError
from gitmart.api.problems import ProblemError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sender:
    """A kind of git host: how it proves who it is, and how it names what was pushed to."""

    name: str
    claim: Callable[[Mapping[str, str], float], Claim]
    addresses: Callable[[Mapping[str, str], Mapping[str, Any]], list[str] | None]
    media_types: Collection[str] = (JSON,)


GITHUB = Sender("github", signatures.github, deliveries.github, (JSON, FORM))
GITLAB = Sender("gitlab", signatures.gitlab, deliveries.gitlab)
GENERIC = Sender("generic", signatures.standard, deliveries.generic)


class Receipt(BaseModel):
    """What became of a delivery."""

    result: Literal["asked", "ignored", "repeated"] = Field(
        description="asked: every Repository with this address extracts; ignored: the event is none that brings commits;"
        " repeated: this delivery was acted upon before."
    )
    repositories: int = Field(0, description="How many Repositories have this address.", examples=[1])


router = APIRouter(prefix="/hooks", tags=["webhooks"])

_ANSWERS = problems(
    _400="The body cannot be understood.",
    _401="The request does not prove who sent it.",
    _403="The cluster does not let the API ask for runs.",
    _404="Webhooks are not set up here.",
    _408="The body did not come in time.",
    _409="The Repository was changed at the same time.",
    _413="The body is too large.",
    _415="The body is of another media type.",
    _429="The cluster is busy.",
    _503="The cluster does not answer.",
)


def _body(*media_types: str) -> dict[str, Any]:
    content = {media_type: {"schema": {"type": "object"}} for media_type in media_types}
    return {"requestBody": {"required": True, "content": content}, "security": []}  # signed, without a token


_OPTIONS: dict[str, Any] = {"response_model": Receipt, "status_code": 202, "responses": _ANSWERS | {200: {
    "model": Receipt, "description": "Nothing is to be done: another event, or a delivery that came before."
}}}  # fmt: skip


@router.post(
    "/github", summary="A push at GitHub, Gitea or Forgejo", openapi_extra=_body(JSON, FORM), **_OPTIONS
)  # fmt: skip
async def github(request: Request, response: Response, hooks: HooksOfProcess) -> Receipt:
    """Signed by X-Hub-Signature-256 with a secret that the administrator has set."""
    return await _receive(GITHUB, request, response, hooks)


@router.post("/gitlab", summary="A push at GitLab", openapi_extra=_body(JSON), **_OPTIONS)
async def gitlab(request: Request, response: Response, hooks: HooksOfProcess) -> Receipt:
    """Signed by GitLab's signing token, or proved by its secret token."""
    return await _receive(GITLAB, request, response, hooks)


@router.post("/generic", summary="A push anywhere else", openapi_extra=_body(JSON), **_OPTIONS)
async def generic(request: Request, response: Response, hooks: HooksOfProcess) -> Receipt:
    """`{"url": "https://git.example.org/group/name.git"}`, signed as Standard Webhooks says."""
    return await _receive(GENERIC, request, response, hooks)


async def _receive(sender: Sender, request: Request, response: Response, hooks: Hooks) -> Receipt:
    """Refuse as early as can be known, and parse nothing that is not proved."""
    if hooks.secrets is None or hooks.runs is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, "webhooks are not set up here")
    try:
        delivery, document = await _proved(sender, request, hooks)
        addresses = sender.addresses(request.headers, document)
    except DeliveryError as error:
        raise ProblemError(HTTPStatus.BAD_REQUEST, str(error)) from None
    except UnprovedError as error:
        log.warning("a webhook was refused", extra={"sender": sender.name, "reason": str(error)})
        raise ProblemError(HTTPStatus.UNAUTHORIZED, str(error), headers={"WWW-Authenticate": "Webhook"}) from None
    if addresses is None or delivery in hooks.memory:
        response.status_code = HTTPStatus.OK
        return Receipt(result="ignored" if addresses is None else "repeated", repositories=0)
    count = await hooks.runs.pushed(keys_of(addresses))
    hooks.memory.add(delivery)
    log.info("a push was told of", extra={"sender": sender.name, "repositories": count})
    return Receipt(result="asked", repositories=count)


async def _proved(sender: Sender, request: Request, hooks: Hooks) -> tuple[str, Mapping[str, Any]]:
    """Return by what a delivery is known, and what it says. Raise UnprovedError, DeliveryError or ProblemError."""
    assert hooks.secrets is not None  # noqa: S101
    claim = sender.claim(request.headers, time.time())
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in sender.media_types:
        allowed = " or ".join(sender.media_types)
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Content-Type must be {allowed}")
    body = await hooks.bodies.read(request)
    delivery = claim.proof(body, hooks.secrets.of(sender.name))
    if delivery is None:
        raise UnprovedError("no secret that is set here proves this request")
    return f"{sender.name} {delivery}" if delivery else "", document_of(body, media_type)
