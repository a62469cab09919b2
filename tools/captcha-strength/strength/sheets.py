"""Contact sheets: numbered pictures, so that people can test themselves."""

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from strength.service import FONTS

_ACROSS, _DOWN = 5, 8
_GAP, _LINE = 12, 18  # Pixels: around each picture, and for its number.


def write_sheet(pictures: Sequence[tuple[bytes, str]], path: Path) -> None:
    """Write the first 40 pictures as one PNG, and their answers beside it as ``….answers.txt``."""
    shown = [
        (Image.open(io.BytesIO(content)).convert("RGB"), answer) for content, answer in pictures[: _ACROSS * _DOWN]
    ]
    width = max(picture.width for picture, _ in shown) + _GAP
    height = max(picture.height for picture, _ in shown) + _GAP + _LINE
    sheet = Image.new("RGB", (width * _ACROSS + _GAP, height * -(-len(shown) // _ACROSS) + _GAP), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.truetype(str(FONTS[0]), _LINE - 5)
    for index, (picture, _) in enumerate(shown):
        x, y = index % _ACROSS * width + _GAP, index // _ACROSS * height + _GAP
        pen.text((x, y), str(index + 1), fill="black", font=font)
        sheet.paste(picture, (x, y + _LINE))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)
    answers = "".join(f"{number} {answer}\n" for number, (_, answer) in enumerate(shown, start=1))
    path.with_suffix(".answers.txt").write_text(answers)
