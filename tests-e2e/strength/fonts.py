"""The fonts that this repository draws with: an attacker has them too."""

from pathlib import Path

FONTS = sorted((Path(__file__).parents[2] / "captcha-service" / "captcha_service" / "fonts").glob("*.[ot]tf"))
