"""What holds for every pool, whatever happened to it."""

from __future__ import annotations

import string

from hypothesis import given, settings
from hypothesis import strategies as st

from polecat.core.pool import NamePool, allocate_name, reconcile_pool_with
from polecat.core.sessions import parse_session_name, polecat_of_session
from polecat.core.themes import THEMES
from polecat.names import branch_name, check_polecat_name, is_polecat_name, session_name

QUICK = settings(max_examples=80, deadline=None)

legal_names = st.text("abAB19_-", min_size=1, max_size=8).filter(is_polecat_name)
rig_names = st.text("abr1_-", min_size=1, max_size=6).filter(is_polecat_name)
name_sets = st.sets(legal_names, max_size=12)
pools = st.builds(
    NamePool,
    rig_name=rig_names,
    theme=st.sampled_from([*THEMES, "", "unknown"]),
    custom_names=st.lists(legal_names, max_size=6),
    max_size=st.integers(-1, 60),
    overflow_next=st.integers(-5, 500),
)


@QUICK
@given(pool=pools, start=name_sets, releases=st.lists(st.integers(0, 30), max_size=25))
def test_a_name_is_never_handed_out_twice(pool: NamePool, start: set[str], releases: list[int]) -> None:
    """Whoever holds a name is the only one, through any sequence of giving and taking back."""
    held = set(start)
    numbers: list[str] = []
    for release in releases:
        name, pool = allocate_name(pool, held)
        assert name.casefold() not in {other.casefold() for other in held}
        assert check_polecat_name(name) == name
        if name not in pool.names:
            assert name not in numbers
            numbers.append(name)
        held.add(name)
        if release < len(held):
            held.discard(sorted(held)[release])


@QUICK
@given(pool=pools, in_use=name_sets)
def test_allocation_depends_on_the_set_alone(pool: NamePool, in_use: set[str]) -> None:
    """The order in which names are in use does not matter, and asking twice gives the same answer."""
    answers = {allocate_name(pool, order)[0] for order in (sorted(in_use), sorted(in_use, reverse=True), frozenset(in_use))}

    assert len(answers) == 1


@QUICK
@given(sessions=st.lists(legal_names), dirs=st.lists(legal_names), data=st.data())
def test_reconcile_is_order_free(sessions: list[str], dirs: list[str], data: st.DataObject) -> None:
    """Shuffled and repeated observations say the same."""
    seen = reconcile_pool_with(sessions=sessions, dirs=dirs)

    again = reconcile_pool_with(sessions=data.draw(st.permutations(sessions * 2)), dirs=data.draw(st.permutations(dirs)))

    assert seen == again


@QUICK
@given(sessions=name_sets, dirs=name_sets)
def test_reconcile_is_idempotent(sessions: set[str], dirs: set[str]) -> None:
    """Once the orphans are ended, nothing is left to do, and the names in use are the same."""
    seen = reconcile_pool_with(sessions=sessions, dirs=dirs)

    after = reconcile_pool_with(sessions=sessions - set(seen.orphans), dirs=dirs)

    assert after.in_use == seen.in_use
    assert after.is_quiet


@QUICK
@given(sessions=name_sets, dirs=name_sets)
def test_every_name_is_in_one_class(sessions: set[str], dirs: set[str]) -> None:
    """Each name that was seen is in use or an orphan, never both."""
    seen = reconcile_pool_with(sessions=sessions, dirs=dirs)

    assert seen.in_use | set(seen.orphans) == sessions | dirs
    assert not seen.in_use & set(seen.orphans)


@QUICK
@given(rig=rig_names, name=legal_names.filter(lambda n: not n.startswith("crew-")))
def test_sessions_round_trip(rig: str, name: str) -> None:
    """The name comes back from its session when the rig is known; its form never raises."""
    assert polecat_of_session(session_name(rig, name), rig) == name


@QUICK
@given(name=legal_names, unix_ms=st.integers(0, 2**45))
def test_branches_are_refs_git_accepts(name: str, unix_ms: int) -> None:
    """A branch holds only characters that no ref rule of git forbids, and no component ends in `.lock`."""
    branch = branch_name(name, unix_ms)

    assert set(branch) <= set(string.ascii_letters + string.digits + "_-/")
    assert branch.count("/") == 1
    assert not branch.endswith((".lock", "/"))


@QUICK
@given(text=st.text(max_size=30))
def test_legal_names_are_exactly_the_pattern(text: str) -> None:
    """T-45: any text is either refused or survives: no dot, colon, slash, space, or leading hyphen gets through."""
    if is_polecat_name(text):
        assert set(text) <= set(string.ascii_letters + string.digits + "_-")
        assert text[0] not in "-_"


@QUICK
@given(text=st.text(alphabet="gt-hqmayorcewsx", max_size=20))
def test_parsed_sessions_write_themselves_again(text: str) -> None:
    """Whatever is read as a session name gives that session name again."""
    try:
        who = parse_session_name(text)
    except ValueError:
        return
    assert who.session == text
