"""Compiled code of formats: loaded after so many facts that it is worth it, and no byte changes."""

import subprocess
import sys
from pathlib import Path

import pytest

from sinks.formats import find, loading
from sinks.samples import sample_batch, simple_stream

FORMATS = ["avro", "json"]


def anew(monkeypatch, form, enough, alone):
    """As in a process that has written nothing yet."""
    known = loading.Loading(f"sinks.formats.{form}_kernel", enough, alone)
    monkeypatch.setattr(loading, form.upper(), known)
    return known


@pytest.mark.parametrize("form", FORMATS)
def test_compiled_code_is_loaded_after_many_facts_and_changes_no_byte(monkeypatch, form):
    known = anew(monkeypatch, form, 250, 250)
    batch, made = sample_batch(simple_stream(), 100), find(form)(simple_stream())
    made.header = b"\0\1\2\3\4"
    first = [made.values(batch.data) for _ in range(2)]
    assert known._future is None
    known.after(50)
    known.wait()
    kernel, written = known.after(0), []
    monkeypatch.setattr(kernel, "write", lambda *given, write=kernel.write: written.append(1) or write(*given))
    then = made.values(batch.data)
    assert written
    assert all(then.equals(values) for values in first)


@pytest.mark.parametrize("form", FORMATS)
def test_where_nothing_else_has_loaded_numba_it_takes_more_facts(monkeypatch, form):
    monkeypatch.delitem(sys.modules, "numba", raising=False)
    known = anew(monkeypatch, form, 10, 1000)
    known.after(999)
    assert known._future is None
    known.after(1)
    assert known._future is not None
    known.wait()


@pytest.mark.parametrize("form", FORMATS)
def test_small_runs_do_not_load_it(form):
    code = (
        "import sys; from sinks.formats import find; from sinks.samples import sample_batch, simple_stream\n"
        f"form = find('{form}')(simple_stream()); form.values(sample_batch(simple_stream(), 50).data)\n"
        "print([name for name in sys.modules if name == 'numba' or name.endswith('_kernel')])"
    )
    root = Path(__file__).parent.parent
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize("form", FORMATS)
def test_without_numba_everything_goes_on_as_before(monkeypatch, form):
    known = anew(monkeypatch, form, 0, 0)
    monkeypatch.setitem(sys.modules, "numba", None)
    for name in (f"sinks.formats.{form}_kernel", "sinks.memory", "sinks.digits"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    batch, made = sample_batch(simple_stream(), 100), find(form)(simple_stream())
    first = made.values(batch.data)
    known.wait()
    assert made.values(batch.data).equals(first)
    assert isinstance(known._future.exception(), ImportError)
    assert known.kernel is None
