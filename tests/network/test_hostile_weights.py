"""A file of Keras runs nothing, and takes no more memory than weights can."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from edgeeff.errors import InputError
from edgeeff.network import weights
from tests.network.weight_files import TINY, assert_same


class TestHostileKerasFiles:
    def test_a_lambda_in_an_archive_never_runs(
        self, trained: Any, fresh: Any, tmp_path: Path
    ) -> None:
        path, witness = tmp_path / "evil.keras", tmp_path / "it-ran"
        code = f"lambda x: __import__('pathlib').Path({str(witness)!r}).touch()"
        trained.save(tmp_path / "good.keras")
        with zipfile.ZipFile(tmp_path / "good.keras") as good, zipfile.ZipFile(path, "w") as evil:
            config = good.read("config.json").decode()
            assert '"class_name": "Add"' in config
            evil.writestr(
                "config.json",
                config.replace(
                    '"Add", "config": {', f'"Lambda", "config": {{"function": "{code}", '
                ),
            )
            evil.writestr("metadata.json", good.read("metadata.json"))
            evil.writestr("model.weights.h5", good.read("model.weights.h5"))
        weights.load(fresh, TINY, path)
        assert_same(fresh, trained)
        assert not witness.exists()

    def test_a_tensor_in_another_file_is_not_followed(self, fresh: Any, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_bytes(bytes(4 * 27 * 8))
        with h5py.File(tmp_path / "w.h5", "w") as file:
            file.create_dataset(
                "stem_conv/stem_conv/kernel:0",
                (3, 3, 3, 8),
                np.float32,
                external=[(str(secret), 0, h5py.h5f.UNLIMITED)],
            )
        with pytest.raises(InputError, match="points to another file"):
            weights.load(fresh, TINY, tmp_path / "w.h5")

    @pytest.mark.parametrize(
        ("shape", "kind", "said"),
        [
            ((1 << 25, 1 << 25), np.float32, "too large for an EfficientNet"),
            ((1 << 26,), "S60000", r"a/a/kernel:0' holds \|S60000, not numbers"),
        ],
        ids=["petabytes", "long texts"],
    )
    def test_an_absurd_tensor_is_refused_before_it_is_read(
        self, shape: Any, kind: Any, said: str, fresh: Any, tmp_path: Path
    ) -> None:
        with h5py.File(tmp_path / "w.h5", "w") as file:
            file.create_dataset("a/a/kernel:0", shape, kind, chunks=(64,) * len(shape))
        with pytest.raises(InputError, match=said):
            weights.load(fresh, TINY, tmp_path / "w.h5")

    def test_many_tensors_of_nothing_are_refused_before_all_are_read(
        self, fresh: Any, tmp_path: Path
    ) -> None:
        with h5py.File(tmp_path / "w.h5", "w") as file:
            for number in range(5):
                file.create_dataset(f"a/{number}/kernel:0", (1 << 26,), "f8", chunks=(1 << 20,))
        with pytest.raises(InputError, match="more numbers than an EfficientNet"):
            weights.load(fresh, TINY, tmp_path / "w.h5")

    def test_an_archive_that_unpacks_to_much_more_is_refused_before_it_is(
        self, fresh: Any, tmp_path: Path
    ) -> None:
        with zipfile.ZipFile(tmp_path / "w.keras", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("config.json", b"{}")
            archive.writestr("model.weights.h5", bytes(100 << 20))
        with pytest.raises(InputError, match="unpacks to more than an EfficientNet can have"):
            weights.load(fresh, TINY, tmp_path / "w.keras")

    @pytest.mark.parametrize(
        "config",
        [b"", b"[]", b'{"config": {}}', b'{"config": {"layers": [1]}}', b"\xff\xfe", b"[" * 5000],
    )
    def test_a_broken_configuration_is_an_input_error(
        self, fresh: Any, tmp_path: Path, config: bytes
    ) -> None:
        stored = io.BytesIO()
        with h5py.File(stored, "w") as file:
            file["layers/conv2d/vars/0"] = np.zeros((3, 3, 3, 8), np.float32)
        with zipfile.ZipFile(tmp_path / "w.keras", "w") as archive:
            archive.writestr("config.json", config)
            archive.writestr("model.weights.h5", stored.getvalue())
        with pytest.raises(InputError, match=r"w\.keras"):
            weights.load(fresh, TINY, tmp_path / "w.keras")
