"""The yardstick of the benchmarks: the least that Flask can answer."""

from flask import Flask

app = Flask(__name__)


@app.get("/")
@app.get("/readyz")
def hello() -> dict[str, str]:
    """Answer a few bytes of JSON."""
    return {"hello": "world"}
