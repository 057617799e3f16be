"""The runtime's own tests where cgroup v2 is all there is: in a machine that boots for them (``guest.py``)."""

from __future__ import annotations

import re

import pytest

from containerlab.errors import HostLacks
from tests.hosts import guest


@pytest.mark.slow
@pytest.mark.vm
@pytest.mark.root
def test_the_runtimes_tests_pass_with_cgroup_v2_alone() -> None:
    try:
        code, said = guest.run(["-p", "no:cacheprovider", "--tb=short", "-v", *guest.MODULES])
    except HostLacks as lacks:
        pytest.skip(str(lacks))
    assert re.findall(r"^@guest mounts (\S+)$", said, re.MULTILINE) == ["cgroup2"]
    assert code == 0, said[-20000:]
    # Of these, none may have been skipped for want of what is proved here.
    for name in ("bpf_filter_decides", "v2_freezes_kills_and_counts", "only_the_devices_on_the_list"):
        assert re.search(rf"::test_{name}\S* PASSED", said), name
