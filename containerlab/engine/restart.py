"""Restart policies: whether a container that ended is started again, and when.

Source: moby restartmanager/restartmanager.go: 100 ms, doubled each time up to a minute, back to 100 ms once
a run lasted ten seconds.
"""

from __future__ import annotations

from containerlab.engine.models import RestartPolicy
from containerlab.errors import InvalidParameter

__all__ = ["Backoff", "check_policy", "should_restart"]

_FIRST = 0.1
_LONGEST = 60.0
_HEALTHY_RUN = 10.0
_POLICIES = ("", "no", "always", "unless-stopped", "on-failure")


class Backoff:
    """The waits of one container between its end and its next start."""

    def __init__(self) -> None:
        self._next = 0.0

    def after_run(self, seconds: float) -> float:
        """Seconds to wait now, after a run of ``seconds``."""
        if seconds >= _HEALTHY_RUN or not self._next:
            self._next = _FIRST
        else:
            self._next = min(self._next * 2, _LONGEST)
        return self._next


def should_restart(policy: RestartPolicy, *, exit_code: int, restarts: int, manually_stopped: bool) -> bool:
    """What ``policy`` says about an end with ``exit_code`` after ``restarts`` restarts."""
    if manually_stopped:
        return False
    if policy.name in ("always", "unless-stopped"):
        return True
    if policy.name == "on-failure":
        return exit_code != 0 and (not policy.maximum_retry_count or restarts < policy.maximum_retry_count)
    return False


def check_policy(policy: RestartPolicy, *, auto_remove: bool) -> None:
    """Raise InvalidParameter, in Docker's words, for a policy that can't be."""
    if policy.name not in _POLICIES:
        raise InvalidParameter(f"invalid restart policy: unknown policy '{policy.name}'")
    if policy.maximum_retry_count < 0:
        raise InvalidParameter("invalid restart policy: maximum retry count cannot be negative")
    if policy.maximum_retry_count and policy.name != "on-failure":
        raise InvalidParameter("invalid restart policy: maximum retry count can only be used with 'on-failure'")
    if auto_remove and policy.name not in ("", "no"):
        raise InvalidParameter("can't create 'AutoRemove' container with restart policy")
