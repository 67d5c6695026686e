"""``verify``: whether a bundle is whole, of one piece, and computed the same here."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeeff import files
from edgeeff.bundling import golden, storage
from edgeeff.bundling.answers import Answers, compared
from edgeeff.bundling.document import BundledModel, BundleDocument, parse
from edgeeff.bundling.golden import Difference
from edgeeff.bundling.native_library import ABIS
from edgeeff.bundling.package import USUAL, Package, check_package
from edgeeff.bundling.places import Place, place
from edgeeff.errors import InputError, TargetUnavailable, UsageError
from edgeeff.evaluation.inputs import find_labels
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.progress import Progress
from edgeeff.tflite.feeding import takes_bytes
from edgeeff.tflite.manifest import end
from edgeeff.tflite.metadata import read_preprocessing
from edgeeff.tflite.metadata_writer import normalization
from edgeeff.tflite.reader import read_model
from edgeeff.tflite.runner import TensorInfo

SCHEMA = "edgeeff.verification/1"

STEPS_WITH_FLOAT = 1
"""How many quantization steps an output may be off that float operators have a part in."""


@dataclass(frozen=True)
class Verification:
    """What ``verify`` found.

    Attributes:
        path: of the bundle.
        sha256: of its ``SHA256SUMS``: equal for equal bundles, as a folder and as a zip.
        document: its ``bundle.json``.
        differences: of every golden vector of every model, by the model's place.
        faults: what is wrong, a sentence each; empty if nothing is.
        notes: what to know of these answers, a sentence each.
        device: where it was run, as ``--device`` names it.
        target: on which accelerator.
        runtime: that ran it there.
        machine: the processor's architecture there.
        package: what the app's APK or AAR holds; ``None`` if none was given.
    """

    path: Path
    sha256: str
    document: BundleDocument
    differences: Mapping[str, tuple[Difference, ...]]
    faults: tuple[str, ...]
    notes: tuple[str, ...]
    device: str
    target: str
    runtime: str
    machine: str
    package: Package | None = None

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults

    def text(self) -> str:
        """The JSON document."""
        models = [
            {"file": file, "vectors": [each.to_json() for each in found]}
            for file, found in self.differences.items()
        ]
        fields = {
            "bundle": str(self.path),
            "sha256": self.sha256,
            "good": self.good,
            "faults": list(self.faults),
            "notes": list(self.notes),
            "models": models,
            "made_with": {"runtime": self.document.runtime, "machine": self.document.machine},
            "checked_with": {
                "device": self.device,
                "target": self.target,
                "runtime": self.runtime,
                "machine": self.machine,
            },
        }
        if self.package is not None:
            fields["package"] = self.package.to_json()
        return files.document(SCHEMA, fields)


def verify(
    path: Path,
    *,
    device: str = "local",
    target: str = "cpu",
    steps: int = 0,
    apk: Path | None = None,
    progress: Progress | None = None,
) -> Verification:
    """Check a bundle of any origin: its files, what it says, and its golden vectors on a device.

    On a CPU an integer-only model has to give equal values, others one quantization step at most,
    and a float output ``golden.FLOAT_TOLERANCE``. Other chips have to come within ``CLOSE``.

    Args:
        path: a folder or zip.
        device: ``local``, ``ssh://user@host[:port]`` or ``android[:SERIAL]``.
        target: ``cpu``, ``gpu`` or ``edgetpu``.
        steps: how many quantization steps pass at least; on a CPU only.
        apk: an APK or AAR of the app, whose native libraries are looked at too.
        progress: told of every model.

    Raises:
        InputError: not a bundle, or one that is not safe or not as ``SHA256SUMS`` says; or the
            APK is damaged.
        UsageError: no such device or target, or steps on another chip than a CPU.
        TargetUnavailable: no runtime is installed, or the device or target cannot be used.
    """
    if steps and target != "cpu":
        raise UsageError(
            f"--steps is for a CPU: on {target} scores decide, not steps", "leave out --steps"
        )
    found = storage.read_files(path)
    if storage.DOCUMENT not in found:
        raise InputError(f"{path} has no {storage.DOCUMENT}", "is it a bundle of edgeeff?")
    document = parse(found[storage.DOCUMENT])
    with tempfile.TemporaryDirectory(prefix="edgeeff-") as folder:
        checks = [_Check(found, document, model, Path(folder)) for model in document.models]
        faults = [fault for check in checks for fault in check.told()]
        faults += _unnamed(found, document)
        with place(device, target) as where:
            package = None if apk is None else check_package(apk, _abi(where))
            answers = _answers(checks, where, steps, progress or Progress())
    return Verification(
        path,
        hashlib.sha256(found[storage.CHECKSUMS]).hexdigest(),
        document,
        {file: answer.differences for file, answer in answers.items()},
        (
            *faults,
            *(fault for answer in answers.values() for fault in answer.faults),
            *(package.faults if package else ()),
        ),
        (
            *(note for check in checks for note in check.ruined()),
            *dict.fromkeys(note for answer in answers.values() for note in answer.notes),
        ),
        where.device,
        where.target,
        next((answer.runtime for answer in answers.values() if answer.runtime), ""),
        where.machine,
        package,
    )


def _unnamed(found: Mapping[str, bytes], document: BundleDocument) -> list[str]:
    """Models that the bundle holds and its document does not know."""
    known = {model.file for model in document.models}
    models = sorted(name for name in found if name.endswith(".tflite") and name not in known)
    return [f"{name} is a model that bundle.json does not list" for name in models]


def _abi(where: Place) -> str:
    """The ABI that an app needs there: the phone's; else that of phones of today."""
    phone = where.device.startswith("android")
    return where.machine if phone and where.machine in ABIS else USUAL


