"""Reads metrics with Prometheus' own Python client: metrics_reader.py text|openmetrics FILE.

Prints one line for each family (its name, type and number of samples), or fails where the reader does.
"""

import sys

from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,
)
from prometheus_client.parser import text_string_to_metric_families as text_families

families = {"text": text_families, "openmetrics": openmetrics_families}[sys.argv[1]]
with open(sys.argv[2], encoding="utf-8") as file:
    for family in families(file.read()):
        assert family.documentation, family.name + " has no help"
        print(family.name, family.type, len(family.samples))
