"""Plans, without any engine: from services and what is there to steps and their order."""

from __future__ import annotations

from pathlib import Path

import pytest

from containerlab.compose import labels
from containerlab.compose.ending import DownOptions, plan_down, plan_start, plan_stop
from containerlab.compose.model import (
    Blob,
    BlobUse,
    Dependency,
    Healthcheck,
    Mount,
    Network,
    NetworkUse,
    Project,
    Service,
    Volume,
)
from containerlab.compose.observe import Instance, Observed
from containerlab.compose.plan import UpOptions, plan_up
from containerlab.compose.steps import (
    Await,
    Create,
    Deed,
    MakeNetwork,
    MakeVolume,
    Plan,
    Recreate,
    Remove,
    RemoveImage,
    RemoveNetwork,
    RemoveVolume,
    Rename,
    Restart,
    Start,
    Stop,
)
from containerlab.errors import InvalidParameter, NotFound

ON_DEFAULT = {"default": NetworkUse()}
HEALTH = Healthcheck(test=("CMD", "true"))
MINE = {labels.PROJECT: "p"}


def service(name: str, **said: object) -> Service:
    return Service(name=name, image="i", **{"networks": ON_DEFAULT, **said})


def project(*services: Service, **said: object) -> Project:
    volumes = {"data": Volume(name="p_data")}
    return Project(
        name="p", working_dir=Path("/p"), services={one.name: one for one in services},
        networks={"default": Network(name="p_default")}, **{"volumes": volumes, **said},
    )  # fmt: skip


def instance(of: str, number: int = 1, **said: object) -> Instance:
    return Instance(
        f"id-{of}-{number}",
        **{"name": f"p-{of}-{number}", "service": of, "number": number, "digest": "1", **said},
    )


def there(*instances: Instance) -> Observed:
    return Observed(
        instances,
        {"p_default": {**MINE, labels.NETWORK: "default"}},
        {"p_data": {**MINE, labels.VOLUME: "data"}},
        {"i": "sha256:1"},
    )


def digests(made: Project) -> dict[str, str]:
    return dict.fromkeys(made.services, "1")


def up(made: Project, seen: Observed, **said: object) -> Plan:
    return plan_up(made, seen, digests(made), UpOptions(**said))


def before(plan: Plan, first: Deed, then: Deed) -> bool:
    """Whether ``then`` waits for ``first``, by whatever is between."""
    at, waits = plan.deeds().index(first), set()
    todo = [plan.deeds().index(then)]
    while todo:
        needs = plan.steps[todo.pop()].needs
        waits |= needs
        todo += needs
    return at in waits


def test_from_nothing_networks_and_volumes_come_first_then_containers_then_their_starts() -> None:
    data = Mount(type="volume", source="data", target="/data")
    made = project(service("web", depends_on={"db": Dependency()}), service("db", volumes=(data,)))
    plan = up(made, Observed())
    db, web = Create("db", 1, "p-db-1"), Create("web", 1, "p-web-1")
    assert before(plan, MakeNetwork("default"), web) and before(plan, MakeVolume("data"), db)
    assert not before(plan, MakeVolume("data"), web)
    assert before(plan, db, Start("db", "p-db-1"))
    assert before(plan, Start("db", "p-db-1"), Start("web", "p-web-1"))
    assert not before(plan, Start("db", "p-db-1"), web), "making a container needs nobody to run"
    assert len(plan.steps) == 6


def test_a_start_waits_for_the_condition_that_the_file_names() -> None:
    made = project(
        service("web", depends_on={"db": Dependency(condition="service_healthy")}),
        service("worker", depends_on={"job": Dependency(condition="service_completed_successfully", required=False)}),
        service("db", healthcheck=HEALTH), service("job"),
    )  # fmt: skip
    plan = up(made, Observed())
    healthy = Await("db", "service_healthy", ("p-db-1",))
    ended = Await("job", "service_completed_successfully", ("p-job-1",), required=False)
    assert before(plan, Start("db", "p-db-1"), healthy) and before(plan, healthy, Start("web", "p-web-1"))
    assert before(plan, ended, Start("worker", "p-worker-1")) and not before(
        plan, healthy, Start("worker", "p-worker-1")
    )


def test_what_is_as_it_should_be_is_left_alone() -> None:
    made = project(service("web", scale=2))
    plan = up(made, there(instance("web"), instance("web", 2)))
    assert not plan.steps and [one.name for one in plan.kept] == ["p-web-1", "p-web-2"]


def test_only_a_changed_service_is_made_anew() -> None:
    made = project(service("web", depends_on={"db": Dependency()}), service("db"))
    old = instance("web", digest="0")
    plan = up(made, there(old, instance("db")))
    assert plan.deeds() == [Recreate("web", 1, "p-web-1", old), Start("web", "p-web-1")]