def _answers(
    checks: Sequence[_Check], where: Place, steps: int, progress: Progress
) -> dict[str, Answers]:
    found = {}
    with progress.stage("verify", len(checks)) as advance:
        for check in checks:
            found[check.model.file] = check.answers(where, steps)
            advance(1)
    return found


@dataclass(frozen=True)
class _Check:
    """One model of a bundle that is unpacked into memory."""

    found: Mapping[str, bytes]
    document: BundleDocument
    model: BundledModel
    folder: Path

    def read(self, name: str) -> bytes:
        """A file of the bundle. Raises ``InputError``."""
        if name not in self.found:
            raise InputError(f"bundle.json names {name!r}, which the bundle does not have")
        return self.found[name]

    @property
    def copy(self) -> Path:
        """The model where the runtime can read it."""
        place = self.folder / f"{hashlib.sha256(self.model.file.encode()).hexdigest()}.tflite"
        if not place.exists():
            place.write_bytes(self.read(self.model.file))
        return place

    def named(self, message: str) -> str:
        """A message about the unpacked model, as one about the bundle's."""
        return message.replace(str(self.copy), self.model.file)

    def faults(self) -> Iterator[str]:
        """What the parts of a bundle say of each other that is not so."""
        file, model = self.model.file, read_model(self.copy)
        golden.check_ends(model)
        if model.sha256 != self.model.sha256:
            yield f"{file}: bundle.json says sha256 {self.model.sha256}, it is {model.sha256}"
        for name, tensor in (("input", model.inputs[0]), ("output", model.outputs[0])):
            if getattr(self.model, name) != end(tensor):
                yield f"{file}: bundle.json describes another {name} than the file has"
        preprocessing = Preprocessing.from_json(self.model.preprocessing)
        own = read_preprocessing(model)
        if own is not None and own != preprocessing:
            yield f"{file}: bundle.json says {_differing(preprocessing, own)}"
        info = TensorInfo.of(model.inputs[0])
        mean, std = normalization(info, own or preprocessing)
        said = self.model.normalization
        if [list(mean), list(std)] != [said.get("mean"), said.get("std")]:
            yield f"{file}: bundle.json says normalization {said}, the file takes {mean}, {std}"
        if self.model.takes_bytes != takes_bytes(info, own or preprocessing):
            which = "" if self.model.takes_bytes else "no "
            yield f"{file}: bundle.json says that its input takes {which}bytes as they are"
        if self.model.integer_only != model.integer_only:
            which = "only in integers" if self.model.integer_only else "in float, too"
            yield f"{file}: bundle.json says that it computes {which}"
        yield from self._manifest(preprocessing)
        yield from self._labels()

    def _manifest(self, preprocessing: Preprocessing) -> Iterator[str]:
        name = self.model.manifest
        if name is None:
            return
        try:
            said = json.loads(self.read(name))
            digest, how = said["sha256"], Preprocessing.from_json(said["preprocessing"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise InputError(f"{name} is not a manifest: {error!r}") from error
        if said.get("precision") != self.model.precision != "edgetpu":
            yield f"{name}: bundle.json says {self.model.precision}, here {said.get('precision')}"
        names = self._listed_labels()
        if said.get("labels") not in (None, names):
            yield f"{name} has other class names than {self.document.labels or 'bundle.json'}"
        if digest != self.model.sha256:
            yield f"{name} is of another file than {self.model.file}"
        if how != preprocessing:
            yield f"{name}: bundle.json says {_differing(preprocessing, how)}"

    def ruined(self) -> Iterator[str]:
        """That a model was measured to answer otherwise than its float network."""
        said = json.loads(self.read(self.model.manifest)) if self.model.manifest else {}
        verdict = said.get("verdict")
        if isinstance(verdict, dict) and verdict.get("good") is False:
            listed = verdict.get("faults")
            faults = "; ".join(map(str, listed if isinstance(listed, list) else ()))
            yield f"{self.model.file} WAS MEASURED AS RUINED BY QUANTIZATION: {faults}"

    def _labels(self) -> Iterator[str]:
        own, listed = find_labels(self.copy), self._listed_labels()
        if own is None:
            return
        if listed is None:
            yield f"{self.model.file} has class names, bundle.json names no file of them"
            return
        pairs = zip(listed, own, strict=False)
        number = next((n for n, (one, two) in enumerate(pairs) if one != two), None)
        if number is not None:
            yield (
                f"{self.document.labels}: class {number} is {listed[number]!r}, "
                f"in {self.model.file} {own[number]!r}"
            )
        elif len(listed) != len(own):
            yield f"{self.document.labels}: {len(listed)} names, {self.model.file} has {len(own)}"

    def _listed_labels(self) -> list[str] | None:
        if self.document.labels is None:
            return None
        content = self.read(self.document.labels)
        return content.decode("utf-8", "replace").removesuffix("\n").split("\n")

    def told(self) -> list[str]:
        """``faults``, with errors that name the model as the bundle does."""
        try:
            return list(self.faults())
        except InputError as error:
            raise InputError(self.named(error.message), error.hint) from error

    def answers(self, where: Place, steps: int) -> Answers:
        """How far each golden vector is off there."""
        file, model = self.model.file, self.model
        if not model.vectors:
            reason = model.without_vectors
            if reason and any(operator.custom for operator in read_model(self.copy).operators):
                return Answers(notes=(f"{file} was not run: {reason}",))
            return Answers(faults=(f"{file} has no golden vectors",))
        allowed = golden.Allowed(max(steps, 0 if self.integer_only else STEPS_WITH_FLOAT))
        try:
            with where.opened(self.copy) as opened:
                return compared(model, opened, self.read, where.target, allowed)
        except InputError as error:
            return Answers(faults=(self.named(error.message),))
        except TargetUnavailable as error:
            return Answers(faults=(f"{file}: {self.named(error.message)}",))

    @property
    def integer_only(self) -> bool:
        """Whether no operator of the file computes in float."""
        return read_model(self.copy).integer_only


def _differing(one: Preprocessing, two: Preprocessing) -> str:
    first, second = one.to_json(), two.to_json()
    return ", ".join(
        f"{name} {first[name]}, elsewhere {second[name]}"
        for name in first
        if first[name] != second[name]
    )
