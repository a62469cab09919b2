"""What Tesseract 5.3 prints for a list of pictures."""

from strength.tesseract import pages_of


def test_every_picture_has_its_page() -> None:
    assert pages_of("Y7JY7 -\n\fT9 AQ7\n\f\f1F\n") == ["Y7JY7-", "T9AQ7", "", "1F"]


def test_one_picture_has_one_page() -> None:
    assert pages_of("Y7JY7\n") == ["Y7JY7"]
    assert pages_of("") == [""]