def test_a_new_image_makes_a_container_anew() -> None:
    plan = up(project(service("web")), there(instance("web", image_id="sha256:0")))
    assert isinstance(plan.deeds()[0], Recreate)
    assert not up(project(service("web")), there(instance("web", image_id="sha256:1"))).steps


def test_force_recreate_is_for_the_services_that_were_named() -> None:
    made = project(service("web", depends_on={"db": Dependency()}), service("db"))
    seen = there(instance("web"), instance("db"))
    plan = up(made, seen, recreate="force", targets=frozenset({"web"}))
    assert [deed.service for deed in plan.deeds() if isinstance(deed, Recreate)] == ["web"]
    plan = up(made, seen, recreate="force")
    assert [deed.service for deed in plan.deeds() if isinstance(deed, Recreate)] == ["db", "web"]


def test_no_recreate_only_starts_what_has_ended() -> None:
    made = project(service("web"), service("db"))
    plan = up(made, there(instance("web", digest="0"), instance("db", digest="0", state="exited")), recreate="never")
    assert plan.deeds() == [Start("db", "p-db-1")]


def test_containers_of_a_scaled_service_are_made_anew_one_by_one() -> None:
    made = project(service("web", scale=3, healthcheck=HEALTH))
    olds = [instance("web", number, digest="0") for number in (1, 2, 3)]
    plan = up(made, there(*olds))
    for old in olds[:2]:
        healthy = Await("web", "service_healthy", (old.name,))
        then = Recreate("web", old.number + 1, f"p-web-{old.number + 1}", olds[old.number])
        assert before(plan, Start("web", old.name), healthy) and before(plan, healthy, then)


def test_scaling_up_adds_numbers_and_scaling_down_takes_the_highest() -> None:
    made = project(service("web"))
    plan = up(made, there(instance("web"), instance("web", 3)), scale={"web": 3})
    assert Create("web", 4, "p-web-4") in plan.deeds() and len(plan.deeds()) == 2
    three = [instance("web", number) for number in (1, 2, 3)]
    plan = up(made, there(*three), scale={"web": 1})
    assert [deed.old.number for deed in plan.deeds() if isinstance(deed, Remove)] == [2, 3]
    assert before(plan, Stop(three[2]), Remove(three[2], force=True))
    plan = up(made, there(instance("web", digest="0"), instance("web", 2)), scale={"web": 1})
    assert [deed.old.number for deed in plan.deeds() if isinstance(deed, Remove)] == [1], "the outdated one goes first"


def test_a_service_with_a_name_of_its_own_has_one_container() -> None:
    with pytest.raises(InvalidParameter, match="custom container name"):
        up(project(service("web", container_name="www")), Observed(), scale={"web": 2})


def test_a_recreation_that_was_cut_off_is_finished() -> None:
    made = project(service("web"))
    passing = instance("web", name="abc_p-web-1", state="created", replaces="id-old")
    old = instance("web", digest="0")
    plan = up(made, there(passing, old))
    assert Remove(passing, force=True) in plan.deeds() and isinstance(plan.deeds()[1], Recreate)
    plan = up(made, there(passing))
    assert plan.deeds() == [Rename(passing, "p-web-1"), Start("web", "p-web-1")]
    assert before(plan, *plan.deeds())


def test_a_container_that_never_got_all_its_networks_is_made_anew() -> None:
    made = project(service("web"))
    assert isinstance(up(made, there(instance("web", state="created", networks=frozenset()))).deeds()[0], Recreate)
    whole = instance("web", state="created", networks=frozenset({"p_default", "more"}))
    assert up(made, there(whole)).deeds() == [Start("web", "p-web-1")]


def test_a_container_that_never_got_the_text_of_its_secret_is_made_anew() -> None:
    text, use = Blob(name="word", environment="WORD"), BlobUse(source="word", target="/run/secrets/word")
    made = project(service("web", secrets=(use,)), secrets={"word": text}, environment={"WORD": "x"})
    assert isinstance(up(made, there(instance("web", state="created"))).deeds()[0], Recreate)
    assert up(made, there(instance("web", state="exited"))).deeds() == [Start("web", "p-web-1")]


def test_who_shares_a_namespace_is_made_anew_with_it() -> None:
    made = project(
        service("web"), service("side", networks={}, network_mode="service:web", depends_on={"web": Dependency()})
    )
    plan = up(made, there(instance("web", digest="0"), instance("side")))
    web, side = (deed for deed in plan.deeds() if isinstance(deed, Recreate))
    assert side.service == "side" and before(plan, web, side)


def test_who_sits_in_the_namespace_of_a_container_that_is_gone_is_made_anew() -> None:
    made = project(
        service("web"), service("side", networks={}, network_mode="service:web", depends_on={"web": Dependency()})
    )
    web = instance("web")
    assert not up(made, there(web, instance("side", network_mode=f"container:{web.id}"))).steps
    assert isinstance(up(made, there(web, instance("side", network_mode="container:gone"))).deeds()[0], Recreate)


