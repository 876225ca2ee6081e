"""What the other packages share: the time, new ids, and the folder of dkdc.

>>> from dkdc_util import now, uuid
>>> now().tzinfo is None
True
>>> len(uuid())
24
"""

from __future__ import annotations

import os
from datetime import datetime, timezone

from dkdc_state._core import uuid

__all__ = ["get_dkdc_dir", "now", "uuid"]


def now() -> datetime:
    """The time, in UTC, without a zone, to the microsecond."""
    return datetime.now(timezone.utc).replace(tzinfo=None)


def get_dkdc_dir() -> str:
    """``~/.dkdc``, or what the environment variable ``DKDC_DIR`` says; made if absent."""
    folder = os.environ.get("DKDC_DIR") or os.path.join(os.path.expanduser("~"), ".dkdc")
    os.makedirs(folder, exist_ok=True)
    return folder
