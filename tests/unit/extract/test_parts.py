"""The smaller pure parts of the extraction."""

from __future__ import annotations

import ipaddress
import threading
from pathlib import Path

import pytest

from gitmart.contract.addresses import is_public
from gitmart.contract.repository_url import parse_repository_url
from gitmart.extract.address import curl_resolve
from gitmart.extract.identities import Identities
from gitmart.extract.listing import LARGEST_BLOCK, Listing
from gitmart.extract.settings import Remote, Settings, _cgroup_cores


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("140.82.121.4", True),
        ("2606:50c0:8000::153", True),
        ("10.0.0.1", False),
        ("172.20.0.1", False),
        ("192.168.1.1", False),
        ("127.0.0.1", False),
        ("0.0.0.0", False),  # noqa: S104
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:140.82.121.4", True),
        ("64:ff9b::a00:1", False),
        ("64:ff9b::8c52:7904", True),
        ("2002:0a00:0001::1", False),
    ],
)
def test_private_addresses_are_known_also_inside_others(address: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) is public


def test_git_is_told_the_addresses_that_were_looked_at() -> None:
    url = parse_repository_url("https://git.example.org/a/b.git", allow_file=False)
    addresses = [ipaddress.ip_address("192.0.2.1"), ipaddress.ip_address("2001:db8::1")]

    assert curl_resolve(url, addresses) == "git.example.org:443:192.0.2.1,[2001:db8::1]"


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2.0),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({}, None),
    ],
    ids=["v2", "v2 without limit", "v1", "v1 without limit", "no cgroup"],
)
def test_the_cpu_limit_of_the_cgroup_counts(files: dict[str, str], cores: float | None, tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="ascii")

    assert _cgroup_cores(tmp_path) == cores


def test_settings_do_not_show_the_secret() -> None:
    url = parse_repository_url("https://git.example.org/a/b.git", allow_file=False)

    assert "canary" not in repr(Settings(Remote(url), "postgresql://u:canary@h/d", Path()))


def test_every_id_of_a_list_is_taken_once(tmp_path: Path) -> None:
    ids = [b"%040d\n" % number for number in range(9 * LARGEST_BLOCK + 3)]
    taken: list[bytes] = []
    with Listing(tmp_path / "ids") as listing:

        def take() -> None:
            while block := listing.take():
                taken.extend(block.splitlines(keepends=True))

        threads = [threading.Thread(target=take) for _ in range(3)]
        for thread in threads:
            thread.start()
        for start in range(0, len(ids), 7):
            listing.append(b"".join(ids[start : start + 7]))
        listing.close()
        for thread in threads:
            thread.join()

        assert len(listing) == len(ids)
        assert b"".join(listing.chunks()) == b"".join(ids)
    assert sorted(taken) == ids


def test_whoever_takes_from_a_list_hears_why_it_broke_off(tmp_path: Path) -> None:
    with Listing(tmp_path / "ids") as listing:
        listing.append(b"0" * 40 + b"\n")
        listing.close(OSError("gone"))

        with pytest.raises(OSError, match="gone"):
            listing.take()


def test_identities_are_numbered_once_and_stay_few() -> None:
    identities = Identities(limit=3)
    met: list[tuple[int, tuple[bytes, bytes]]] = []

    numbers = [identities.number((b"n", b"%d" % (index % 2)), met) for index in range(4)]
    assert numbers == [1, 2, 1, 2]
    assert met == [(1, (b"n", b"0")), (2, (b"n", b"1"))]

    for index in range(100):
        identities.number((b"m", b"%d" % index), met)
    assert len(identities._numbers) <= 3
    assert len({number for number, _ in met}) == len(met)
