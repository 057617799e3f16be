"""Container names and ids, and finding a container by them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from containerlab.engine import names
from containerlab.engine.container import Container, Registry
from containerlab.engine.names import near, new_id, random_name, validate
from containerlab.engine.state import ContainerState
from containerlab.errors import Conflict, InvalidParameter, NoSuchContainer


@pytest.mark.parametrize("name", ["ab", "/ab", "a_b.c-d", "1a", "A1", "a..", "a-", "web.1", "a" * 255])
def test_a_name_of_docker_s_grammar_is_one(name: str) -> None:
    assert validate(name) == name.removeprefix("/")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a",
        "/",
        "/a",
        "..",
        ".",
        "../x",
        "a/b",
        "//ab",
        "-ab",
        "--rm",
        "_ab",
        ".ab",
        "ab\n",
        "\nab",
        "a b",
        "a:b",
        "a\0b",
        "äb",
        "a\u0661",
        "a\ud800",
        "ab/",
        "%2e%2e",
        "a;b",
        "a" * 256,
        "a" * 300,
        "a" * 100_000,
    ],
)
def test_a_name_that_breaks_docker_s_grammar_is_refused_as_a_bad_request(name: str) -> None:
    with pytest.raises(InvalidParameter, match=r"^Invalid container name \(") as refused:
        validate(name)
    assert refused.value.status == 400
    assert len(refused.value.message) < 400


def test_a_refused_name_is_told_in_docker_s_words() -> None:
    with pytest.raises(InvalidParameter) as refused:
        validate("-x")
    assert refused.value.message == "Invalid container name (-x), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"


def test_random_names_are_names_and_seldom_the_same() -> None:
    made = [random_name(lambda name: False) for _ in range(200)]
    assert [validate(name) for name in made] == made
    assert all(name.count("_") == 1 for name in made)
    assert len(set(made)) > 150


def test_a_random_name_is_a_free_one_with_digits_after_some_clashes() -> None:
    asked: list[str] = []

    def taken(name: str) -> bool:
        asked.append(name)
        return len(asked) < 10

    found = random_name(taken)
    assert found == asked[9]
    assert found[-1].isdigit()
    assert not asked[0][-1].isdigit()


def test_a_name_is_found_even_where_all_are_taken() -> None:
    assert validate(random_name(lambda name: True)).startswith("container_")


def test_an_id_is_64_hex_digits_whose_short_form_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(each) == 64 and not set(each) - set("0123456789abcdef") for each in ids)
    offered = iter(["1" * 64, "123456789012" + "a" * 52, "a" * 64])
    monkeypatch.setattr(names.secrets, "token_hex", lambda size: next(offered))
    assert new_id() == "a" * 64


@pytest.mark.parametrize(
    ("name", "expected"),
    [("web2", "Did you mean web1?"), ("/web2", "Did you mean web1?"), ("zzz", ""), ("", "")],
)
def test_a_near_name_is_offered(name: str, expected: str) -> None:
    assert near(name, ["db", "web1"]) == expected


@pytest.fixture
def registry(make_container: Callable[..., Container]) -> Registry:
    found = Registry()
    for name, digits in (("web", "ab"), ("db", "ac"), ("acc", "ff")):
        found.add(make_container(name, id=digits * 32))
    return found


@pytest.mark.parametrize(
    ("ref", "name"),
    [("ab" * 32, "web"), ("web", "web"), ("/web", "web"), ("ab", "web"), ("acac", "db"), ("acc", "acc"), ("f", "acc")],
)
def test_a_container_is_found_by_id_then_name_then_prefix(registry: Registry, ref: str, name: str) -> None:
    assert registry.get(ref).name == name


def test_a_prefix_of_two_ids_is_refused_in_docker_s_words(registry: Registry) -> None:
    with pytest.raises(InvalidParameter, match=r"^Multiple IDs found with provided prefix: a$"):
        registry.get("a")


@pytest.mark.parametrize("ref", ["", "/", "wef", "abc"])
def test_nobody_s_name_is_not_found(registry: Registry, ref: str) -> None:
    with pytest.raises(NoSuchContainer, match=f"^No such container: {ref}"):
        registry.get(ref)


def test_a_name_belongs_to_one_until_it_is_given_back(registry: Registry) -> None:
    registry.reserve("new", "1" * 64)
    registry.reserve("new", "1" * 64)
    with pytest.raises(Conflict) as refused:
        registry.reserve("new", "2" * 64)
    assert refused.value.message == (
        f'Conflict. The container name "/new" is already in use by container "{"1" * 64}". You have to remove (or '
        "rename) that container to be able to reuse that name."
    )
    registry.release("new")
    registry.reserve("new", "2" * 64)


def test_a_container_that_is_gone_leaves_id_and_name_free(registry: Registry) -> None:
    web = registry.get("web")
    registry.discard(web)
    assert not registry.taken("web")
    assert web.id not in registry
    assert len(registry) == 2
    registry.discard(web)


def test_a_renamed_container_that_goes_does_not_free_another_s_name(registry: Registry) -> None:
    web, db = registry.get("web"), registry.get("db")
    web.name = db.name
    registry.discard(web)
    assert registry.get("db") is db


def test_a_registry_may_lose_containers_while_it_is_walked(registry: Registry) -> None:
    for container in registry:
        registry.discard(container)
    assert not len(registry)


@pytest.mark.parametrize(
    ("status", "active", "ended"),
    [
        ("created", False, True),
        ("running", True, False),
        ("paused", True, False),
        ("restarting", True, True),
        ("exited", False, True),
        ("removing", False, True),
        ("dead", False, True),
    ],
)
def test_a_container_is_active_while_docker_calls_it_running(
    make_container: Callable[..., Container], status: str, active: bool, ended: bool
) -> None:
    container = make_container(state=ContainerState(status=status))
    assert container.active is active
    assert container.ended.is_set() is ended
