"""On the rung proot: names, and ports that are passed on."""

from __future__ import annotations

import re

import docker

from tests.hosts.on_binder.work import IMAGE, get, sh
from tests.waiting import eventually


def test_names_of_a_network_lead_to_the_shared_loopback(client: docker.DockerClient) -> None:
    network = client.networks.create("lab")
    try:
        web = client.containers.run(IMAGE, ["sleep", "300"], name="web", network="lab", detach=True)
        said = sh(client, "cat /etc/hosts", network="lab")
        assert re.search(r"^127\.0\.0\.1\tweb ", said, re.MULTILINE)
        assert "web" not in sh(client, "cat /etc/hosts")
        later = client.containers.run(IMAGE, ["sleep", "300"], name="later", network="lab", detach=True)
        assert b"later" in web.exec_run(["cat", "/etc/hosts"])[1]
        for container in (web, later):
            container.remove(force=True)
    finally:
        network.remove()


def test_a_published_port_is_passed_on_where_its_number_differs(client: docker.DockerClient) -> None:
    script = "import http.server; http.server.test(http.server.SimpleHTTPRequestHandler, port=18081)"
    container = client.containers.run("lab/python", ["python3", "-c", script], ports={"18081/tcp": 18080}, detach=True)
    assert container.client.api.port(container.id, 18081) == [{"HostIp": "127.0.0.1", "HostPort": "18080"}]
    for port in (18080, 18081):
        eventually(lambda port=port: b"200 OK" in get(port), 30)
    container.kill()
    eventually(lambda: not get(18080), 10)
