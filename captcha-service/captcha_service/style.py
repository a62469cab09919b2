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

    # Glyphs are outlines. People tell crossing outlines apart far better than programs do, so that letters may overlap
    # by four tenths; filled letters that do are lost on both. Thinner lines cost programs a little more, and people
    # too on screens of few pixels.
    outline_px: float = 1.6
    # Heights that differ cost programs a tenth of the characters that they read, and people nothing.
    cap_height_px: Range = (42.0, 58.0)
    # Every glyph is made as wide as any other: texts of narrow ones are those that programs read, and in texts of wide
    # ones people lose a letter. Two pixels less let programs read half as much again; two more are too much for people.
    glyph_width_px: Range = (56.0, 64.0)
    # With 15, programs read three times as much; more than 20 costs them nothing, and people take letters for others.
    rotation_degrees: float = 20.0
    # Perspective (how far a corner moves, in parts of the glyph's own size) and a wave that bends the glyph, in parts
    # of its height. Twice as much halves what programs read, but people take the letters for others.
    corner_shift_share: float = 0.12
    wave_height_share: Range = (0.02, 0.05)
    wave_length_share: Range = (0.8, 1.6)

    # The line. The middles of neighbours are this part of their mean width away from each other: below 1 they overlap.
    # What is too long for the picture is pushed together, which happens to every text of six: to some 0.6.
    advance_share: Range = (0.68, 0.74)
    # Up or down from the line, and how far apart neighbours are at least, as a share of the whole span. People need it
    # to tell outlines apart. Strictly up and down would let programs read each half of a picture by itself.
    jump_px: int = 16
    apart_share: float = 0.3

    # Patches lie along the text and exchange the colours of what they cover. With one less, some programs read twice as
    # much. People see through those that are as large as a letter; smaller ones look like parts of letters.
    patches: int = 3
    patch_radius_px: Range = (22.0, 32.0)
    patch_swell_share: Range = (0.05, 0.16)  # Heights of the two waves that make it no circle, in parts of its radius.
    rise_px: int = 22  # How far its middle leaves the middle of the picture, up or down.

    # Colours, of each channel. Any dark on any light has a contrast of at least 5 to 1 (WCAG 2.2 asks for 4.5), and
    # either may be the ink; the picture brings its own paper, so a page may be light or dark.
    dark_channel: tuple[int, int] = (0, 80)
    light_channel: tuple[int, int] = (205, 255)

    # How many of each are prepared: of every character, and of patches.
    glyph_variants: int = 12
    patch_variants: int = 64


TEXTS = Style()
# Who loses the sign loses the sum, so its glyphs hardly overlap; `questions` says what it is worth.
SUMS = replace(TEXTS, glyph_width_px=(38.0, 46.0), advance_share=(0.92, 1.02), patches=2)
