"""The manifests of a folder that datagen has written."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from sim.errors import ParameterError

_NAME = re.compile(r"^manifest(-\d+-of-\d+)?\.json$")


def manifests(root: Path, kind: str) -> list[dict[str, Any]]:
    """Those of all shards, as plain data; none where datagen has not written the folder.

    Raises ParameterError where one cannot be read, or speaks of files of another kind.
    """
    paths = sorted(path for path in root.iterdir() if _NAME.match(path.name))
    found = [document for path in paths if (document := _read(path)) is not None]
    for document in found:
        if document.get("kind") != kind:
            raise ParameterError(f"{root}: datagen has written {document.get('kind')} here, not {kind}")
    return found


def _read(path: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ParameterError(f"{path}: not a manifest that can be read: {error}") from None
    return document if isinstance(document, dict) and document.get("writer") == "datagen" else None
