"""
One table of good and bad manifests, each with the verdict that everybody must give.

`kubectl apply` and `gitmart local` read the same files: test_manifests.py asks a real API server, and
tests/unit/resources/test_manifest_table.py asks `load_manifests`. Both must accept, or say `words` of the sentence
that names the field and what is allowed. Some mistakes no schema can tell; of those the operator's Ready condition
does, with the reason InvalidSpec.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import yaml

URL = "https://git.example.org/group/name.git"


class Verdict(Enum):
    """Who refuses a manifest."""

    GOOD = auto()
    REFUSED = auto()  # by the API server at `kubectl apply`, and by gitmart local
    STALLED = auto()  # by the operator's Ready condition, and by gitmart local


@dataclass(frozen=True)
class Row:
    """A manifest. `field` is the path that the refusal must name, `words` are of our sentence."""

    name: str  # of the row, and of its object unless the manifest has one
    text: str
    verdict: Verdict = Verdict.GOOD
    field: str = ""
    words: str = ""


def repository(name: str, field: str = "", words: str = "", **spec: object) -> Row:
    """Return a row with a Repository. Without words it is good."""
    verdict = Verdict.REFUSED if field else Verdict.GOOD
    return Row(name, manifest("Repository", name, {"url": URL, **spec}), verdict, field, words)


def schedule(name: str, field: str = "", words: str = "", **spec: object) -> Row:
    """Return a row with a DbtSchedule. Without words it is good."""
    verdict = Verdict.REFUSED if field else Verdict.GOOD
    return Row(name, manifest("DbtSchedule", name, {"schedule": "@daily", **spec}), verdict, field, words)


def manifest(kind: str, name: str, spec: object, **more: object) -> str:
    """Return the text of a manifest."""
    body = {"apiVersion": "gitmart.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}
    return yaml.safe_dump(body | more, sort_keys=False)


def written(kind: str, name: str, spec: str, field: str = "", words: str = "", metadata: str = "") -> Row:
    """Return a row whose spec is spelled as YAML: what matters is how a person wrote it."""
    text = f"apiVersion: gitmart.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}{metadata}}}\nspec: {spec}\n"
    return Row(name, text, Verdict.REFUSED if field else Verdict.GOOD, field, words)


def stalled(kind: str, name: str, field: str, words: str, **spec: object) -> Row:
    """Return a row that no schema can refuse."""
    least = {"url": URL} if kind == "Repository" else {"schedule": "@daily"}
    least = least | {"warehouseRef": {"name": name}}  # so that none is the double of another
    return Row(name, manifest(kind, name, least | spec), Verdict.STALLED, field, words)


def _pods(**fields: object) -> Mapping[str, Any]:
    return {"podTemplate": fields}


_SCHEME = "must start with https:// or ssh://"
_CRON = "must be five cron fields"
_FROM_1M = "must be a duration from 1m to 720h: write it like 30s, 10m or 1h30m"
_QUANTITY = "must be a quantity above 0 and at most 1Ei"
_NAME = "must be a name of lower-case letters, digits, - and ."

GOOD = (
    repository("repository-smallest"),
    repository("repository-full", interval="1h30m", jitter="0s", maxSkip="24h", suspend=True, timeout="10s",
               secretRef={"name": "git"}, retries=0, warehouseRef={"name": "other"},
               identity={"mailmap": {"configMapRef": {"name": "people", "key": "our_people.txt"}}},
               branches={"include": ["main", "release/*"], "exclude": ["wip/[a-z]*"]},
               resources={"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": 4, "memory": "4Gi"}}),
    repository("repository-cron", schedule="5/15 8-18/2,20 ? JAN-mar mon-Fri", timeZone="Europe/Berlin"),
    repository("repository-bounds-low", interval="1m", maxSkip="1m", timeout="10s", retries=0),
    repository("repository-bounds-high", interval="720h", jitter="24h", maxSkip="8760h", timeout="168h", retries=10),
    repository("url-ssh", url="ssh://git@git.example.org:2222/group/name", secretRef={"name": "git"}),
    repository("url-ipv6", url="https://[2001:db8::1]:8443/group/name"),
    repository("url-escaped", url="https://git.example.org/a%20b/c.git/"),
    repository("url-upper-case-host", url="https://Git.Example.ORG/a"),
    repository("a" * 47),
    repository("quantity-forms", resources={"requests": {"cpu": ".5", "memory": "1e8"}, "limits": {"memory": "1.5Gi"}}),
    repository("quantity-equal", resources={"requests": {"memory": "1024Mi"}, "limits": {"memory": "1Gi"}}),
    repository("metadata-known-host", url="https://github.com/o/r", metadata={}),
    repository("metadata-own-host", metadata={"provider": "github", "apiURL": "https://git.example.org:8443/api/v3/",
               "interval": "1h", "contributors": False, "secretRef": {"name": "api"}}),
    repository("cache-claim", cache={"persistentVolumeClaim": {"claimName": "git-cache"}}),
    repository("globs-longest", branches={"include": ["b" * 255] * 64}),
    repository("pods-everything", **_pods(
        labels={"team": "data"}, annotations={"example.org/note": "x y"}, nodeSelector={"disk": "ssd"},
        tolerations=[{"key": "arm", "operator": "Equal", "value": "yes", "effect": "NoExecute", "tolerationSeconds": 0},
                     {"operator": "Exists"}],
        affinity={"nodeAffinity": {}}, serviceAccountName="worker", priorityClassName="low",
        runtimeClassName="gvisor", imagePullSecrets=[{"name": "registry"}])),
    schedule("dbtschedule-smallest"),
    schedule("project-of-a-config-map", target={"schema": "of_a_config_map"}, project={"configMap": {"name": "marts", "items": [
        {"key": "a.sql", "path": "models/a.sql"}]}}),
    schedule("project-of-git", target={"schema": "of_git"}, project={"git": {
        "url": "https://git.example.org/a", "ref": "v1.2", "path": "dbt"}}),
    schedule("dbtschedule-full", schedule="0 */6 * * *", timeZone="Asia/Tokyo", suspend=False,
             concurrencyPolicy="Replace", startingDeadlineSeconds=10, successfulJobsHistoryLimit=1,
             failedJobsHistoryLimit=100, lockTimeout="0s", timeout="10s", threads=64, retries=10,
             select=["+fct_commits", "tag:daily"], exclude=["@x"],
             afterExtraction={"selector": {"matchLabels": {"team": "data"}}, "debounce": "0s", "maxDelay": "24h"},
             resources={"requests": {"cpu": 1}, "limits": {"cpu": "1000m"}}),
    schedule("dbtschedule-after", afterExtraction={}),
    schedule("vars-types", vars={"counted_file_classes": ["source", "tests"], "a": True, "b": 7, "c": 0.5, "d": "x"}),
    schedule("cron-list", schedule="0,30 0-23/6,5 1,15 */3 0-6"),
    schedule("target", target={"schema": "sales_eu"}),
    schedule("full-refreshes", fullRefreshSchedule="@weekly"),
    schedule("cron-leap-day", schedule="0 0 29 2 *"),
    schedule("cron-leading-zeros", schedule="05 06 01 02 00"),
    schedule("cron-spaces", schedule="0  0   1 1 *"),
    written("Repository", "yaml-null", f"{{url: '{URL}', interval: null, suspend: null, branches: null, retries: ~}}"),
    written("Repository", "yaml-whole-float", f"{{url: '{URL}', retries: 3.0}}"),
    written("Repository", "yaml-whole-cpu", f"{{url: '{URL}', resources: {{limits: {{cpu: 1.0}}}}}}"),
    written("Repository", "yaml-null-label", f"{{url: '{URL}', podTemplate: {{labels: {{a: null}}}}}}"),
    written("Repository", "yaml-yes", f"{{url: '{URL}', suspend: yes}}"),
    written("Repository", "metadata-of-kubernetes", f"{{url: '{URL}'}}", metadata=", labels: {a: b}, annotations: {c: d}"),
)  # fmt: skip

REFUSED = (
    # what a manifest must be
    Row("no-spec", manifest("Repository", "no-spec", None).replace("spec: null\n", ""), Verdict.REFUSED, "spec"),
    written("DbtSchedule", "spec-null", "null", "spec"),
    written("Repository", "spec-list", "[]", "spec", "must be"),
    Row("wrong-version", manifest("Repository", "wrong-version", {"url": URL}, apiVersion="gitmart.dev/v9"),
        Verdict.REFUSED, "gitmart.dev/v9"),
    Row("wrong-kind", manifest("Repo", "wrong-kind", {"url": URL}), Verdict.REFUSED, "Repo"),
    written("Repository", "a" * 48, f"{{url: '{URL}'}}", "metadata.name", "must hold at most 47 characters"),
    written("Repository", "Upper", f"{{url: '{URL}'}}", "metadata.name"),
    written("Repository", "misspelt-metadata", f"{{url: '{URL}'}}", "metadata.lables", metadata=", lables: {a: b}"),
    written("Repository", "label-number", f"{{url: '{URL}'}}", "labels", metadata=", labels: {a: 1}"),
    # url
    written("Repository", "url-missing", "{}", "spec.url"),
    written("Repository", "url-null", "{url: null}", "spec.url"),
    repository("url-number", "spec.url", url=5),
    repository("url-empty", "spec.url", url=""),
    repository("url-long", "spec.url", "2048", url="https://git.example.org/" + "a" * 2048),
    repository("url-http", "spec.url", _SCHEME, url="http://git.example.org/a"),
    repository("url-git", "spec.url", _SCHEME, url="git://git.example.org/a"),
    repository("url-scp", "spec.url", "write git@host:path as ssh://git@host/path", url="git@git.example.org:a"),
    repository("url-file", "spec.url", "works in local mode only", url="file:///srv/git"),
    repository("url-password", "spec.url", "must hold no user name, token or password", url="https://a:b@git.example.org/a"),
    repository("url-user", "spec.url", "must hold no user name, token or password", url="https://a@git.example.org/a"),
    repository("url-ssh-password", "spec.url", "but no password", url="ssh://a:b@git.example.org/a"),
    repository("url-ssh-alone", "spec", "an ssh:// url needs secretRef", url="ssh://git@git.example.org/a"),
    repository("url-query", "spec.url", "must hold no query (?) and no fragment (#)", url=f"{URL}?x=1"),
    repository("url-fragment", "spec.url", "must hold no query (?) and no fragment (#)", url=f"{URL}#x"),
    repository("url-space", "spec.url", "must hold no space", url="https://git.example.org/a b"),
    repository("url-newline", "spec.url", "must hold no space, control", url=f"{URL}\n"),
    repository("url-umlaut", "spec.url", "non-ASCII", url="https://git.example.org/ä"),
    repository("url-port", "spec.url", "a port only from 1 to 65535", url="https://git.example.org:65536/a"),
    repository("url-no-host", "spec.url", "must name a host", url="https:///a"),
    repository("url-no-path", "spec.url", "must name a repository after the host", url="https://git.example.org/"),
    repository("url-dots", "spec.url", "must hold no empty, . or .. part", url="https://git.example.org/a/../b"),
    # when
    repository("interval-days", "spec.interval", _FROM_1M, interval="1d"),
    repository("interval-number", "spec.interval", interval=60),
    repository("interval-short", "spec.interval", _FROM_1M, interval="59s"),
    repository("interval-long", "spec.interval", _FROM_1M, interval="720h1s"),
    repository("interval-negative", "spec.interval", interval="-1h"),
    repository("interval-and-schedule", "spec", "interval and schedule exclude each other", interval="1h", schedule="@daily"),
    repository("zone-without-schedule", "spec", "timeZone belongs to a schedule", timeZone="Etc/UTC"),
    repository("jitter-long", "spec.jitter", "must be a duration from 0s to 24h", jitter="25h"),
    repository("max-skip-short", "spec.maxSkip", "must be a duration from 1m to 8760h", maxSkip="1s"),
    repository("timeout-short", "spec.timeout", "must be a duration from 10s to 168h", timeout="9s"),
    repository("timeout-long", "spec.timeout", "must be a duration from 10s to 168h", timeout="169h"),
    schedule("cron-missing", "spec.schedule", schedule=None),
    schedule("cron-words", "spec.schedule", _CRON, schedule="every day"),
    schedule("cron-empty", "spec.schedule", schedule=""),
    schedule("cron-four-fields", "spec.schedule", _CRON, schedule="0 0 * *"),
    schedule("cron-seconds", "spec.schedule", _CRON, schedule="0 0 0 * * *"),
    schedule("cron-every", "spec.schedule", _CRON, schedule="@every 5m"),
    schedule("cron-zone-inside", "spec.schedule", "a time zone goes into timeZone", schedule="TZ=UTC 0 0 * * *"),
    schedule("cron-newline", "spec.schedule", _CRON, schedule="0 0 * * *\n"),
    schedule("cron-long", "spec.schedule", "256", schedule="0 0 * * " + ",".join("1" * 130)),
    schedule("cron-61-minutes", "spec.schedule", "has a wrong minute: write *, numbers from 0 to 59", schedule="61 * * * *"),
    schedule("cron-60-minutes", "spec.schedule", "has a wrong minute", schedule="60 * * * *"),
    schedule("cron-hour-24", "spec.schedule", "has a wrong hour: write *, numbers from 0 to 23", schedule="0 24 * * *"),
    schedule("cron-day-0", "spec.schedule", "has a wrong day of the month", schedule="0 0 0 * *"),
    schedule("cron-day-32", "spec.schedule", "has a wrong day of the month", schedule="0 0 32 * *"),
    schedule("cron-month-13", "spec.schedule", "has a wrong month: write *, numbers from 1 to 12", schedule="0 0 1 13 *"),
    schedule("cron-month-name", "spec.schedule", "has a wrong month", schedule="0 0 1 mai *"),
    schedule("cron-weekday-7", "spec.schedule", "has a wrong day of the week: write *, numbers from 0 to 6", schedule="0 0 * * 7"),
    schedule("cron-wraps-names", "spec.schedule", "that do not wrap around", schedule="0 0 * * fri-mon"),
    schedule("cron-wraps-hours", "spec.schedule", "has a wrong hour", schedule="0 22-6 * * *"),
    schedule("cron-step-0", "spec.schedule", "has a wrong minute", schedule="*/0 * * * *"),
    schedule("cron-question-mark", "spec.schedule", "has a wrong hour", schedule="0 ? * * *"),
    schedule("cron-last-day", "spec.schedule", "has a wrong day of the month", schedule="0 0 L * *"),
    schedule("cron-hash", "spec.schedule", _CRON, schedule="0 0 * * 1#2"),
    schedule("cron-empty-element", "spec.schedule", "has a wrong minute", schedule="1,,2 * * * *"),
    schedule("cron-trailing-comma", "spec.schedule", "has a wrong day of the week", schedule="0 0 * * 1,"),
    schedule("target-public", "spec.target.schema", "not public, gitmart_staging", target={"schema": "public"}),
    schedule("target-sibling", "spec.target.schema", "nor one that ends in _staging", target={"schema": "a_staging"}),
    schedule("target-long", "spec.target.schema", "48", target={"schema": "s" * 49}),
    schedule("cron-of-full-refreshes", "spec.fullRefreshSchedule", "has a wrong hour", fullRefreshSchedule="0 24 * * *"),
    repository("cron-of-repository", "spec.schedule", "has a wrong hour", schedule="0 24 * * *"),
    written("DbtSchedule", "cron-date", "{schedule: 2026-01-01}", "spec.schedule"),
    schedule("zone-no-form", "spec.timeZone", "must be a time zone of the IANA database", timeZone="../etc/passwd"),
    schedule("zone-local", "spec.timeZone", "must be a time zone of the IANA database", timeZone="Local"),
    schedule("zone-offset", "spec.timeZone", "must be a time zone of the IANA database", timeZone="+02:00"),
    schedule("zone-empty", "spec.timeZone", timeZone=""),
    # what
    repository("unknown-field", "spec.intervall", intervall="1h"),
    repository("snake-case", "spec.max_skip", max_skip="1h"),
    repository("suspend-text", "spec.suspend", suspend="no"),
    repository("retries-text", "spec.retries", retries="3"),
    repository("retries-fraction", "spec.retries", retries=1.5),
    repository("retries-many", "spec.retries", "10", retries=11),
    repository("retries-negative", "spec.retries", "0", retries=-1),
    repository("glob-space", "spec.branches.include[0]", "must be a branch name or a glob", branches={"include": ["a b"]}),
    repository("glob-option", "spec.branches.exclude[0]", "no - in front", branches={"exclude": ["--all"]}),
    repository("glob-empty", "spec.branches.exclude[0]", branches={"exclude": [""]}),
    repository("glob-long", "spec.branches.include[0]", "255", branches={"include": ["b" * 256]}),
    repository("globs-many", "spec.branches.include", "64", branches={"include": ["b"] * 65}),
    repository("globs-text", "spec.branches.include", branches={"include": "main"}),
    repository("glob-null", "spec.branches.include[0]", branches={"include": [None]}),
    repository("secret-name", "spec.secretRef.name", _NAME, secretRef={"name": "My_Secret"}),
    repository("secret-nothing", "spec.secretRef.name", secretRef={}),
    repository("secret-key", "spec.secretRef.key", secretRef={"name": "a", "key": "b"}),
    repository("metadata-unknown-host", "spec", "metadata.provider must be github or gitlab", metadata={}),
    repository("metadata-provider", "spec.metadata.provider", metadata={"provider": "gitea"}),
    repository("metadata-often", "spec.metadata.interval", "must be a duration from 1h to 720h",
               metadata={"provider": "github", "interval": "1m"}),
    repository("metadata-api", "spec.metadata.apiURL", "must be the https:// address of an API",
               metadata={"provider": "github", "apiURL": "https://u@git.example.org/api/v3"}),
    repository("metadata-api-alone", "spec.metadata", "apiURL belongs to a provider", url="https://github.com/o/r",
               metadata={"apiURL": "https://api.github.com"}),
    repository("mailmap-nothing", "spec.identity.mailmap.configMapRef", identity={"mailmap": {}}),
    repository("mailmap-name", "spec.identity.mailmap.configMapRef.name", _NAME,
               identity={"mailmap": {"configMapRef": {"name": "My_People"}}}),
    repository("mailmap-key", "spec.identity.mailmap.configMapRef.key", "must be a key of a ConfigMap",
               identity={"mailmap": {"configMapRef": {"name": "people", "key": "a/b"}}}),
    repository("cache-nothing", "spec.cache.persistentVolumeClaim", cache={}),
    repository("cache-name", "spec.cache.persistentVolumeClaim.claimName", _NAME,
               cache={"persistentVolumeClaim": {"claimName": "My_Cache"}}),
    repository("cache-read-only", "spec.cache.persistentVolumeClaim.readOnly",
               cache={"persistentVolumeClaim": {"claimName": "git-cache", "readOnly": True}}),
    repository("warehouse-name", "spec.warehouseRef.name", _NAME, warehouseRef={"name": "-x"}),
    schedule("policy", "spec.concurrencyPolicy", concurrencyPolicy="forbid"),
    schedule("deadline-short", "spec.startingDeadlineSeconds", "10", startingDeadlineSeconds=9),
    schedule("keep-nothing", "spec.successfulJobsHistoryLimit", "1", successfulJobsHistoryLimit=0),
    schedule("keep-much", "spec.failedJobsHistoryLimit", "100", failedJobsHistoryLimit=101),
    schedule("vars-long", "spec.vars.a", vars={"a": "x" * 4097}),
    schedule("vars-many", "spec.vars", "64", vars={f"a{number}": number for number in range(65)}),
    schedule("vars-list", "spec.vars", vars=["a"]),
    schedule("threads-none", "spec.threads", "1", threads=0),
    schedule("threads-many", "spec.threads", "64", threads=65),
    schedule("threads-huge", "spec.threads", threads=2**63),
    schedule("selector-space", "spec.select[0]", "must be one dbt selector", select=["a b"]),
    schedule("selector-option", "spec.exclude[0]", "must be one dbt selector", exclude=["--full-refresh"]),
    schedule("lock-long", "spec", "lockTimeout must be less than timeout", timeout="5m"),
    schedule("lag-short", "spec.freshness.maxReplicationLag", freshness={"maxReplicationLag": "59s"}),
    schedule("after-order", "spec.afterExtraction", "debounce must be at most maxDelay",
             afterExtraction={"debounce": "31m"}),
    schedule("after-unknown", "spec.afterExtraction.repositories", afterExtraction={"repositories": []}),
    # how
    repository("cpu-zero", "spec.resources.limits.cpu", _QUANTITY, resources={"limits": {"cpu": 0}}),
    repository("cpu-fraction", "spec.resources.limits.cpu", resources={"limits": {"cpu": 0.5}}),
    repository("cpu-unit", "spec.resources.limits.cpu", resources={"limits": {"cpu": "2x"}}),
    repository("cpu-endless", "spec.resources.limits.cpu", _QUANTITY, resources={"limits": {"cpu": "1e999999999"}}),
    repository("memory-negative", "spec.resources.limits.memory", _QUANTITY, resources={"limits": {"memory": "-1Gi"}}),
    repository("memory-huge", "spec.resources.limits.memory", _QUANTITY, resources={"limits": {"memory": "2Ei"}}),
    repository("memory-order", "spec.resources", "requests.memory must be at most limits.memory",
               resources={"limits": {"memory": "128Mi"}}),
    schedule("cpu-order", "spec.resources", "requests.cpu must be at most limits.cpu",
             resources={"requests": {"cpu": 2}}),
    repository("gpu", "spec.resources.limits.gpu", resources={"limits": {"gpu": 1}}),
    repository("pods-own-label", "spec.podTemplate.labels", "must not start with gitmart.dev/",
               **_pods(labels={"gitmart.dev/slot": "x"})),
    repository("pods-own-annotation", "spec.podTemplate.annotations", "must not start with gitmart.dev/",
               **_pods(annotations={"batch.kubernetes.io/x": "x"})),
    repository("pods-label-number", "spec.podTemplate.labels.a", **_pods(labels={"a": 1})),
    repository("pods-many-labels", "spec.podTemplate.labels", "64", **_pods(labels={f"a{n}": "" for n in range(65)})),
    repository("pods-operator", "spec.podTemplate.tolerations[0].operator", **_pods(tolerations=[{"operator": "Is"}])),
    repository("pods-effect", "spec.podTemplate.tolerations[0].effect", **_pods(tolerations=[{"effect": "No"}])),
    repository("pods-seconds", "spec.podTemplate.tolerations[0].tolerationSeconds", "0",
               **_pods(tolerations=[{"tolerationSeconds": -1}])),
    repository("pods-account", "spec.podTemplate.serviceAccountName", _NAME, **_pods(serviceAccountName="A")),
    repository("pods-pull-secret", "spec.podTemplate.imagePullSecrets[0].name", **_pods(imagePullSecrets=[{}])),
    repository("pods-container", "spec.podTemplate.containers", **_pods(containers=[])),
    schedule("project-nowhere", "spec.project", "must say in one way where the dbt project is", project={}),
    schedule("project-twice", "spec.project", "image, configMap or git",
             project={"image": {"name": "a"}, "configMap": {"name": "b"}}),
    schedule("project-path", "spec.project.image.path", "must be an absolute path such as /project",
             project={"image": {"name": "a", "path": "project"}}),
    schedule("project-item", "spec.project.configMap.items[0].path", "must be a path such as models/marts.sql",
             project={"configMap": {"name": "a", "items": [{"key": "a", "path": "/etc/a"}]}}),
    schedule("project-url", "spec.project.git.url", _SCHEME, project={"git": {"url": "http://git.example.org/a"}}),
    schedule("project-ssh", "spec.project.git", "an ssh:// url needs secretRef",
             project={"git": {"url": "ssh://git@git.example.org/a"}}),
    schedule("project-ref", "spec.project.git.ref", "must be a branch, a tag or the full hash",
             project={"git": {"url": "https://git.example.org/a", "ref": "a b"}}),
    schedule("pods-host", "spec.podTemplate.hostNetwork", **_pods(hostNetwork=True)),
)  # fmt: skip

STALLED = (
    stalled("Repository", "day-that-never-comes", "spec.schedule", "never comes: no month of it has that day",
            schedule="0 0 30 2 *"),
    stalled("Repository", "zone-that-is-none", "spec.timeZone", "'Mars/Olympus' is unknown",
            schedule="@daily", timeZone="Mars/Olympus"),
    stalled("DbtSchedule", "vars-mapping", "spec.vars.a", "must be a text of at most 4096 characters, a number",
            vars={"a": {"b": "c"}}),
    stalled("DbtSchedule", "day-of-no-month", "spec.schedule", "never comes: no month of it has that day",
            schedule="0 0 31 4,6 *"),
    stalled("DbtSchedule", "zone-misspelt", "spec.timeZone", "'Europe/Berlln' is unknown", timeZone="Europe/Berlln"),
)  # fmt: skip

TABLE = (*GOOD, *REFUSED, *STALLED)
