"""A bench over a worker's channel: the same for a local pipe and an ssh connection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edgeeff.accelerators import find_target
from edgeeff.accelerators.plan import Facts, Loaded, Plan, Profile, Samples, WarmedUp
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.worker.arrays import packed, unpacked
from edgeeff.worker.channel import Channel, Progress
from edgeeff.worker.picture_times import PictureTimes


@dataclass(frozen=True)
class WorkerBench:
    """A ``devices.Bench`` that asks a worker.

    Attributes:
        model: its path where the worker runs.
        here: its path on this computer.
        carry: puts pictures of this computer where the worker can read them; gives their paths
            there, in order.
    """

    channel: Channel
    model: str
    target: str
    plan: Plan
    here: Path
    carry: Callable[[Sequence[Path]], list[str]]

    def load(self) -> Loaded:
        """Open the model."""
        reply = self.channel.ask("load", **self._what())
        return Loaded(reply["load_ns"], Facts.from_json(reply["facts"]))

    def warm_up(self, progress: Progress | None = None) -> WarmedUp:
        """Run until timings settle, as the plan says."""
        return WarmedUp(**self.channel.ask("warm_up", progress=progress))

    def verify(self) -> dict[str, Any]:
        """What ``Session.verify`` of the target says. Raises ``GateFailed``."""
        checked: dict[str, Any] = self.channel.ask("verify")
        return checked

    def sample(
        self,
        *,
        min_runs: int,
        min_seconds: float,
        max_seconds: float,
        progress: Progress | None = None,
    ) -> Samples:
        """Time inferences until both minima are reached, or ``max_seconds``."""
        reply = self.channel.ask(
            "sample",
            progress=progress,
            min_runs=min_runs,
            min_seconds=min_seconds,
            max_seconds=max_seconds,
        )
        return Samples(
            tuple(reply["samples_ns"]),
            reply["stopped_by"],
            tuple(reply["per_second"]),
            reply["busy_share"],
        )

    def answer(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """The raw outputs for raw inputs."""
        replies = self.channel.ask("outputs", inputs=[packed(array) for array in inputs])
        return [unpacked(reply) for reply in replies]

    def sha256(self) -> str:
        """That of the model's file where the worker runs."""
        return str(self.channel.ask("sha256"))

    def memory(self) -> int | None:
        """Growth of peak resident memory by loading and running, in bytes."""
        grown: int | None = self.channel.ask("memory")
        return grown

    def profile(self) -> Profile:
        """Time per operator. Raises ``TargetUnavailable`` if the target cannot tell."""
        return Profile.from_json(self.channel.ask("profile", **self._what()))

    def pictures(self, paths: Sequence[Path], preprocessing: Preprocessing) -> PictureTimes:
        """Time the stages of pictures, which lie on this computer, where the worker runs."""
        reply = self.channel.ask(
            "pictures",
            paths=self.carry(paths),
            preprocessing=preprocessing.to_json(),
        )
        return PictureTimes(**{name: tuple(times) for name, times in reply.items()})

    def _what(self) -> dict[str, Any]:
        return {"target": self.target, "model": self.model, "plan": self.plan.to_json()}


def crash_hint(target: str) -> str:
    """What to do when the native code of a target crashes."""
    return str(getattr(find_target(target), "CRASH_HINT", ""))
