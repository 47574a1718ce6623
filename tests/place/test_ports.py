"""Blocks of ports: stable, free, never shared, and back again without anybody doing anything."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from polecat.documents import PlaceSettings
from polecat.errors import PolecatError
from polecat.model import Rig
from polecat.place.ports import PortRange, is_port_free, ports_file, reserve_ports
from polecat.place.prepare import compose_project, place_env

RANGE = PortRange(base=20_000, top=20_099, size=10)


def _free(_port: int) -> bool:
    return True


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(name="gas", path=tmp_path / "town" / "gas")


def _home(rig: Rig, name: str) -> str:
    rig.home_dir(name).mkdir(parents=True)
    return name


def test_same_polecat_gets_the_same_block(rig: Rig) -> None:
    """A block is the polecat's again after a respawn, and after its note was lost."""
    _home(rig, "nux")
    first = reserve_ports(rig, "nux", RANGE, is_free=_free)

    assert reserve_ports(rig, "nux", RANGE, is_free=_free) == first
    ports_file(rig.town_root).unlink()
    assert reserve_ports(rig, "nux", RANGE, is_free=_free) == first
    assert first in RANGE.starts


def test_no_two_polecats_share(rig: Rig) -> None:
    """Ten polecats of two rigs at once fill the range without touching; the eleventh is refused with what to do."""
    other = Rig(name="beads", path=rig.path.parent / "beads")
    names = [(one, _home(one, f"cat{number}")) for one in (rig, other) for number in range(5)]

    with ThreadPoolExecutor(8) as pool:
        blocks = list(pool.map(lambda pair: reserve_ports(pair[0], pair[1], RANGE, is_free=_free), names))

    assert sorted(blocks) == list(range(20_000, 20_100, 10))
    with pytest.raises(PolecatError, match="no 10 ports in a row are free"):
        reserve_ports(rig, _home(rig, "late"), RANGE, is_free=_free)


def test_removed_polecats_give_their_ports_back(rig: Rig) -> None:
    """A note counts for as long as the home exists."""
    one = PortRange(base=20_000, top=20_009, size=10)
    reserve_ports(rig, _home(rig, "nux"), one, is_free=_free)
    rig.home_dir("nux").rmdir()

    assert reserve_ports(rig, _home(rig, "slit"), one, is_free=_free) == 20_000
    assert list(json.loads(ports_file(rig.town_root).read_text())["blocks"]) == ["gas/slit"]


def test_block_somebody_listens_in_is_passed_over(rig: Rig) -> None:
    """One taken port disqualifies the whole block, and the next free one is given."""
    usual = reserve_ports(rig, _home(rig, "nux"), RANGE, is_free=_free)

    moved = reserve_ports(rig, "nux", RANGE, is_free=lambda port: port != usual + 7)

    assert moved != usual
    assert reserve_ports(rig, "nux", RANGE, is_free=_free) == moved


def test_other_sizes_do_not_overlap(rig: Rig) -> None:
    """Rigs may want blocks of different sizes from the same range."""
    small = PortRange(base=20_000, top=20_099, size=5)
    taken: list[range] = []
    for number in range(6):
        size = RANGE if number % 2 else small
        start = reserve_ports(rig, _home(rig, f"cat{number}"), size, is_free=_free)
        block = range(start, start + size.size)
        assert not any(set(block) & set(old) for old in taken)
        taken.append(block)


def test_real_listener_is_seen() -> None:
    """A port that a program listens on, on whichever address, is not free; afterwards it is."""
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            server = socket.create_server((address, 0), family=family)
        except OSError:
            continue
        port = server.getsockname()[1]
        assert not is_port_free(port)
        server.close()
        assert is_port_free(port)


def test_damaged_notes_are_begun_anew(rig: Rig) -> None:
    """A file that cannot be read costs nobody a spawn."""
    ports_file(rig.town_root).parent.mkdir(parents=True)
    ports_file(rig.town_root).write_text("{")

    assert reserve_ports(rig, _home(rig, "nux"), RANGE, is_free=_free) in RANGE.starts


def test_variables_say_what_was_reserved(rig: Rig) -> None:
    """Base, count and project name; what is switched off is not there."""
    _home(rig, "nux")

    env, warnings = place_env(rig, "nux", PlaceSettings())
    nothing, _ = place_env(rig, "nux", PlaceSettings(port_block=0, compose_project=False))
    lazy, _ = place_env(rig, "nux", PlaceSettings(port_block=0, compose_project=False, lfs="lazy"))

    assert warnings == ()
    assert sorted(env) == ["COMPOSE_PROJECT_NAME", "POLECAT_PORT_BASE", "POLECAT_PORT_COUNT"]
    assert set(env) == set(PlaceSettings().variable_names)
    assert nothing == {}
    assert lazy == {"GIT_LFS_SKIP_SMUDGE": "1"}


def test_ports_that_run_out_are_a_warning(rig: Rig) -> None:
    """A place without ports is still a place."""
    settings = PlaceSettings(port_base=20_000, port_top=20_009)
    place_env(rig, _home(rig, "nux"), settings)

    env, warnings = place_env(rig, _home(rig, "slit"), settings)

    assert "POLECAT_PORT_BASE" not in env
    assert "no ports were reserved" in warnings[0]


def test_compose_project_is_a_name_compose_takes(tmp_path: Path) -> None:
    """Lower case, and different for towns that have a polecat of the same name."""
    one = compose_project(Rig(name="Gas_Town", path=tmp_path / "a" / "Gas_Town"), "bullet-farmer")
    other = compose_project(Rig(name="Gas_Town", path=tmp_path / "b" / "Gas_Town"), "bullet-farmer")

    assert one.startswith("gas_town-bullet-farmer-")
    assert one != other
