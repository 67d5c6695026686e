"""The networks of PyTorch's libraries, with a digest of the names and shapes of their tensors.

data/digests.json was made from the libraries themselves (benchmarks/pytorch_references.py).
"""

from __future__ import annotations

import json
from pathlib import Path

DIGESTS = json.loads((Path(__file__).parent / "data" / "digests.json").read_text("utf-8"))
NETWORKS = [(library, name) for library, names in DIGESTS.items() for name in names]
