"""A dbt project of the user's on top of gitmart's own: where a run finds it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, GetJsonSchemaHandler, ValidationInfo, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from gitmart.resources.base import CEL_KEY, ConfigMapKey, Model, ObjectName, Rule, matching
from gitmart.resources.git_url import SSH_NEEDS_KEYS, GitUrl, url_rules
from gitmart.resources.pod_template import SecretName

NO_CONTAINERS = "image needs a cluster, since local mode runs no containers: name the project by git or configMap"
_PART = "[A-Za-z0-9_][A-Za-z0-9._-]*"  # of a path: neither hidden nor a way up
_PARTS = "parts of letters, digits, _ . and -, none of which begins with . or -"

RelativePath = Annotated[
    str,
    Field(min_length=1, max_length=1024),
    matching(rf"^{_PART}(/{_PART})*$", f"must be a path such as models/marts.sql: {_PARTS}"),
]
AbsolutePath = Annotated[
    str,
    Field(min_length=1, max_length=1024),
    matching(rf"^(/{_PART})+$", f"must be an absolute path such as /project: {_PARTS}"),
]
ImageName = Annotated[
    str,
    Field(min_length=1, max_length=1024),
    matching(r"^[A-Za-z0-9][!-~]*$", "must be the name of an image, such as registry.example.org/team/gitmart:1"),
]
# A name as git takes it for a branch or a tag, or the full hash of a commit.
GitRef = Annotated[
    str,
    Field(min_length=1, max_length=255),
    matching(
        r"^[^\x00-\x20\x7f~^:\\?*\[-][^\x00-\x20\x7f~^:\\?*\[]*$",
        "must be a branch, a tag or the full hash of a commit: no space, no ~ ^ : \\ ? * [, no - in front",
    ),
]


class ProjectImage(Model):
    """An image made from gitmart's own, with a dbt project in it. It runs in its place."""

    name: ImageName = Field(description="Name of the image.")
    path: AbsolutePath = Field(default="/project", description="Folder of the dbt project in the image.")
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        default="IfNotPresent", description="When the image is pulled, as imagePullPolicy of a container."
    )


class ConfigMapItem(Model):
    """A key of a ConfigMap and the file that its value becomes, as in a pod's volumes."""

    key: ConfigMapKey = Field(description="Key of the ConfigMap.")
    path: RelativePath = Field(description="Path of the file in the dbt project.")


class ProjectConfigMap(Model):
    """A ConfigMap of the same namespace whose values are the files of a dbt project."""

    name: ObjectName = Field(description="Name of the ConfigMap.")
    items: Annotated[list[ConfigMapItem], Field(max_length=256)] = Field(
        default=[],
        description="Which keys become which files. Without it all: what ends in .sql, .yml or .md is put below models, "
        "what ends in .csv below seeds, and what dbt looks for at the root of a project stays there.",
    )


class ProjectGit(Model):
    """A dbt project in a git repository."""

    url: GitUrl = Field(description="Address of the git repository: https or ssh, without credentials.")
    ref: GitRef | None = Field(
        default=None,
        description="Branch, tag or full hash of a commit. Without it: the branch that the host's HEAD names.",
    )
    path: RelativePath | None = Field(
        default=None, description="Folder of the dbt project in the repository. Without it: the root."
    )
    secret_ref: SecretName | None = Field(
        default=None,
        description="Secret in this namespace with the credentials for the git host, with the keys that a Repository's "
        "secretRef takes.",
    )

    @property
    def told(self) -> str:
        """What people call it."""
        folder = f"folder {self.path} of " if self.path is not None else ""
        return f"{folder}{self.url}{f' at {self.ref}' if self.ref is not None else ''}"

    @model_validator(mode="after")
    def _ssh_has_keys(self, info: ValidationInfo) -> Self:
        """Local mode runs as a person who has keys of their own; a pod has none."""
        if self.url.scheme == "ssh" and self.secret_ref is None and not _is_local(info):
            raise PydanticCustomError("rule", "{sentence}", {"sentence": SSH_NEEDS_KEYS})
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = super().__get_pydantic_json_schema__(core, handler)
        keys = {"rule": "!self.url.startsWith('ssh://') || has(self.secretRef)", "message": SSH_NEEDS_KEYS}
        return schema | {CEL_KEY: [*url_rules("url"), keys]}


class Project(Model):
    """Where the user's dbt project is."""

    rules: ClassVar = (
        Rule["Project"](
            "must say in one way where the dbt project is: image, configMap or git",
            "[has(self.image), has(self.configMap), has(self.git)].filter(given, given).size() == 1",
            lambda project: [project.image, project.config_map, project.git].count(None) == 2,
            of_presence=True,
        ),
    )

    image: ProjectImage | None = Field(
        default=None, description="An image made from gitmart's own, which runs in its place."
    )
    config_map: ProjectConfigMap | None = Field(
        default=None, description="A ConfigMap of this namespace with the files of the project."
    )
    git: ProjectGit | None = Field(default=None, description="A git repository; each run takes what is there.")

    @model_validator(mode="after")
    def _can_run_here(self, info: ValidationInfo) -> Self:
        if self.image is not None and _is_local(info):
            raise PydanticCustomError("rule", "{sentence}", {"sentence": NO_CONTAINERS})
        return self


def _is_local(info: ValidationInfo) -> bool:
    return bool(info.context and info.context.get("allow_file_urls"))