def test_who_asks_for_it_restarts_with_what_it_depends_on() -> None:
    made = project(service("web", depends_on={"db": Dependency(restart=True)}), service("db"))
    web = instance("web")
    plan = up(made, there(web, instance("db", digest="0")))
    assert before(plan, Start("db", "p-db-1"), Restart(web))


def test_orphans_are_told_or_removed_and_a_run_under_way_is_none() -> None:
    made = project(service("web"), disabled={"off": service("off")})
    old, run = instance("old"), instance("gone", name="p-gone-run-1", oneoff=True)
    seen = there(instance("web"), old, run, instance("off"))
    plan = up(made, seen)
    assert plan.orphans == [old] and not plan.steps
    assert Remove(old, force=True) in up(made, seen, remove_orphans=True).deeds()


def test_what_is_external_must_be_there() -> None:
    made = project(service("web"))
    outside = {"default": Network(name="shared", external=True)}
    with pytest.raises(NotFound, match="network shared declared as external, but could not be found"):
        up(Project(name="p", working_dir=Path("/p"), services=made.services, networks=outside), Observed())
    data = Mount(type="volume", source="data", target="/data")
    made = project(service("web", volumes=(data,)), volumes={"data": Volume(name="kept", external=True)})
    with pytest.raises(NotFound, match='external volume "kept" not found'):
        up(made, Observed())


def test_somebody_elses_network_is_used_with_a_warning() -> None:
    plan = up(project(service("web")), Observed(networks={"p_default": {}}))
    assert "was not created by compose" in plan.warnings[0]
    assert not [deed for deed in plan.deeds() if isinstance(deed, MakeNetwork)]


def test_wait_waits_for_every_service() -> None:
    made = project(
        service("web", depends_on={"job": Dependency(condition="service_completed_successfully")}), service("job")
    )
    waits = [deed for deed in up(made, Observed(), wait=True).deeds() if isinstance(deed, Await) and deed.or_running]
    assert {(deed.service, deed.condition) for deed in waits} == {
        ("web", "service_healthy"), ("job", "service_completed_successfully"),
    }  # fmt: skip


def test_down_ends_dependents_first_and_what_they_stood_on_last() -> None:
    made = project(service("web", depends_on={"db": Dependency()}), service("db"))
    db, web = instance("db"), instance("web")
    plan = plan_down("p", made, there(db, web), DownOptions(volumes=True, images="all"))
    assert before(plan, Remove(web, volumes=True, force=True), Stop(db))
    for last in (RemoveNetwork("p_default"), RemoveVolume("p_data"), RemoveImage("i")):
        assert before(plan, Remove(db, volumes=True, force=True), last)
    kept = plan_down("p", made, there(db, web), DownOptions(images="local")).deeds()
    assert not [deed for deed in kept if isinstance(deed, (RemoveVolume, RemoveImage))]


def test_down_without_a_file_goes_by_labels() -> None:
    db, web = instance("db"), instance("web", depends_on=("db",))
    plan = plan_down("p", None, there(db, web), DownOptions())
    assert before(plan, Remove(web, force=True), Stop(db)) and RemoveNetwork("p_default") in plan.deeds()


def test_stop_goes_backwards_and_start_forwards() -> None:
    made = project(
        service("web", depends_on={"db": Dependency(condition="service_healthy")}), service("db", healthcheck=HEALTH)
    )
    db, web = instance("db"), instance("web")
    assert before(plan_stop(made, [db, web], 3), Stop(web, 3), Stop(db, 3))
    db, web = instance("db", state="exited"), instance("web", state="exited")
    plan = plan_start(made, [web, db])
    healthy = Await("db", "service_healthy", ("p-db-1",))
    assert before(plan, Start("db", "p-db-1"), healthy) and before(plan, healthy, Start("web", "p-web-1"))


@pytest.mark.parametrize(
    ("blob", "said", "more"),
    [
        (
            Blob(name="p_x", content="word"),
            'cannot create secret "p_x" in read-only service web: `file` is the sole',
            {"read_only": True},
        ),
        (Blob(name="p_x", environment="UNSET"), 'environment variable "UNSET" required by secret "p_x" is not set', {}),
        (Blob(name="x", external=True), "unsupported external secret x", {}),
    ],
)
def test_a_secret_that_no_container_could_be_given_is_refused_before_anything_is_made(
    blob: Blob, said: str, more: dict[str, object]
) -> None:
    made = project(service("web", secrets=(BlobUse(source="x", target="/run/secrets/x"),), **more), secrets={"x": blob})
    with pytest.raises(InvalidParameter, match=said):
        up(made, Observed())
    of_file = project(*made.services.values(), secrets={"x": Blob(name="p_x", file="/x")})
    assert Create("web", 1, "p-web-1") in up(of_file, Observed()).deeds()
