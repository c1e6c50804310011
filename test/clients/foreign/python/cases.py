"""Cases of a Python client. Each prints one line of JSON: its name, and what went wrong or null.

    @case
    def nodes_are_listed(client): ...

    run(make_client())
"""

import json
import sys
import time
import traceback

_cases = []
WITHIN_S = 60


def case(function):
    _cases.append(function)
    return function


def until(what, holds):
    """Repeats the question until it holds. Errors: AssertionError after WITHIN_S."""
    end = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < end, "timeout: " + what()
        time.sleep(0.1)


def raises(kind, call, says=""):
    """Errors: AssertionError unless the call raises this error, with this text in it."""
    try:
        call()
    except kind as error:
        assert says in str(error), "wanted %r in %r" % (says, str(error))
        return error
    raise AssertionError("nothing was raised, wanted %s" % kind.__name__)


def run(client):
    for function in _cases:
        wrong = None
        try:
            function(client)
        except Exception:
            wrong = traceback.format_exc()
        name = function.__name__.replace("_", " ")
        print(json.dumps({"name": name, "wrong": wrong}), flush=True)
    sys.exit(0)
