"""Puts back what Python had when boto3 1.4.8 was new. boto3 itself is unmodified."""

import collections
import collections.abc

for name in ("Callable", "Iterable", "Mapping", "MutableMapping", "MutableSet", "Sequence", "Set"):
    setattr(collections, name, getattr(collections.abc, name))
