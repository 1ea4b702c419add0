"""Checks a manifest of CloudNativePG against the definition of its resource, with unknown fields
as errors. The arguments are the files of the definition and of the manifest."""

import sys

import jsonschema
import yaml


def close(schema):
    """Refuses fields that the schema does not name."""
    if isinstance(schema, list):
        for item in schema:
            close(item)
    elif isinstance(schema, dict):
        is_open = schema.get("x-kubernetes-preserve-unknown-fields")
        if "properties" in schema and not is_open and "additionalProperties" not in schema:
            schema["additionalProperties"] = False
        for item in schema.values():
            close(item)


definition, manifest = (yaml.safe_load(open(path, encoding="utf-8")) for path in sys.argv[1:])
version = definition["spec"]["versions"][0]
group, kind = definition["spec"]["group"], definition["spec"]["names"]["kind"]
expected = (f"{group}/{version['name']}", kind)
if (manifest["apiVersion"], manifest["kind"]) != expected:
    sys.exit(f"expected {expected}")
schema = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
close(schema)
jsonschema.validate(manifest["spec"], schema)
