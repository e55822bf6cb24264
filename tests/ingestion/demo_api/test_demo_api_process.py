"""The server as a process: its command line, its start, and above all its end."""

import os
import signal
import socket
import subprocess
import sys
import time
from datetime import date

import pytest
import requests
from click.testing import CliRunner

from ingestion.demo_api.broken import KINDS
from ingestion.demo_api.command import demo_api
from ingestion.demo_api.serve import DemoApiError, command, running

pytestmark = pytest.mark.slow

PARENT = """
import signal, time
from ingestion.demo_api.serve import running
signal.signal(signal.SIGINT, lambda *_: print("interrupted", flush=True))
with running(orders=100, days=3) as url:
    print(url, flush=True)
    time.sleep(60)
"""


def answers(url):
    try:
        return requests.get(f"{url}/row-counts", timeout=5).ok
    except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
        return False  # gone, or going while it was answering


def silent_within(url, seconds):
    until = time.monotonic() + seconds
    while answers(url):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture
def parent():
    """A process that has a server running as its child, and prints the URL."""
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    yield process
    process.kill()
    process.communicate()


def test_the_server_is_gone_after_an_error_in_the_block():
    with pytest.raises(ZeroDivisionError), running(orders=100, days=3) as url:
        raise ZeroDivisionError
    assert not answers(url)


def test_two_servers_answer_inside_their_blocks_and_are_gone_after_them():
    with running(orders=100, days=2) as one, running(orders=100, days=3) as other:
        assert one != other
        for url in (one, other):
            assert url.startswith("http://127.0.0.1:")
            assert url.endswith("/api/v1")
            assert answers(url)
    assert not answers(one)
    assert not answers(other)


def test_the_child_dies_with_a_killed_parent(parent):
    url = parent.stdout.readline().strip()
    assert answers(url)
    parent.send_signal(signal.SIGKILL)
    assert silent_within(url, 5)


def test_ctrl_c_in_the_parent_s_terminal_does_not_reach_the_child(parent):
    url = parent.stdout.readline().strip()
    os.killpg(parent.pid, signal.SIGINT)  # what a terminal does on Ctrl-C
    assert parent.stdout.readline() == "interrupted\n"
    assert answers(url)


def test_a_server_that_cannot_start_says_why():
    said = "ended with code 2. It said: Error: There is no fault 'tornado'"
    with pytest.raises(DemoApiError, match=said), running(faults=["tornado"]):
        pytest.fail("must not start")


def test_a_server_that_is_too_slow_is_given_up_and_stopped():
    with pytest.raises(DemoApiError, match=r"did not answer within 0\.01 s"), running(wait=0.01):
        pytest.fail("nothing starts in ten milliseconds")


def test_faults_set_at_the_start_wait_for_the_first_real_request():
    with running(orders=100, days=2, faults=["500@stores", "404@products"]) as url:
        codes = [requests.get(f"{url}/{e}", timeout=5).status_code for e in ("stores", "products")]
    assert codes == [500, 404]


def test_the_child_s_arguments_leave_out_what_was_not_given():
    argv = command({"orders": 5, "start": date(2024, 9, 1), "data": None}, ["500", "drop"])
    assert argv[1:3] == ["-m", "ingestion.demo_api"]
    assert argv[-4:] == ["--orders=5", "--start=2024-09-01", "--fault=500", "--fault=drop"]


def test_a_taken_port_is_one_sentence_and_exit_2():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(demo_api, ["--port", str(port), "--orders", "1_000"])
    assert result.exit_code == 2
    assert result.output == (
        f"Error: Port {port} on 127.0.0.1 is taken: choose another with --port, "
        "or 0 for a free one.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--data", "/nowhere"], "/nowhere holds neither raw_customers.csv"),
        (["--data", ".", "--days", "3"], "leave out --days"),
        (["--fault", "tornado"], "There is no fault 'tornado'"),
        (["--orders", "0"], "--orders"),
        (["--orders", "many"], "--orders"),
        (["--days", "0"], "--days"),
        (["--start", "soon"], "--start"),
        (["--start", "9999-12-30"], "give an earlier --start"),
        (["--host", "no.such.host.invalid"], "check --host"),
    ],
)
def test_what_cannot_be_is_refused_with_exit_2(arguments, complaint):
    result = CliRunner().invoke(demo_api, ["--port", "0", *arguments])
    assert result.exit_code == 2
    assert complaint in result.output
    assert "Traceback" not in result.output


def test_the_help_lists_every_option_and_every_fault():
    text = CliRunner().invoke(demo_api, ["--help"]).output
    for option in ("host", "port", "orders", "days", "start", "seed", "data", "fault", "quiet"):
        assert f"--{option}" in text
    assert all(f"\n  {name} " in text for name in KINDS)
    assert "--end-with-parent" not in text


def test_served_alone_it_says_where_and_ends_politely_on_ctrl_c():
    argv = [sys.executable, "-m", "ingestion.demo_api", "--port=0", "--orders=1_000", "--days=30"]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    first, about, desk, docs = (process.stdout.readline() for _ in range(4))
    url = first.split()[-1]
    assert answers(url)
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=10)
    assert "A made-up shop" in about
    assert "/support/v1; the token is" in desk
    assert "/docs" in docs
    assert process.returncode == 0
    assert "Traceback" not in rest
    assert rest.endswith("The demo shop is closed.\n")


def loaded_by(modules):
    program = f"import sys, {modules}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_the_server_imports_neither_dlt_nor_dbt():
    here = "ingestion.demo_api"
    loaded = loaded_by(f"{here}.app, {here}.listen, {here}.generator, {here}.files")
    assert "polars" in loaded
    assert not {"dlt", "dbt", "pandas", "pyarrow"} & loaded


def test_the_command_line_waits_for_no_web_framework():
    loaded = loaded_by("ingestion.demo_api.command, ingestion.demo_api.serve")
    assert "click" in loaded
    assert not {"fastapi", "uvicorn", "polars", "numpy"} & loaded
