"""Options that no other case uses: each works, or is refused by its name; what is known to neither is in no table.

``option_table.py`` says of every option of the docker command line which case proves it.
"""

from __future__ import annotations

import json

import pytest

from tests.clients.conftest import IMAGE

NEWER = ("requires API version", "unknown flag")


def newer(answer) -> None:
    """Skip where the command line or the engine is older than the option."""
    if any(said in answer.err for said in NEWER):
        pytest.skip("older than the option")


@pytest.fixture
def network(cli, name):
    yield f"{name}-net"
    cli("network", "rm", f"{name}-net")


@pytest.mark.ours("Docker carries these out, where the kernel does")
@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--blkio-weight-device", "/dev/null:100"),
        ("--cpu-rt-period", "1000"),
        ("--cpu-rt-runtime", "1000"),
        ("--device-read-iops", "/dev/null:10"),
        ("--device-write-bps", "/dev/null:1mb"),
        ("--device-write-iops", "/dev/null:10"),
        ("--volume-driver", "nosuch"),
    ],
)
def test_an_option_of_run_that_is_not_carried_out_is_refused_by_name(cli, option, value):
    answer = cli("run", "--rm", option, value, "-v", "v:/v", IMAGE, "true")
    assert answer.code == 125
    assert option in answer.err


@pytest.mark.ours("Docker 20.10 warns, and a kernel of today doesn't limit it")
def test_kernel_memory_is_refused_where_a_client_still_sends_it(cli):
    answer = cli("run", "--rm", "--kernel-memory", "20m", IMAGE, "true")
    # Docker's command line sends it no more since API 1.42, and takes it for nothing.
    assert answer.code == 0 or "--kernel-memory" in answer.err


@pytest.mark.parametrize(
    ("option", "value"),
    [("--cpu-count", "1"), ("--cpu-percent", "5"), ("--io-maxbandwidth", "1m"), ("--io-maxiops", "1")],
)
def test_options_of_windows_are_refused_by_the_command_line(cli, option, value):
    answer = cli("run", "--rm", "--network", "none", option, value, IMAGE, "true")
    assert answer.code != 0
    assert option in answer.err


def test_annotations_are_kept(cli, name):
    answer = cli("create", "--annotation", "a=b", "--name", name, IMAGE, "true")
    newer(answer)
    assert json.loads(cli.ok("inspect", "-f", "{{json .HostConfig.Annotations}}", name)) == {"a": "b"}


def test_a_check_of_health_has_its_own_pace_at_the_start(cli, name):
    answer = cli("create", "--health-cmd", "true", "--health-start-interval", "2s", "--name", name, IMAGE, "true")
    newer(answer)
    assert json.loads(cli.ok("inspect", "-f", "{{json .Config.Healthcheck}}", name))["StartInterval"] == 2 * 10**9


@pytest.mark.counted
def test_the_killer_of_processes_is_switched_off_and_swapping_is_tuned(cli):
    script = "cd /sys/fs/cgroup/memory && grep oom_kill_disable memory.oom_control; cat memory.swappiness"
    options = ("--network", "none", "--oom-kill-disable", "--memory-swappiness", "30")
    answer = cli("run", "--rm", *options, IMAGE, "sh", "-c", script)
    if "can't cd" in answer.err or "No such file" in answer.err:
        pytest.skip("cgroup v2 has neither")
    assert answer.out.split() == ["oom_kill_disable", "1", "30"]
    assert "OOM killer is disabled for the container, but no memory limit is set" in answer.err


@pytest.mark.root
def test_a_privileged_exec_has_every_capability(cli, name):
    cli.ok("run", "-d", "--network", "none", "--name", name, IMAGE, "sleep", "1000")
    answer = cli("exec", "--privileged", name, "grep", "CapEff", "/proc/self/status")
    if "unable to apply caps" in answer.out:
        pytest.skip("this host keeps some capabilities from everybody")
    assert int(answer.out.split()[1], 16) & (1 << 21)


def test_variables_of_an_exec_come_from_a_file(cli, name, tmp_path):
    (tmp_path / "env").write_text("FROM_FILE=yes\n")
    cli.ok("run", "-d", "--network", "none", "--name", name, IMAGE, "sleep", "1000")
    assert cli.ok("exec", "--env-file", str(tmp_path / "env"), name, "sh", "-c", "echo $FROM_FILE") == "yes"


def test_the_last_containers_are_listed_with_their_sizes(cli, name):
    cli.ok("create", "--network", "none", "--name", name, IMAGE, "true")
    assert len(cli.ok("container", "ls", "--last", "1", "--quiet").split()) == 1
    assert len(cli.ok("container", "ls", "--latest", "--size", "--format", "{{.Size}}").splitlines()) == 1


