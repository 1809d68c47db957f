# SPDX-License-Identifier: Apache-2.0
"""Checks a JSON value against one of our schemas in specs/.

Knows the part of JSON Schema 2020-12 that those schemas use, and refuses any other word,
so that a rule nobody checks cannot creep in. With the standard library alone.
"""

import re

TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "boolean": bool,
    "null": type(None),
}

# Words that say something to people, or that other words use.
SILENT = {"$schema", "$id", "$defs", "$comment", "title", "description", "examples"}


class SchemaError(Exception):
    """The schema itself is wrong, or has a word that is not known here."""


def has_type(value, names):
    """Is the value of one of the types? true is no integer."""
    names = [names] if isinstance(names, str) else names
    for name in names:
        if isinstance(value, bool) and name != "boolean":
            continue
        if isinstance(value, TYPES[name]):
            return True
    return False


def same(one, other):
    """Equality of JSON, where true is not 1."""
    return type(one) is type(other) and one == other


def check_object(schema, value, root, where):
    """The words that are about objects."""
    known = schema.get("properties", {})
    for key in schema.get("required", []):
        if key not in value:
            yield f"{where}: '{key}' is missing"
    for key, item in value.items():
        if key in known:
            yield from check(known[key], item, root, f"{where}.{key}")
        elif schema.get("additionalProperties", True) is False:
            yield f"{where}: '{key}' is not allowed"
        elif isinstance(schema.get("additionalProperties"), dict):
            yield from check(schema["additionalProperties"], item, root, f"{where}.{key}")


def check_array(schema, value, root, where):
    """The words that are about arrays."""
    if len(value) < schema.get("minItems", 0):
        yield f"{where}: fewer than {schema['minItems']} items"
    if schema.get("uniqueItems") and any(
        same(a, b) for i, a in enumerate(value) for b in value[:i]
    ):
        yield f"{where}: items are not unique"
    for i, item in enumerate(value):
        yield from check(schema.get("items", {}), item, root, f"{where}[{i}]")


def check_scalar(schema, value, where):
    """The words that are about strings and numbers."""
    if isinstance(value, str):
        if len(value) < schema.get("minLength", 0):
            yield f"{where}: shorter than {schema['minLength']} characters"
        if "pattern" in schema and not re.search(schema["pattern"], value):
            yield f"{where}: '{value}' does not match {schema['pattern']}"
    elif isinstance(value, int) and not isinstance(value, bool):
        if value < schema.get("minimum", value):
            yield f"{where}: {value} is below {schema['minimum']}"
        if value > schema.get("maximum", value):
            yield f"{where}: {value} is above {schema['maximum']}"


KNOWN = SILENT | {
    "$ref", "type", "const", "enum", "oneOf", "anyOf", "properties", "required",
    "additionalProperties", "items", "minItems", "uniqueItems", "minLength", "pattern",
    "minimum", "maximum",
}


def check_choice(schema, value, root, where):
    """const, enum, oneOf and anyOf."""
    if "const" in schema and not same(value, schema["const"]):
        yield f"{where}: is not {schema['const']!r}"
    if "enum" in schema and not any(same(value, one) for one in schema["enum"]):
        yield f"{where}: {value!r} is none of {schema['enum']!r}"
    for word in ("oneOf", "anyOf"):
        if word not in schema:
            continue
        errors = [list(check(one, value, root, where)) for one in schema[word]]
        fits = sum(not found for found in errors)
        if fits == 0 or (word == "oneOf" and fits > 1):
            yield f"{where}: fits {fits} of the {len(errors)} choices: {errors}"


def check(schema, value, root, where="$"):
    """Yields what is wrong with the value; nothing: it fits."""
    unknown = set(schema) - KNOWN
    if unknown:
        raise SchemaError(f"{where}: unknown words {sorted(unknown)}")
    if "$ref" in schema:
        target = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        yield from check(target, value, root, where)
    if "type" in schema and not has_type(value, schema["type"]):
        yield f"{where}: is no {schema['type']}"
        return
    yield from check_choice(schema, value, root, where)
    if isinstance(value, dict):
        yield from check_object(schema, value, root, where)
    elif isinstance(value, list):
        yield from check_array(schema, value, root, where)
    else:
        yield from check_scalar(schema, value, where)
