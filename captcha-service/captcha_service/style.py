"""How the pictures look: every number of the drawing, with what it does to people and to programs."""

from dataclasses import dataclass, replace

Range = tuple[float, float]


@dataclass(frozen=True)
class Style:
    """The parameters of a picture. Ranges are (least, most), pixels are those of a picture at scale 1.

    `make captcha-strength` measured the statements about programs; those about people come from looking at pictures.
    """

    width_px: int = 240
    height_px: int = 90
    margin_px: int = 5  # Left and right of the text.
    bits_per_pixel: int = 2  # Or 4. Four shades make edges smooth enough; sixteen take twice the time.

    # Glyphs are outlines. People separate crossing outlines far better than programs do, so letters may overlap by four
    # tenths; filled letters with that overlap can be read by neither. Thinner lines make reading a little harder for
    # programs, and for people on screens of few pixels.
    outline_px: float | None = 1.6  # None fills them.
    # With heights that differ, programs read a tenth fewer characters, and people as many as before.
    cap_height_px: Range = (42.0, 58.0)
    # All glyphs are equally wide: programs read texts of narrow glyphs best, and people miss a letter in texts of wide
    # ones. With two pixels less, programs read half as much again; with two more, people read too little.
    glyph_width_px: Range = (56.0, 64.0)
    # With 15, programs read three times as much. With more than 20 they read as much, and people confuse letters.
    rotation_degrees: float = 20.0
    # Perspective (how far a corner moves, in parts of the glyph's own size) and a wave that bends the glyph, in parts
    # of its height. Twice as much halves what programs read, but people confuse letters.
    corner_shift_share: float = 0.12
    wave_height_share: Range = (0.02, 0.05)
    wave_length_share: Range = (0.8, 1.6)

    # The line. The middles of neighbours are this part of their mean width away from each other: below 1 they overlap.
    # What is too long for the picture is pushed together, which happens to every text of six: to some 0.6.
    advance_share: Range = (0.68, 0.74)
    # Up or down from the line, and the least distance of neighbours as a share of the whole span. People need it to
    # separate outlines. Strictly alternating heights would let programs read each half of a picture by itself.
    jump_px: int = 16
    apart_share: float = 0.3

    # Patches lie along the text and exchange the colours of what they cover. With one less, some programs read twice as
    # much. Patches as large as a letter do not disturb people; smaller ones look like parts of letters.
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
# A person who cannot read the sign cannot solve the sum, so glyphs hardly overlap; see `questions`.
SUMS = replace(TEXTS, glyph_width_px=(38.0, 46.0), advance_share=(0.92, 1.02), patches=2)
# Classic frontends show pictures at 80 by 30 pixels of the page. So small, people need filled characters on plain
# paper, and programs read nearly all of them. With small patches or an overlap of three tenths the best program still
# read 72 to 85 of 100, and people had to guess at many. With an overlap of a fifth, H and M lose their stems.
CLASSIC = replace(
    TEXTS,
    width_px=80,
    height_px=30,
    margin_px=2,
    outline_px=None,
    cap_height_px=(17.0, 24.0),
    glyph_width_px=(20.0, 23.0),
    rotation_degrees=18.0,
    corner_shift_share=0.14,
    wave_height_share=(0.04, 0.08),
    advance_share=(0.84, 0.92),
    jump_px=4,
    patches=0,
    patch_variants=0,
)
