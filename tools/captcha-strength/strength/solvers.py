"""The attackers, by name."""

from collections.abc import Callable

from PIL import Image

from strength import models, tesseract
from strength.segmentation import Segmentation
from strength.service import Answers

# Takes the forms of some pictures (by the name of the preparation) and what is known of the answers; gives the texts
# by the way it tried, first what it reads in the untouched pictures.
Reader = Callable[[dict[str, list[Image.Image]], Answers], dict[str, list[str]]]
SOLVERS: dict[str, Callable[[], Reader]] = {
    "ddddocr": lambda: models.ddddocr(beta=False).read,
    "ddddocr beta": lambda: models.ddddocr(beta=True).read,
    "svtrv2": lambda: models.svtrv2().read,
    "captcha-whisperer": lambda: models.whisperer().read,
    "PP-OCRv4": lambda: models.paddle().read,
    "tesseract": lambda: tesseract.read,
    "segmentation": lambda: Segmentation().read,
}
