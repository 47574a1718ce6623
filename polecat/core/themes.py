"""Name themes and the status bar palette. Pure data, and the one function that picks from it.

Source: contract §4.8 (themes) and §9.3 (palette). Reserved names are still in the lists; `pool` leaves them out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

DEFAULT_THEME = "mad-max"

THEMES: Mapping[str, tuple[str, ...]] = {
    "mad-max": tuple(
        """
        furiosa nux slit rictus dementus capable toast dag cheedo valkyrie keeper morsov ace warboy imperator organic
        coma splendid angharad max immortan bullet toecutter goose nightrider glory scrotus chumbucket corpus dinki
        prime vuvalini rockryder wretched buzzard gastown bullet-farmer citadel wasteland fury road-warrior interceptor
        blackfinger wraith witness chrome shiny mediocre guzzoline aqua-cola
        """.split()
    ),
    "minerals": tuple(
        """
        obsidian quartz jasper onyx opal topaz garnet ruby amber jade pearl flint granite basalt marble shale slate
        pyrite mica agate malachite turquoise lapis emerald sapphire diamond amethyst citrine zircon peridot coral jet
        moonstone sunstone bloodstone rhodonite sodalite hematite magnetite calcite fluorite selenite kyanite
        labradorite amazonite chalcedony carnelian aventurine chrysoprase heliodor
        """.split()
    ),
    "wasteland": tuple(
        """
        rust chrome nitro guzzle witness shiny fury thunder dust scavenger radrat ghoul mutant raider vault pipboy nuka
        brahmin deathclaw mirelurk synth institute enclave brotherhood minuteman railroad atom crater foundation refuge
        settler wanderer courier lone chosen tribal khan legion ncr ranger overseer sentinel paladin scribe initiate
        elder lancer knight squire proctor
        """.split()
    ),
}


class StatusTheme(NamedTuple):
    """Colours of one tmux status bar."""

    name: str
    bg: str
    fg: str

    @property
    def style(self) -> str:
        """The colours as a tmux style.

        Examples:
            >>> status_theme("gastown").style
            'bg=#0d5c63,fg=#e0e0e0'
        """
        return f"bg={self.bg},fg={self.fg}"


PALETTE = (
    StatusTheme("ocean", "#1e3a5f", "#e0e0e0"),
    StatusTheme("forest", "#2d5a3d", "#e0e0e0"),
    StatusTheme("rust", "#8b4513", "#f5f5dc"),
    StatusTheme("plum", "#4a3050", "#e0e0e0"),
    StatusTheme("slate", "#4a5568", "#e0e0e0"),
    StatusTheme("ember", "#b33a00", "#f5f5dc"),
    StatusTheme("midnight", "#1a1a2e", "#c0c0c0"),
    StatusTheme("wine", "#722f37", "#f5f5dc"),
    StatusTheme("teal", "#0d5c63", "#e0e0e0"),
    StatusTheme("copper", "#6d4c41", "#f5f5dc"),
)

_FNV_OFFSET, _FNV_PRIME, _32_BIT = 2166136261, 16777619, 0xFFFFFFFF


def status_theme(rig_name: str) -> StatusTheme:
    """Pick the status bar theme of a rig: always the same one for the same name.

    The index in `PALETTE` is the FNV-1a 32-bit hash of the UTF-8 name, modulo the length of the palette.

    Args:
        rig_name: any text, empty included.

    Examples:
        >>> status_theme("gastown").name
        'teal'

    Source:
        Contract §9.3.
    """
    value = _FNV_OFFSET
    for byte in rig_name.encode("utf-8", "surrogateescape"):
        value = ((value ^ byte) * _FNV_PRIME) & _32_BIT
    return PALETTE[value % len(PALETTE)]
