"""Who is reached where, and that a channel can neither hold us up nor show its URL."""

import time

import pytest

from orchestration.incidents.channels import Message, channels_of, send, url_of, variable
from orchestration.incidents.project import Owner
from tests.incidents.sinks import HANGS, REFUSES, Post, Sink, http_sink

SALES = Owner("sales", "Sales analytics", "sales@example.org")
BOARD = Owner("Boardroom", "Boardroom", "board@example.org")
ROUTES = {
    "ECLUSE_ALERTS": ("json://all", "json://more"),
    "ECLUSE_ALERTS_SALES": ("json://sales",),
}
MAIL = {"ECLUSE_ALERTS_MAIL": ("mailto://localhost:25",)}


@pytest.mark.parametrize(
    ("owner", "name"),
    [("sales", "ECLUSE_ALERTS_SALES"), ("data-platform", "ECLUSE_ALERTS_DATA_PLATFORM"),
     ("Équipe données", "ECLUSE_ALERTS_QUIPE_DONN_ES"), ("a.b (c)", "ECLUSE_ALERTS_A_B_C")],
)  # fmt: skip
def test_an_owners_variable_has_the_name_that_a_shell_can_set(owner: str, name: str) -> None:
    assert variable(owner) == name


def test_an_owner_has_their_own_channels_else_their_mail_else_everybodys() -> None:
    everybody = ["ECLUSE_ALERTS#1", "ECLUSE_ALERTS#2"]
    assert channels_of([SALES], ROUTES) == ["ECLUSE_ALERTS_SALES#1"]
    assert channels_of([BOARD], ROUTES) == everybody
    assert channels_of([SALES, BOARD], ROUTES | MAIL) == [
        "ECLUSE_ALERTS_SALES#1", "board@example.org",
    ]  # fmt: skip
    assert channels_of([], ROUTES) == everybody
    assert channels_of([SALES, BOARD], {}) == []


def test_a_url_of_two_owners_gets_one_message() -> None:
    both = {"ECLUSE_ALERTS_SALES": ("json://x",), "ECLUSE_ALERTS_BOARDROOM": ("json://x",)}
    assert channels_of([SALES, BOARD], both) == ["ECLUSE_ALERTS_SALES#1"]


def test_an_owner_called_mail_does_not_take_the_mail_server_for_a_channel() -> None:
    assert channels_of([Owner("mail")], ROUTES | MAIL) == ["ECLUSE_ALERTS#1", "ECLUSE_ALERTS#2"]


def test_a_channel_that_left_the_configuration_has_no_url() -> None:
    assert url_of("ECLUSE_ALERTS#3", ROUTES) is None
    assert url_of("ECLUSE_ALERTS_GONE#1", ROUTES) is None
    assert url_of("a@example.org", ROUTES) is None
    assert url_of("ECLUSE_ALERTS#0", ROUTES) is None


def test_an_owner_is_reached_by_mail(post: Post) -> None:
    routes = {"ECLUSE_ALERTS_MAIL": (f"mailto://127.0.0.1:{post.port}?from=ecluse@example.org",)}
    (channel,) = channels_of([BOARD], routes)
    said = Message("[opened error] it broke", "Rows: 7.\nOwner: Boardroom.", "failure")
    assert send({channel: (url_of(channel, routes), said, 5.0)}) == {channel: None}
    ((recipients, mail),) = post.mails
    assert recipients == ["board@example.org"]
    assert str(mail["Subject"]) == "[opened error] it broke"
    text = mail.get_payload(decode=True)
    assert isinstance(text, bytes)
    assert text.decode().splitlines()[:2] == ["Rows: 7.", "Owner: Boardroom."]


def test_one_channel_hangs_one_refuses_one_is_nonsense_and_one_takes_it(
    sink: Sink, capfd: pytest.CaptureFixture[str]
) -> None:
    said = Message("title", "body")
    with http_sink() as slow, http_sink() as shut:
        slow.mode, shut.mode = HANGS, REFUSES
        urls = {
            "slow": slow.url(),
            "shut": shut.url(),
            "bad": "nonsense://geheim",
            "ok": sink.url(),
        }
        began = time.monotonic()
        problems = send({name: (url, said, 1.0) for name, url in urls.items()} | {
            "gone": (None, said, 1.0)
        })  # fmt: skip
        took = time.monotonic() - began
    assert problems == {
        "slow": "no answer in 1 s", "shut": "it refused, or could not be reached",
        "bad": "apprise does not understand its URL", "ok": None,
        "gone": "it is no longer in the configuration",
    }  # fmt: skip
    assert took < 5
    assert sink.titles() == ["title"]
    assert "geheim" not in "".join(capfd.readouterr())
