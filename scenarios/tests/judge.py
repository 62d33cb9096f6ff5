#!/usr/bin/env python3
"""Judges manifests by the schemas of those who take them, with no field that these do not know.

    judge.py DEFINITIONS DIRECTORY

Objects of Kubernetes by kubernetes-validate (its strict schemas), those of Istio and Liqo by their CustomResourceDefinitions in
DEFINITIONS, whose objects are closed here. Objects that are the same are judged once. Then every name of a field is misspelt once:
where that is taken any name is, as among labels. Prints a line per refusal, one per map in which any name is taken, and a sum.
"""

import copy
import json
import pathlib
import sys

import jsonschema
import kubernetes_validate
import yaml

KUBERNETES = "1.33"

TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
METADATA = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string"},
        "namespace": {"type": "string"},
        "labels": TEXTS,
        "annotations": TEXTS,
    },
}

# What is written of the Gateway API, whose definition is not at hand: fields of Gateway and Listener, gateway.networking.k8s.io/v1.
LISTENER = {
    "type": "object",
    "required": ["name", "port", "protocol"],
    "properties": {"name": {"type": "string"}, "port": {"type": "integer"}, "protocol": {"type": "string"}},
}
GATEWAY = {
    "type": "object",
    "required": ["spec"],
    "properties": {
        "spec": {
            "type": "object",
            "required": ["gatewayClassName", "listeners"],
            "properties": {"gatewayClassName": {"type": "string"}, "listeners": {"type": "array", "items": LISTENER}},
        }
    },
}


def closed(schema):
    """The same schema, whose objects have no properties but their own."""
    if isinstance(schema, list):
        return [closed(it) for it in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: closed(it) for key, it in schema.items()}
    if isinstance(schema.get("properties"), dict) and "type" in schema:
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            schema.setdefault("additionalProperties", False)
    if schema.get("x-kubernetes-int-or-string"):
        schema.pop("type", None)
    return schema


def definitions(folder):
    """The validators of kinds, by their apiVersion."""
    found = {}
    for path in sorted(pathlib.Path(folder).rglob("*.yaml")):
        for document in yaml.load_all(path.read_text(), Loader=yaml.CSafeLoader):
            if not document or document.get("kind") != "CustomResourceDefinition":
                continue
            spec = document["spec"]
            for version in spec["versions"]:
                name = f"{spec['group']}/{version['name']}", spec["names"]["kind"]
                found[name] = validator(version["schema"]["openAPIV3Schema"])
    found["gateway.networking.k8s.io/v1", "Gateway"] = validator(GATEWAY)
    return found


def validator(schema):
    """That of a kind, with what all kinds have."""
    schema = closed(schema)
    for key in ("apiVersion", "kind"):
        schema["properties"].setdefault(key, {"type": "string"})
    schema["properties"]["metadata"] = closed(METADATA)
    schema["required"] = sorted({"metadata", *schema.get("required", [])})
    return jsonschema.Draft7Validator(schema)


def judge(objects, known):
    """Why an object is refused, or nothing."""
    name = objects["apiVersion"], objects["kind"]
    if name in known:
        error = next(iter(known[name].iter_errors(objects)), None)
        return error and f"{'.'.join(map(str, error.path))}: {error.message}"
    try:
        kubernetes_validate.validate(objects, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        return error.message
    return None


def maps(value, path, at):
    """The maps in a value: their paths as people read them, and the keys that lead there."""
    if isinstance(value, dict):
        yield path, at
        for key, inner in value.items():
            yield from maps(inner, f"{path}.{key}", [*at, key])
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from maps(inner, path, [*at, index])


def taken(judged, known):
    """The maps in which any name is taken, by misspelling each name of each once, and how many names there were."""
    seen, loose = set(), set()
    for text in judged:
        document = json.loads(text)
        for path, at in maps(document, document["kind"], []):
            for key in document_at(document, at):
                field = document["apiVersion"], path, key
                if field in seen or (not at and key in ("apiVersion", "kind")):
                    continue
                seen.add(field)
                wrong = copy.deepcopy(document)
                inner = document_at(wrong, at)
                inner[f"{key}x"] = inner.pop(key)
                if not judge(wrong, known):
                    loose.add(path)
    return loose, len(seen)


def document_at(document, at):
    """What some keys lead to."""
    for key in at:
        document = document[key]
    return document


def main():
    known = definitions(sys.argv[1])
    count, refused, judged = 0, 0, {}
    for path in sorted(pathlib.Path(sys.argv[2]).rglob("*.yaml")):
        for document in yaml.load_all(path.read_text(), Loader=yaml.CSafeLoader):
            count += 1
            text = json.dumps(document, sort_keys=True)
            if text not in judged:
                judged[text] = judge(document, known)
            if judged[text]:
                refused += 1
                print(f"{path}: {document['kind']} {document['metadata']['name']}: {judged[text]}".replace("\n", " "))
    loose, names = taken([text for text in judged if not judged[text]], known)
    for path in sorted(loose):
        print(f"any name is taken in {path}")
    print(f"{count} objects, {len(judged)} of them different, {names} names, {refused} refused")


main()
