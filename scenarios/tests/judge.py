#!/usr/bin/env python3
"""Judges manifests by the schemas of those who take them, with no field that these do not know.

    judge.py DEFINITIONS DIRECTORY

Objects of Kubernetes by kubernetes-validate (its strict schemas), those of Istio and Liqo by their CustomResourceDefinitions in
DEFINITIONS, whose objects are closed here. Objects that are the same are judged once. Prints a line per refusal, and a sum.
"""

import json
import pathlib
import sys

import jsonschema
import kubernetes_validate
import yaml

KUBERNETES = "1.33"


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
                schema = closed(version["schema"]["openAPIV3Schema"])
                for key in ("apiVersion", "kind"):
                    schema["properties"].setdefault(key, {"type": "string"})
                schema["properties"]["metadata"] = {"type": "object"}
                name = f"{spec['group']}/{version['name']}", spec["names"]["kind"]
                found[name] = jsonschema.Draft7Validator(schema)
    return found


def judge(objects, known):
    """Why an object is refused, or nothing."""
    name = objects["apiVersion"], objects["kind"]
    if name in known:
        error = next(iter(known[name].iter_errors(objects)), None)
        return error and f"{'.'.join(map(str, error.path))}: {error.message}"
    if name == ("gateway.networking.k8s.io/v1", "Gateway"):
        return None  # no definition of the Gateway API is at hand
    try:
        kubernetes_validate.validate(objects, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        return error.message
    return None


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
    print(f"{count} objects, {len(judged)} of them different, {refused} refused")


main()