def test_stats_of_all_are_also_of_those_that_do_not_run(cli, name):
    cli.ok("create", "--network", "none", "--name", name, IMAGE, "true")
    assert name in cli.ok("stats", "--all", "--no-stream", "--format", "{{.Name}}").split()


@pytest.mark.ours("the dockerd here is older than the option, and passes it over")
def test_the_signal_of_a_restart(cli, name):
    script = "trap 'echo told' USR1; echo up; while :; do sleep 0.05; done"
    cli.ok("run", "-d", "--network", "none", "--name", name, IMAGE, "sh", "-c", script)
    while "up" not in cli.ok("logs", name):
        pass
    answer = cli("restart", "--signal", "USR1", "-t", "1", name)
    newer(answer)
    assert "told" in cli.ok("logs", name)


def test_a_checkpoint_is_refused(cli, name):
    cli.ok("create", "--network", "none", "--name", name, IMAGE, "true")
    for words in (("--checkpoint", "x"), ("--checkpoint-dir", "/x", "--checkpoint", "x")):
        answer = cli("start", *words, name)
        assert answer.code != 0
        assert "checkpoint" in answer.err


# -- builds -----------------------------------------------------------------------------------------


@pytest.fixture
def context(tmp_path):
    (tmp_path / "Dockerfile").write_text(f"FROM {IMAGE} AS one\nRUN cat /etc/hosts\nFROM {IMAGE}\nRUN false\n")
    return str(tmp_path)


def test_a_stage_is_built_with_a_name_of_another_machine(cli, context):
    answer = cli("build", "--no-cache", "--target", "one", "--add-host", "db:1.2.3.4", context)
    assert answer.code == 0
    assert "1.2.3.4\tdb" in answer.out


@pytest.mark.counted
@pytest.mark.parametrize(
    "options",
    [
        ("--cpu-period", "50000", "--cpu-quota", "20000", "--cpu-shares", "512"),
        ("--cpuset-cpus", "0", "--cpuset-mems", "0"),
        ("-m", "50m", "--memory-swap", "60m"),
        ("--shm-size", "16m"),
        ("--cache-from", IMAGE),
        ("--disable-content-trust",),
    ],
    ids=lambda options: options[0].strip("-"),
)
def test_limits_and_hints_of_a_build_are_taken(cli, context, options):
    assert cli("build", "--no-cache", "--target", "one", *options, context).code == 0


@pytest.mark.ours("Docker carries some of them out")
@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--cgroup-parent", "/x"), "cgroupparent"),
        (("--isolation", "hyperv"), "isolation"),
        (("--security-opt", "x"), "securityopt"),
        (("--squash",), "squash"),
        (("--ulimit", "nofile=77"), "ulimits"),
    ],
    ids=lambda value: value[0].strip("-") if isinstance(value, tuple) else "",
)
def test_an_option_of_build_that_is_not_carried_out_is_refused_by_name(cli, context, options, named):
    answer = cli("build", "--target", "one", *options, context)
    assert answer.code == 1
    assert named in answer.err


def test_a_cache_is_pruned_down_to_what_is_kept(cli):
    assert cli("builder", "prune", "-f", "--filter", "until=999h", "--keep-storage", "100GB").code == 0


# -- networks and volumes ---------------------------------------------------------------------------


def test_the_addresses_of_a_network(cli, network, name):
    words = ("--subnet", "10.213.0.0/16", "--ip-range", "10.213.5.0/24", "--gateway", "10.213.0.1")
    cli.ok("network", "create", "--attachable", *words, "--aux-address", "router=10.213.5.3", network)
    assert cli.ok("network", "inspect", "--verbose", "-f", "{{.Attachable}}", network) == "true"
    [pool] = json.loads(cli.ok("network", "inspect", "-f", "{{json .IPAM.Config}}", network))
    assert pool["IPRange"] == "10.213.5.0/24"
    assert pool["AuxiliaryAddresses"] == {"router": "10.213.5.3"}
    cli.ok("create", "--name", name, IMAGE, "ip", "-4", "addr")
    cli.ok("network", "connect", "--ip", "10.213.5.9", network, name)
    assert "10.213.5.9/16" in cli.ok("start", "-a", name)


def test_addresses_of_the_sixth_version(cli, network, name):
    cli.ok("network", "create", "--ipv6", "--subnet", "fd00:213::/64", network)
    shown = cli.ok("run", "--rm", "--network", network, "--ip6", "fd00:213::77", IMAGE, "ip", "-6", "addr")
    assert "fd00:213::77" in shown
    cli.ok("create", "--name", name, IMAGE, "true")
    cli.ok("network", "connect", "--ip6", "fd00:213::78", network, name)


