#!/usr/bin/python3
"""validate.py EXCHANGES OPENAPI: hold recorded exchanges against the contract, and the contract against them.

EXCHANGES is a .jsonl file or a folder of them. Each line is one exchange: method, path, query, request_type,
request_body, status, response_type, response_headers, response_body, test. Fails on an exchange that the document does
not allow, and on whatever the document promises that no exchange has shown.
"""
import json
import pathlib
import re
import sys
import urllib.parse

import jsonschema
import yaml

METHODS = ("get", "post", "delete", "put", "patch")
JSON_MEDIA = re.compile(r"application/(.+\+)?json")


BOOLEANS = {"": True, "1": True, "0": False}


def candidates(text):
    """The values that a text in a query string may stand for."""
    values = [text, text.split(",")]
    if text in BOOLEANS:
        values.append(BOOLEANS[text])
    try:
        values.insert(0, json.loads(text))
    except ValueError:
        pass
    return values


def media_type(header):
    return (header or "").split(";")[0].strip().lower()


class Contract:
    def __init__(self, document):
        self.document = document
        self.resolver = jsonschema.RefResolver.from_schema(document)
        self.operations = {}
        for path, item in document["paths"].items():
            pattern = re.compile(re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(path)))
            for method in METHODS:
                if method in item:
                    self.operations[(method.upper(), path)] = (pattern, item[method])

    def follow(self, item):
        while "$ref" in item:
            item = self.resolver.resolve(item["$ref"])[1]
        return item

    def find(self, method, path):
        """The operation of a request: exact paths go before those with parameters."""
        found = [(key, operation) for key, (pattern, operation) in self.operations.items()
                 if key[0] == method and pattern.fullmatch(path)]
        return min(found, key=lambda pair: pair[0][1].count("{"), default=(None, None))

    def errors(self, schema, value, where):
        validator = jsonschema.Draft202012Validator(schema, resolver=self.resolver)
        return [f"{where}{''.join(f'[{part!r}]' for part in error.absolute_path)}: {error.message[:300]}"
                for error in validator.iter_errors(value)]

    def promises(self):
        """Every (operationId, status) of the document, and every status that any request may meet."""
        for _, operation in self.operations.values():
            for status in operation["responses"]:
                yield operation["operationId"], status
        for status in self.document.get("x-any-request", {}):
            yield "any request", status

    def query_errors(self, operation, query, given):
        """What is wrong with a query string; notes the values it gave in `given`."""
        parameters = [self.follow(item) for item in operation.get("parameters", [])]
        known = {item["name"]: item for item in parameters if item["in"] == "query"}
        errors = []
        for name, text in urllib.parse.parse_qsl(query or "", keep_blank_values=True, errors="surrogateescape"):
            if name not in known:
                errors.append(f"query: unknown parameter {name}")
                continue
            item = known[name]
            schema = item["schema"] if "schema" in item else item["content"]["application/json"]["schema"]
            fitting = [value for value in candidates(text) if not self.errors(schema, value, "")]
            if fitting:
                given[name] = fitting[0]
            else:
                errors.append(f"query: {name}={text!r} fits no form of its schema")
        errors += [f"query: {name} is missing" for name, item in known.items()
                   if item.get("required") and name not in given]
        return errors

    def request_errors(self, operation, exchange):
        given = {}
        errors = self.query_errors(operation, exchange.get("query"), given)
        media = media_type(exchange.get("request_type"))
        body = exchange.get("request_body")
        if "requestBody" not in operation:
            return errors + ([] if body is None else ["request: a body where none belongs"])
        content = self.follow(operation["requestBody"])["content"]
        if media == "application/octet-stream":
            return errors + ([] if media in content else [f"request: {media} is not documented"])
        if body is not None and media not in content:
            return errors + [f"request: {media or 'a body without a type'} is not documented"]
        # A parameter may stand in either place: together they are what the schema describes.
        whole = {**given, **body} if isinstance(body, dict) else given if body is None else body
        return errors + self.errors(content["application/json"]["schema"], whole, "request")

    def response_errors(self, response, exchange):
        response = self.follow(response)
        headers = {name.lower() for name in exchange.get("response_headers") or {}}
        errors = [f"response: the header {name} is missing" for name, header in response.get("headers", {}).items()
                  if self.follow(header).get("required") and name.lower() not in headers]
        media = media_type(exchange.get("response_type"))
        content = response.get("content")
        if not content:
            return errors + (["response: a body where none belongs"] if exchange.get("response_body") else [])
        if media not in content:
            return errors + [f"response: {media or 'no type'} is not documented"]
        if JSON_MEDIA.fullmatch(media) and exchange["method"] != "HEAD":
            errors += self.errors(content[media]["schema"], exchange.get("response_body"), "response")
        return errors

    def exchange_errors(self, exchange, seen):
        """What is wrong with one exchange; notes in `seen` which promise it kept."""
        status = str(exchange["status"])
        path = urllib.parse.unquote(exchange["path"])
        key, operation = self.find(exchange["method"], path)
        responses = operation["responses"] if operation else {}
        anyway = self.document.get("x-any-request", {})
        if status in responses:
            seen.add((operation["operationId"], status))
            errors = self.response_errors(responses[status], exchange)
        elif status in anyway:
            seen.add(("any request", status))
            return self.response_errors(anyway[status], exchange)
        else:
            where = operation["operationId"] if operation else f"{exchange['method']} {path}"
            return [f"status {status} is not documented for {where}"]
        if status.startswith("2"):
            errors += self.request_errors(operation, exchange)
        return errors


def read_exchanges(place):
    place = pathlib.Path(place)
    for file in sorted(place.glob("*.jsonl")) if place.is_dir() else [place]:
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="surrogateescape").split("\n"), 1):
            if line.strip():
                yield f"{file.name}:{number}", json.loads(line)


def validate(exchanges, document, report):
    """Reports each failure; returns how many checks passed and failed."""
    contract = Contract(document)
    seen = set()
    passed = failed = 0
    for place, exchange in exchanges:
        errors = contract.exchange_errors(exchange, seen)
        for error in errors:
            report(f"{place}: {exchange.get('test')}: {exchange['method']} {exchange['path']}"
                   f" -> {exchange['status']}: {error}")
        passed += not errors
        failed += bool(errors)
    for operation, status in contract.promises():
        kept = (operation, status) in seen
        if not kept:
            report(f"never seen: {operation} -> {status}")
        passed += kept
        failed += not kept
    return passed, failed


def main(arguments):
    if len(arguments) != 2:
        sys.exit(__doc__)
    with open(arguments[1], encoding="utf-8") as file:
        document = yaml.load(file, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    passed, failed = validate(read_exchanges(arguments[0]), document, print)
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
