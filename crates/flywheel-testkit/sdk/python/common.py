"""What the scripts share: arguments, encodings, the server API, and the report that the Rust test reads."""

import asyncio
import json
import sys
import traceback
import urllib.request

options = dict(argument.split("=", 1) for argument in sys.argv[1:])
checks = []


def check(name, held):
    """Notes whether something held; the order is part of the report."""
    checks.append([name, bool(held)])


def encode(value, encoding):
    """A value as data of a publication."""
    return json.dumps(value).encode() if encoding == "protobuf" else value


def decode(data, encoding):
    """The value that data of a publication carries."""
    return json.loads(data) if encoding == "protobuf" else data


def fetch(request):
    with urllib.request.urlopen(request, timeout=20) as response:
        return json.load(response)


async def get(url):
    return await asyncio.get_running_loop().run_in_executor(None, fetch, url)


async def api(method, params):
    """Calls the server API and returns the result."""
    request = urllib.request.Request(
        f"http://{options['address']}/api/{method}",
        data=json.dumps(params).encode(),
        headers={"X-API-Key": options["key"]},
    )
    answer = await get(request)
    if "error" in answer:
        raise RuntimeError(f"{method}: {answer['error']}")
    return answer.get("result", answer)


def report(run):
    """Runs the checks and prints the report as the last line."""
    try:
        asyncio.run(run())
    except Exception:  # noqa: BLE001 - the report says what happened
        print(json.dumps({"failure": traceback.format_exc(), "checks": checks}))
        sys.exit(1)
    print(json.dumps({"checks": checks}))
