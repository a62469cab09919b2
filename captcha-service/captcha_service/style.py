"""How the pictures look: every number of the drawing, with what it does to people and to programs."""

from dataclasses import dataclass, replace

Range = tuple[float, float]


@dataclass(frozen=True)
class Style:
    """The parameters of a picture. Ranges are (least, most), pixels are those of a picture at scale 1.

    What is said of programs was measured by `make captcha-strength`; what is said of people, by looking.
    """

    width_px: int = 240
    height_px: int = 90
    bits_per_pixel: int = 2  # Or 4. Four shades make edges smooth enough; sixteen take twice the time.

    # Glyphs. Sizes that differ by a third cost programs a tenth of the characters that they read, and people nothing.
    cap_height_px: Range = (42.0, 58.0)
    stretch_share: Range = (1.1, 1.3)  # Wider letters are easier on people, and allow for more overlap.
    rotation_degrees: float = 15.0
    corner_shift_share: float = 0.12  # Perspective: how far a corner moves, as a part of the glyph's own size.
    wave_height_share: Range = (0.02, 0.05)  # A wave that bends the glyph, in parts of its height.
    wave_length_share: Range = (0.8, 1.6)

    # The line. The next glyph begins after this part of a glyph's width: below 1 they overlap. Nothing else hurts
    # programs as much: from 0.68 to 0.86 the best of them goes from 4 to 12 of 100 pictures. Below 0.65 people lose it.
    advance_share: Range = (0.72, 0.80)
    jump_px: int = 10  # Up or down from the line. More makes the order doubtful to people.

    # Patches and arcs lie along the text and flip the colours of what they cover. Patches as large as a letter are easy
    # on people, who see its outline go on. Arcs look like strokes to programs, and more than two to people too. One
    # line through the whole picture would do less, as it can be traced from side to side and undone.
    patches: int = 4
    patch_radius_px: Range = (16.0, 26.0)
    patch_swell_share: Range = (0.05, 0.16)  # Heights of the two waves that make it no circle, in parts of its radius.
    arcs: int = 2
    arc_radius_px: Range = (20.0, 40.0)
    arc_degrees: Range = (110.0, 200.0)
    arc_width_px: Range = (2.4, 3.2)
    rise_px: int = 22  # How far their middles leave the middle of the picture, up or down.

    # Colours, of each channel. Any dark on any light has a contrast of at least 5 to 1 (WCAG 2.2 asks for 4.5), and
    # either may be the ink; the picture brings its own paper, so a page may be light or dark.
    dark_channel: tuple[int, int] = (0, 80)
    light_channel: tuple[int, int] = (205, 255)

    # How many of each are prepared: of every character, and of patches and arcs.
    glyph_variants: int = 12
    cover_variants: int = 64


TEXTS = Style()
# Made of the same parts. Who loses the sign loses the sum, so less lies over it; `questions` says what sums are worth.
SUMS = replace(TEXTS, advance_share=(0.92, 1.02), patches=2, arcs=1)
