"""The JSON Schemas of policy files and their test cases, from the tables that load them."""

from __future__ import annotations

import json

from attest.policy.case_grammar import CASES
from attest.policy.grammar import DEFINITIONS, NAME, POLICY, TIME
from attest.policy.shapes import Either, Field, Listed, Named, Object, Shape, Text, Whole
from attest.strictjson import JSON

#: The schema's name in the folder `policy/`.
SCHEMA_FILE = "attest-policy-v1.schema.json"
#: The same of test cases.
CASES_SCHEMA_FILE = "attest-policy-test-v1.schema.json"
_NAMES = {item.shape: item.name for item in DEFINITIONS}


def schema() -> dict[str, JSON]:
    """The JSON Schema (2020-12) of version 1.

    What `parse_policy` accepts validates against it. What it cannot say: which names, dates, keys
    and regular expressions there are, and whether the requirements can be met.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:attest:policy:v1",
        "title": "Identity policy of attest, version 1",
        **_schema(POLICY),
        "$defs": {
            item.name: {"description": item.about, **_made(item.shape)} for item in DEFINITIONS
        },
    }


def cases_schema() -> dict[str, JSON]:
    """The JSON Schema (2020-12) of test cases, version 1.

    What it cannot say: which names, dates and files there are, and what each signature needs.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:attest:policy-test:v1",
        "title": "Test cases of an identity policy of attest, version 1",
        **_schema(CASES),
        "$defs": {
            item.name: {"description": item.about, **_made(item.shape)}
            for item in DEFINITIONS
            if item.shape in (NAME, TIME)
        },
    }


def written(made: dict[str, JSON]) -> str:
    """A schema as it is written to its file."""
    return json.dumps(made, indent=2, ensure_ascii=True) + "\n"


def _schema(shape: Shape) -> dict[str, JSON]:
    name = _NAMES.get(shape)
    return _made(shape) if name is None else {"$ref": f"#/$defs/{name}"}


def _made(shape: Shape) -> dict[str, JSON]:
    if isinstance(shape, Text):
        made = _text(shape)
    elif isinstance(shape, Whole):
        made = _whole(shape)
    elif isinstance(shape, Listed):
        made = _listed(shape)
    elif isinstance(shape, Object):
        made = _object(shape)
    elif isinstance(shape, Named):
        made = _named(shape)
    elif isinstance(shape, Either):
        made = _any_of(shape.text, shape.object)
    else:
        made = _any_of(shape.absent, shape.present)
    return made


def _any_of(*shapes: Shape) -> dict[str, JSON]:
    return {"anyOf": [_schema(shape) for shape in shapes]}


def _whole(shape: Whole) -> dict[str, JSON]:
    if shape.minimum == shape.maximum:
        return {"const": shape.minimum}
    return {"type": "integer", "minimum": shape.minimum, "maximum": shape.maximum}


def _named(shape: Named) -> dict[str, JSON]:
    return {
        "type": "object",
        "minProperties": 1,
        "propertyNames": _schema(shape.name),
        "additionalProperties": _schema(shape.value),
    }


def _text(shape: Text) -> dict[str, JSON]:
    if shape.pattern is None:
        return {"enum": list(shape.words)}
    text: dict[str, JSON] = {
        "type": ["string", "integer"] if shape.digits else "string",
        "minLength": 1,
        "maxLength": shape.max_length,
        "pattern": f"^(?:{shape.pattern})$",
    }
    if shape.digits:
        text["minimum"] = 0
    if not shape.words:
        return text
    return {"anyOf": [{"enum": list(shape.words)}, text]}


def _listed(shape: Listed) -> dict[str, JSON]:
    item = _schema(shape.item)
    several: dict[str, JSON] = {"type": "array", "items": item}
    if not shape.empty:
        several["minItems"] = 1
    if not shape.repeats:
        several["uniqueItems"] = True
    return {"anyOf": [item, several]} if shape.single else several


def _object(shape: Object) -> dict[str, JSON]:
    made: dict[str, JSON] = {
        "type": "object",
        "additionalProperties": False,
        "minProperties": 1,
        "properties": {field.name: _field(field) for field in shape.fields},
    }
    if required := [field.name for field in shape.fields if field.required]:
        made["required"] = list[JSON](required)
    if needs := {field.name: [field.needs] for field in shape.fields if field.needs}:
        made["dependentRequired"] = {name: list[JSON](others) for name, others in needs.items()}
    if shape.one_of:
        made["anyOf"] = [{"required": [name]} for name in shape.one_of]
    return made


def _field(field: Field) -> dict[str, JSON]:
    return {"description": field.about, **_schema(field.shape)}
