"""The attackers, by name."""

from collections.abc import Callable

from PIL import Image

from strength import models, tesseract

# Reads pictures (RGB), knowing the possible lengths; gives the texts by the way it tried, the untouched picture first.
Reader = Callable[[list[Image.Image], set[int]], dict[str, list[str]]]
SOLVERS: dict[str, Callable[[], Reader]] = {
    "ddddocr": lambda: models.ddddocr(beta=False).read,
    "ddddocr beta": lambda: models.ddddocr(beta=True).read,
    "svtrv2": lambda: models.svtrv2().read,
    "captcha-whisperer": lambda: models.whisperer().read,
    "PP-OCRv4": lambda: models.paddle().read,
    "tesseract": lambda: tesseract.read,
}
