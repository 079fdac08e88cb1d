"""`/docs`: the OpenAPI document as one readable page. No script, nothing from elsewhere, works offline."""

from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

Json = Mapping[str, Any]

CSP = "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'"

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --accent: #0b6bcb; }
* { box-sizing: border-box; }
body { margin: 0; font: 16px/1.55 system-ui, "Apple SD Gothic Neo", "Noto Sans KR", sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
a { color: var(--accent); }
h2 { margin-top: 3rem; border-bottom: 1px solid var(--line); }
section { margin: 1.5rem 0; padding: .75rem 1rem; border: 1px solid var(--line); border-radius: .5rem; }
section:target { border-color: var(--accent); }
section > h3 { margin: 0; font-size: 1rem; overflow-wrap: anywhere; }
code { font: .9em ui-monospace, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
.method { display: inline-block; min-width: 4.5em; font-weight: 700; }
table { width: 100%; border-collapse: collapse; margin: .5rem 0; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .5rem; border-top: 1px solid var(--line); }
th { font-weight: 600; background: var(--soft); }
.scope { float: right; font-size: .8rem; padding: 0 .5em; border: 1px solid var(--line); border-radius: 1em; }
""".strip()

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title} API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/docs/style.css"></head>
<body><main><h1>{title} API <small>{version}</small></h1><p>{description}</p>
<p>The same for machines: <a href="/v1/openapi.json">/v1/openapi.json</a> (OpenAPI {openapi}).</p>
<nav><ul>{contents}</ul></nav>
{operations}
<h2>Types</h2>
{types}
</main></body></html>
"""


def page(document: Json) -> str:
    """The whole page."""
    info = document["info"]
    return _PAGE.format(
        title=escape(info["title"]),
        version=escape(info["version"]),
        description=_prose(info["description"]),
        openapi=escape(document["openapi"]),
        contents="".join(f'<li><a href="#{_anchor(t)}">{escape(t)}</a></li>' for t in _tags(document)),
        operations="".join(_group(tag, document) for tag in _tags(document)),
        types="".join(_type(name, schema) for name, schema in document["components"]["schemas"].items()),
    )


def _tags(document: Json) -> list[str]:
    return [tag["name"] for tag in document["tags"]]


def _group(tag: str, document: Json) -> str:
    sections = [
        _operation(method, path, entry)
        for path, entries in document["paths"].items()
        for method, entry in entries.items()
        if tag in entry["tags"]
    ]
    return f'<h2 id="{_anchor(tag)}">{escape(tag)}</h2>{"".join(sections)}'


def _operation(method: str, path: str, entry: Json) -> str:
    scope = f'<span class="scope">scope {escape(entry["x-scope"])}</span>' if "x-scope" in entry else ""
    head = f'<span class="method">{method.upper()}</span> <code>{escape(path)}</code>'
    parts = [f"<h3>{scope}{head}</h3><p>{_prose(entry['description'])}</p>"]
    if entry["parameters"]:
        parts.append(_table(("Parameter", "Type", "Meaning"), map(_parameter, entry["parameters"])))
    if "requestBody" in entry:
        [content] = entry["requestBody"]["content"].values()
        parts.append(
            f"<p>Body: {_schema(content['schema'])}. {escape(entry['requestBody']['description'])}</p>"
        )
    parts.append(_table(("Answer", "Body", "Meaning"), map(_response, entry["responses"].items())))
    return f'<section id="{escape(entry["operationId"])}">{"".join(parts)}</section>'


def _parameter(parameter: Json) -> tuple[str, str, str]:
    name = f"<code>{escape(parameter['name'])}</code> ({escape(parameter['in'])})"
    return name, _schema(parameter["schema"]), _prose(parameter.get("description", ""))


def _response(response: tuple[str, Json]) -> tuple[str, str, str]:
    status, answer = response
    content = answer.get("content", {})
    body = ", ".join(
        f"{_schema(media['schema'])} <code>{escape(kind)}</code>" for kind, media in content.items()
    )
    return f"<strong>{escape(status)}</strong>", body, _prose(answer["description"])


def _type(name: str, schema: Json) -> str:
    required = schema.get("required", ())
    rows = (
        (f"<code>{escape(key)}</code>", _schema(value), "required" if key in required else _default(value))
        for key, value in schema.get("properties", {}).items()
    )
    table = _table(("Field", "Type", ""), rows) if "properties" in schema else f"<p>{_schema(schema)}</p>"
    about = _prose(schema.get("description", ""))
    return (
        f'<section id="{_anchor(name)}"><h3><code>{escape(name)}</code></h3><p>{about}</p>{table}</section>'
    )


def _default(schema: Json) -> str:
    return f"default <code>{escape(str(schema['default']))}</code>" if "default" in schema else ""


def _schema(schema: Json) -> str:
    """A type in one line."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return f'<a href="#{_anchor(name)}">{escape(name)}</a>'
    if "anyOf" in schema:
        return " or ".join(_schema(option) for option in schema["anyOf"])
    if "enum" in schema:
        return " · ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    if schema.get("type") == "array" and isinstance(schema.get("items"), dict):
        return f"list of {_schema(schema['items'])}"
    return escape(" ".join(_words(schema)))


def _words(schema: Json) -> Iterator[str]:
    yield str(schema.get("type", "any value"))
    for name, word in _BOUNDS.items():
        if name in schema:
            yield f"{word} {schema[name]}"


_BOUNDS = {
    "format": "as",
    "pattern": "matching",
    "minimum": "from",
    "maximum": "to",
    "minLength": "length from",
    "maxLength": "length to",
    "minItems": "items from",
    "maxItems": "items to",
}


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    titles = "".join(f"<th>{title}</th>" for title in head)
    cells = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{titles}</tr>{cells}</table>"


def _prose(text: str) -> str:
    """Escaped, with `code` as code: the one mark our docstrings use."""
    parts = escape(" ".join(text.split())).split("`")
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))


def _anchor(name: str) -> str:
    return escape("".join(c if c.isalnum() else "-" for c in name).strip("-").lower())
