"""What a request costs the gateway, by processor time, against Flask's bare answer under the same worker class.

nginx and HAProxy in the gateway's place show what the machine can do.
"""

from collections.abc import Iterator
from contextlib import ExitStack

from bench.accounts import signed_token
from bench.contenders import Contender, Scene, compare_speeds, run_rounds, scene
from bench.effort import Effort, NotMeasured, Tell
from bench.table import Row
from local.settings import free_ports
from stage.proxies import ProgramMissing, haproxy, nginx_proxy

_ME, _LIST = "/api/v1/users/me", "/api/v1/news?limit=20"
_BARE = "Flask's bare answer"


def measure(effort: Effort, tell: Tell) -> Iterator[Row]:
    """Measure the gateway's ways to answer a read."""
    with ExitStack() as ends:
        tell("starting nginx, HAProxy, the gateway and its yardsticks")
        try:
            contenders = _start(ends, ends.enter_context(scene()))
        except ProgramMissing as error:
            raise NotMeasured(str(error)) from error
        run_rounds(contenders.values(), effort, lambda text: tell(f"reads through the gateway, {text}"), rounds=2)
    yield compare_speeds(contenders["proxied"], contenders["hello"], _BARE, at_least=0.9)
    yield compare_speeds(contenders["cached"], contenders["hello"], _BARE, at_least=1.5)
    yield compare_speeds(contenders["proxied"], contenders["bare proxy"], "our bare proxy", at_least=0.8)
    for name in ("nginx", "HAProxy"):
        yield compare_speeds(contenders[name], contenders["hello"], _BARE)


def _start(ends: ExitStack, place: Scene) -> dict[str, Contender]:
    """Start all, and return them by a short name."""
    nginx_port, haproxy_port = free_ports(2)
    gateway = ends.enter_context(place.run("gateway"))
    hello = ends.enter_context(place.run("hello", app="stage.hello:app"))
    bare = ends.enter_context(place.run("bare-proxy", app="stage.bare_proxy:app"))
    nginx = ends.enter_context(nginx_proxy(place.folder, nginx_port, service_port=place.service_port))
    other = ends.enter_context(haproxy(place.folder, haproxy_port, service_port=place.service_port))
    bearer = {"Authorization": f"Bearer {signed_token(place.key, 1)}"}
    return {
        "hello": Contender(_BARE, *hello, "/"),
        "proxied": Contender("a signed-in read, proxied", *gateway, _ME, bearer),
        "cached": Contender("an anonymous read, from the cache", *gateway, _LIST),
        "bare proxy": Contender("our bare proxy", *bare, _ME),
        "nginx": Contender("the same through nginx", nginx, nginx_port, _ME),
        "HAProxy": Contender("the same through HAProxy", other, haproxy_port, _ME),
    }
