"""What is asked of a host's API besides the history: a part of a Repository."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from gitmart.contract.durations import format_duration
from gitmart.contract.host_api import API_URL_LIMIT, API_URL_MESSAGE, API_URL_PATTERN, AUTO, parse_api_url
from gitmart.contract.repository_url import RepositoryUrl
from gitmart.resources.address import AddressField
from gitmart.resources.base import CEL_KEY, Count, Model, Rule, ShortText, Status, Time, cel_matches
from gitmart.resources.duration import DurationBetween
from gitmart.resources.pod_template import SecretName

ApiUrl = Annotated[
    RepositoryUrl,
    AddressField(RepositoryUrl, lambda text, _: parse_api_url(text), API_URL_LIMIT, API_URL_MESSAGE),
]


class HostMetadata(Model):
    """What to ask the host's REST API for: stars, forks, issues, licence, languages, topics, and who the authors are."""

    rules: ClassVar = (
        Rule["HostMetadata"](
            "apiURL belongs to a provider: set provider to github or gitlab, or leave apiURL out",
            f"!has(self.apiURL) || self.provider != '{AUTO}'",
            lambda metadata: metadata.api_url is None or metadata.provider != AUTO,
        ),
    )

    provider: Literal["auto", "github", "gitlab"] = Field(
        default=AUTO, description="Whose API the host has. auto knows github.com, gitlab.com and *.ghe.com."
    )
    api_url: ApiUrl | None = Field(
        default=None,
        alias="apiURL",
        description="Address of the API. Without it: the one of the provider, on a host of your own /api/v3 (github) "
        "or /api/v4 (gitlab) of the repository's host.",
    )
    interval: Annotated[timedelta, DurationBetween(timedelta(hours=1), timedelta(days=30))] = Field(
        default=timedelta(days=1),
        description="How old what is known may be before an extraction asks again. Of one day the last answer is kept.",
    )
    contributors: bool = Field(
        default=True, description="Ask for the login and profile of each author, by one commit of theirs (github)."
    )
    secret_ref: SecretName | None = Field(
        default=None,
        description="Secret in this namespace with the key token. Without it: the key token or bearerToken of "
        "spec.secretRef if the API is the git host's own, else the API is asked as anybody may.",
    )

    @property
    def options(self) -> list[str]:
        """The options of `gitmart extract` that say the same, but for the Secret."""
        return [
            f"--metadata={self.provider}",
            *([f"--metadata-api-url={self.api_url}"] if self.api_url else []),
            f"--metadata-interval={format_duration(self.interval)}",
            *([] if self.contributors else ["--no-metadata-contributors"]),
        ]

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = super().__get_pydantic_json_schema__(core, handler)
        own = {
            "rule": f"!has(self.apiURL) || {cel_matches(API_URL_PATTERN, 'self.apiURL')}",
            "message": API_URL_MESSAGE,
            "fieldPath": ".apiURL",
        }
        return schema | {CEL_KEY: [own, *schema[CEL_KEY]]}


class HostMetadataStatus(Status):
    """How the latest look at the host's API went. It never makes an extraction fail."""

    outcome: ShortText = Field(description="How it ended, such as Succeeded or RateLimited.")
    message: Annotated[str, Field(max_length=4096)] = Field(default="", description="The outcome in words.")
    checked_at: Time = Field(description="When the API was last asked.")
    next_time: Time | None = Field(default=None, description="From when on an extraction asks again.")
    requests: Count | None = Field(default=None, description="Requests that were made.")
    pending: Count | None = Field(default=None, description="Contributors who are still to be asked for.")