def test_the_size_of_a_networks_packets(cli, network):
    cli.ok("network", "create", "--opt", "com.docker.network.driver.mtu=1400", network)
    assert cli.ok("run", "--rm", "--network", network, IMAGE, "cat", "/sys/class/net/eth0/mtu") == "1400"


@pytest.mark.ours("Docker needs swarm, another driver or another network for some, and passes over others")
@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--config-only", "--internal"),
        ("--config-from", "nosuch"),
        ("--ingress", "--internal"),
        ("--ipam-driver", "nosuch"),
        ("--ipam-opt", "a=b"),
        ("--scope", "swarm"),
        ("--ipv4=false", "--internal"),
    ],
)
def test_an_option_of_a_network_that_is_not_carried_out_is_refused_by_name(cli, network, option, value):
    answer = cli("network", "create", option, value, network)
    newer(answer)
    assert answer.code == 1
    assert option in answer.err


@pytest.mark.ours("Docker gives the interface one more address")
def test_an_address_of_the_link_alone_is_refused_by_name(cli, network):
    cli.ok("network", "create", network)
    answer = cli("run", "--rm", "--network", network, "--link-local-ip", "169.254.1.1", IMAGE, "true")
    assert answer.code == 125
    assert "--link-local-ip" in answer.err


@pytest.mark.ours("Docker takes them for its own drivers")
@pytest.mark.parametrize(
    ("option", "value"), [("--driver-opt", "a=b"), ("--gw-priority", "5"), ("--link-local-ip", "1.1.1.1")]
)
def test_an_option_of_connect_that_is_not_carried_out_is_refused_by_name(cli, network, name, option, value):
    cli.ok("network", "create", network)
    cli.ok("create", "--name", name, IMAGE, "true")
    answer = cli("network", "connect", option, value, network, name)
    newer(answer)
    assert answer.code == 1
    assert option in answer.err


@pytest.mark.ours("the dockerd here knows no cluster volumes")
def test_a_cluster_volume_is_refused(cli, name):
    options = ("--type", "block", "--scope", "multi", "--sharing", "all", "--availability", "pause", "--group", "x")
    sizes = ("--limit-bytes", "2", "--required-bytes", "1", "--secret", "a=b")
    places = ("--topology-preferred", "a=b", "--topology-required", "a=b")
    answer = cli("volume", "create", *options, *sizes, *places, name)
    newer(answer)
    assert answer.code == 1
    assert "a cluster volume" in answer.err
    assert cli.ok("volume", "ls", "--cluster", "-q") == ""


def test_every_unused_volume_is_pruned_with_all(cli, name):
    cli.ok("volume", "create", name)
    answer = cli("volume", "prune", "--all", "--force", "--filter", f"label!={name}")
    newer(answer)
    assert cli("volume", "inspect", name).code == 1


# -- what a client alone reads, or what is not here -------------------------------------------------


def test_images_are_listed_with_their_digests(cli):
    assert cli.ok("image", "ls", "--digests", "--format", "{{.Digest}}", IMAGE)
    answer = cli("image", "ls", "--tree")
    newer(answer)
    assert IMAGE in answer.out


def test_an_image_without_untagged_parents_is_removed_all_the_same(cli, name):
    cli.ok("tag", IMAGE, name)
    assert "Untagged" in cli.ok("rmi", "--no-prune", name)


def test_facts_in_a_format(cli, name):
    assert cli.ok("system", "info", "--format", "{{.OSType}}") == "linux"
    cli.ok("volume", "create", name)
    shown = cli.ok("volume", "ls", "--format", "{{.Name}} {{.Driver}}").splitlines()
    cli.ok("volume", "rm", name)
    assert f"{name} local" in shown


def test_a_setting_of_kubernetes_is_the_command_lines_own(cli):
    answer = cli("version", "--kubeconfig", "/nowhere", "--format", "{{.Server.Os}}")
    newer(answer)
    assert answer.out.strip() == "linux"


@pytest.mark.ours("searching is Docker Hub's service, which a real daemon asks")
def test_searching_is_not_here(cli):
    answer = cli("search", "--filter", "is-official=true", "--format", "x", "--limit", "1", "--no-trunc", "x")
    assert answer.code == 1
    assert "page not found" in answer.err


def test_a_platform_and_trust_reach_the_registry_that_is_not_there(cli):
    for verb in ("pull", "push"):
        answer = cli(verb, "--disable-content-trust", "127.0.0.1:1/x")
        assert answer.code == 1
    answer = cli("pull", "--platform", "linux/amd64", "127.0.0.1:1/x")
    assert answer.code == 1
    assert "127.0.0.1:1" in answer.err


@pytest.mark.ours("the dockerd here is older than the option")
def test_an_archive_for_another_platform_is_not_loaded(cli):
    answer = cli("load", "--platform", "linux/s390x")
    newer(answer)
    assert answer.code == 1
    assert "linux/s390x" in answer.err
