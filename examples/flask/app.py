"""A Flask service behind the gateway: it reads who sends a request, and refuses everything else."""

import os

import jwt
from flask import Flask, abort, g, request

NAME, ISSUER = "flask-orders", "xinjing-gateway"
KEYS = jwt.PyJWKClient(f"{os.environ['GATEWAY_URL']}/.well-known/gateway-jwks.json", lifespan=300, timeout=5)
app = Flask(__name__)


@app.before_request
def read_identity():
    token = request.headers.get("X-Identity", "")
    try:
        key = KEYS.get_signing_key_from_jwt(token)
        g.user = jwt.decode(token, key, algorithms=["ES256"], audience=NAME, issuer=ISSUER)
    except jwt.PyJWTError:
        abort(401)


@app.get("/examples/flask/<path:rest>")
def show(rest):
    return {"path": rest, "user": g.user["sub"], "roles": g.user["roles"]}
