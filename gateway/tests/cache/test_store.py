"""The store: variants, bounds, and which entries go first."""

from chassis.web import Access
from gateway.cache.freshness import Reuse
from gateway.cache.store import MOST_ENTRY_BYTES, Entry, Key, Store
from gateway.routing.rules import Rule, Service


def entry(body: bytes = b"x", **variant: str) -> Entry:
    return Entry(
        200,
        [("Content-Type", "a/b")],
        body,
        rule=Rule("GET", "/", Service.NEWS, Access.PUBLIC),
        reason="OK",
        ready_headers=[],
        reuse=Reuse(lifetime=1),
        variant=tuple(variant.items()),
        born_at=0,
    )


def key(target: str) -> Key:
    return Key("http", "h", target)


def find(store: Store, target: str, **values: str) -> Entry | None:
    return store.find(key(target), lambda name: values.get(name, ""))


def test_an_entry_is_found_by_scheme_host_and_target() -> None:
    store, stored = Store(100_000), entry()
    store.put(key("/a?b"), stored)
    assert find(store, "/a?b") is stored
    for other in (Key("https", "h", "/a?b"), Key("http", "i", "/a?b"), Key("http", "h", "/a")):
        assert store.find(other, lambda _name: "") is None


def test_variants_stand_beside_each_other_and_take_the_place_of_their_own_kind() -> None:
    store = Store(100_000)
    english, chinese, newer = entry(b"en", language="en"), entry(b"zh", language="zh"), entry(b"new", language="en")
    for each in (english, chinese, newer):
        store.put(key("/"), each)
    assert find(store, "/", language="en") is newer
    assert find(store, "/", language="zh") is chinese
    assert find(store, "/", language="fr") is None
    assert store.count == 1


def test_of_entries_that_all_match_the_newest_answers() -> None:
    store, everywhere = Store(100_000), entry(b"everywhere")
    store.put(key("/"), entry(b"en", language="en"))
    store.put(key("/"), everywhere)
    assert find(store, "/", language="en") is everywhere


def test_an_address_has_sixteen_variants_at_most() -> None:
    store = Store(1_000_000)
    for number in range(20):
        store.put(key("/"), entry(language=str(number)))
    found = [number for number in range(20) if find(store, "/", language=str(number))]
    assert found == list(range(4, 20))


def test_what_was_used_longest_ago_goes_first() -> None:
    size = entry(b"x" * 10_000).size_bytes
    store = Store(3 * size + 100)
    for target in ("/a", "/b", "/c"):
        store.put(key(target), entry(b"x" * 10_000))
    find(store, "/a")
    store.put(key("/d"), entry(b"x" * 10_000))
    assert [target for target in ("/a", "/b", "/c", "/d") if find(store, target)] == ["/a", "/c", "/d"]
    assert store.used_bytes <= 3 * size + 100


def test_bytes_are_counted_back_when_entries_go() -> None:
    store, english, chinese = Store(100_000), entry(language="en"), entry(language="zh")
    store.put(key("/"), english)
    store.put(key("/"), chinese)
    store.remove(key("/"), english)
    assert (find(store, "/", language="en"), find(store, "/", language="zh")) == (None, chinese)
    store.remove(key("/"))
    store.remove(key("/"))
    assert (store.count, store.used_bytes) == (0, 0)


def test_an_updated_entry_takes_the_place_of_its_old_form() -> None:
    store, old, new = Store(100_000), entry(language="en"), entry(cookie="a")
    store.put(key("/"), old)
    store.put(key("/"), new, instead_of=old)
    assert find(store, "/", language="en") is None
    assert store.used_bytes == new.size_bytes + len("h/")


def test_an_entry_takes_an_eighth_at_most_and_what_does_not_fit_is_not_kept() -> None:
    assert Store(8 * 1024).most_entry_bytes == 1024
    assert Store(2**30).most_entry_bytes == MOST_ENTRY_BYTES
    store = Store(100)
    store.put(key("/"), entry())
    assert (store.count, store.used_bytes) == (0, 0)
