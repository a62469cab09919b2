"""A FastAPI service behind the gateway: it reads who sends a request, and refuses everything else."""

import os
from typing import Annotated

import jwt
from fastapi import Depends, FastAPI, Header, HTTPException

NAME, ISSUER = "fastapi-orders", "xinjing-gateway"
KEYS = jwt.PyJWKClient(f"{os.environ['GATEWAY_URL']}/.well-known/gateway-jwks.json", lifespan=300, timeout=5)


def read_identity(x_identity: Annotated[str, Header()] = ""):
    try:
        key = KEYS.get_signing_key_from_jwt(x_identity)
        return jwt.decode(x_identity, key, algorithms=["ES256"], audience=NAME, issuer=ISSUER)
    except jwt.PyJWTError as error:
        raise HTTPException(401) from error


app = FastAPI(title=NAME, dependencies=[Depends(read_identity)], docs_url=None, redoc_url=None)


@app.get("/examples/fastapi/{rest:path}")
def show(rest: str, user: Annotated[dict, Depends(read_identity)]):
    return {"path": rest, "user": user["sub"], "roles": user["roles"]}
