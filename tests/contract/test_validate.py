#!/usr/bin/python3
"""test_validate.py: the validator itself: what is wrong must fail, and what is right must not."""
import copy
import json
import pathlib
import tempfile
import unittest

import validate

DOCUMENT = {
    "openapi": "3.1.0",
    "paths": {
        "/v1/sockets": {"get": {
            "operationId": "socket_list",
            "parameters": [{"name": "limit", "in": "query", "required": True, "schema": {"type": "integer"}},
                           {"name": "expect", "in": "query", "explode": False,
                            "schema": {"type": "array", "items": {"enum": ["A", "B"]}}},
                           {"name": "options", "in": "query",
                            "content": {"application/json": {"schema": {"type": "object"}}}}],
            "responses": {"200": {"content": {"application/json": {"schema": {"type": "object"}}}}}}},
        "/v1/sockets/{id}/bind": {"post": {
            "operationId": "socket_bind",
            "parameters": [{"$ref": "#/components/parameters/Id"},
                           {"name": "address", "in": "query", "schema": {"type": "string"}}],
            "requestBody": {"content": {
                "application/json": {"schema": {
                    "type": "object", "required": ["address"], "additionalProperties": False,
                    "properties": {"address": {"type": "string"}, "more": {"type": "boolean"}}}},
                "application/octet-stream": {}}},
            "responses": {
                "201": {"headers": {"Location": {"required": True}}, "content": {
                    "application/json": {"schema": {
                        "allOf": [{"$ref": "#/components/schemas/Socket"}, {"$ref": "#/components/schemas/Timed"}],
                        "unevaluatedProperties": False}},
                    "application/octet-stream": {}}},
                "422": {"$ref": "#/components/responses/Refused"}}}},
    },
    "components": {
        "parameters": {"Id": {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}},
        "schemas": {
            "Socket": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}},
            "Timed": {"type": "object", "required": ["us"], "properties": {"us": {"type": "integer"}}}},
        "responses": {
            "Refused": {"content": {"application/problem+json": {"schema": {"required": ["errno"]}}}},
            "Path": {"content": {"application/problem+json": {"schema": {"required": ["title"]}}}}},
    },
    "x-any-request": {"404": {"$ref": "#/components/responses/Path"}},
}

BIND = {"method": "POST", "path": "/v1/sockets/k-1/bind", "query": "", "request_type": "application/json",
        "request_body": {"address": "a"}, "status": 201, "response_type": "application/json",
        "response_headers": {"location": "/v1/sockets/k-1"}, "response_body": {"id": "k-1", "us": 3}, "test": "bind"}
REFUSED = {**BIND, "status": 422, "response_type": "application/problem+json; charset=utf-8",
           "response_body": {"errno": "EINVAL"}}
LIST = {"method": "GET", "path": "/v1/sockets", "query": "limit=1", "request_type": None, "request_body": None,
        "status": 200, "response_type": "application/json", "response_headers": {}, "response_body": {},
        "test": "list"}
UNKNOWN = {**LIST, "path": "/nowhere", "status": 404, "response_type": "application/problem+json",
           "response_body": {"title": "t"}}

RIGHT = {
    "parameters in the query": {**BIND, "query": "address=b", "request_body": None, "request_type": None},
    "parameters in both places": {**BIND, "query": "address=b", "request_body": {"more": True}},
    "raw request": {**BIND, "query": "address=b", "request_type": "application/octet-stream", "request_body": None},
    "raw reply": {**BIND, "response_type": "application/octet-stream", "response_body": None},
    "unsound request refused": {**REFUSED, "request_body": {"wrong": 1}},
    "a list in the query": {**LIST, "query": "limit=1&expect=A%2CB"},
    "an object in the query": {**LIST, "query": "limit=1&options=%7B%7D"},
}

WRONG = {
    "member of a wrong type": {**BIND, "response_body": {"id": 1, "us": 3}},
    "member missing": {**BIND, "response_body": {"id": "k-1"}},
    "member unknown": {**BIND, "response_body": {"id": "k-1", "us": 3, "extra": 1}},
    "header missing": {**BIND, "response_headers": {}},
    "media type unknown": {**BIND, "response_type": "text/html"},
    "status unknown": {**BIND, "status": 500},
    "problem without its errno": {**REFUSED, "response_body": {}},
    "request member unknown": {**BIND, "request_body": {"address": "a", "wrong": 1}},
    "request member missing": {**BIND, "request_body": {}},
    "request no object": {**BIND, "request_body": [1]},
    "request type unknown": {**BIND, "request_type": "text/plain"},
    "query parameter unknown": {**LIST, "query": "limit=1&wrong=1"},
    "query parameter missing": {**LIST, "query": ""},
    "query parameter of a wrong type": {**LIST, "query": "limit=many"},
    "body of a GET": {**LIST, "request_body": {}},
    "path unknown, yet answered": {**LIST, "path": "/nowhere"},
    "unknown path without its problem": {**UNKNOWN, "response_body": {}},
}


class ValidateTest(unittest.TestCase):
    def run_validate(self, *exchanges):
        reports = []
        numbers = validate.validate([("line", copy.deepcopy(item)) for item in exchanges], DOCUMENT, reports.append)
        return numbers, reports

    def test_complete(self):
        numbers, reports = self.run_validate(BIND, REFUSED, LIST, UNKNOWN)
        self.assertEqual((reports, numbers), ([], (8, 0)))

    def test_right(self):
        for name, exchange in RIGHT.items():
            with self.subTest(name):
                _, reports = self.run_validate(BIND, REFUSED, LIST, UNKNOWN, exchange)
                self.assertEqual(reports, [])

    def test_wrong(self):
        for name, exchange in WRONG.items():
            with self.subTest(name):
                numbers, reports = self.run_validate(BIND, REFUSED, LIST, UNKNOWN, exchange)
                self.assertEqual(numbers, (8, 1))
                self.assertIn("line: ", reports[0])

    def test_never_seen(self):
        everything = {"socket_bind -> 201": BIND, "socket_bind -> 422": REFUSED, "socket_list -> 200": LIST,
                      "any request -> 404": UNKNOWN}
        for name in everything:
            with self.subTest(name):
                rest = [item for key, item in everything.items() if key != name]
                numbers, reports = self.run_validate(*rest)
                self.assertEqual((reports, numbers), ([f"never seen: {name}"], (6, 1)))

    def test_files(self):
        with tempfile.TemporaryDirectory() as folder:
            text = "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in (BIND, {**LIST, "test": "\u2028"}))
            (pathlib.Path(folder) / "one.jsonl").write_text(text, encoding="utf-8")
            self.assertEqual([place for place, _ in validate.read_exchanges(folder)], ["one.jsonl:1", "one.jsonl:2"])


if __name__ == "__main__":
    unittest.main()
