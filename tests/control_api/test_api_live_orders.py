"""What is ordered of a call that is under way: keys to press, something to say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sipserver.protocols import SpeechOrder
from tests.control_api.installation import Installation, add_call, run


def test_keys_are_pressed_and_a_sentence_is_said(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            call = await add_call(client)
            made.phone.live.add(call["id"])
            path = f"/v1/calls/{call['id']}"
            async with made.client("calls") as calls:
                pressed = await calls.post(f"{path}/dtmf", json={"digits": "1,w2A#"})
                said = await calls.post(f"{path}/say", json={"message": "One moment, {{name}}."})
                last = await calls.post(f"{path}/say", json={"text": "Goodbye.", "interrupt": True, "endCall": True})
            assert {answer.status_code for answer in (pressed, said, last)} == {200}
            assert pressed.json()["data"]["id"] == call["id"]
        assert made.phone.pressed == [(call["id"], "1ww2A#")]
        assert [order for _, order in made.phone.told] == [
            SpeechOrder("One moment, {{name}}."),
            SpeechOrder("Goodbye.", interrupt=True, ends=True),
        ]

    run(tmp_path, test)


def test_the_rtp_of_a_call_under_way_is_looked_at_and_of_another_not(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            live = await add_call(client)
            over = await add_call(client, phoneNumberId=live["phoneNumberId"])
            made.phone.live.add(live["id"])
            for on in (True, False):
                assert (await client.post(f"/v1/calls/{live['id']}/trace", json={"rtp": on})).status_code == 200
            assert (await client.post(f"/v1/calls/{over['id']}/trace", json={"rtp": True})).status_code == 409
            async with made.client("read") as reader:
                assert (await reader.post(f"/v1/calls/{live['id']}/trace", json={"rtp": True})).status_code == 403
        assert made.phone.looked_at == [(live["id"], True), (live["id"], False)]

    run(tmp_path, test)


def test_a_peer_that_takes_no_keys_gets_none(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            call = await add_call(client)
            made.phone.live.add(call["id"])
            made.phone.takes_keys = False
            answer = await client.post(f"/v1/calls/{call['id']}/dtmf", json={"digits": "1"})
            assert (answer.status_code, "on hold" in answer.json()["error"]) == (409, True)

    run(tmp_path, test)


@pytest.mark.parametrize(
    ("word", "body", "field"),
    [
        ("dtmf", {}, "digits"),
        ("dtmf", {"digits": ""}, "digits"),
        ("dtmf", {"digits": "12x"}, "digits"),
        ("dtmf", {"digits": "1\n"}, "digits"),
        ("dtmf", {"digits": "1" * 65}, "digits"),
        ("dtmf", {"digits": 12}, "digits"),
        ("trace", {}, "rtp"),
        ("trace", {"rtp": "loud"}, "rtp"),
        ("say", {}, "text"),
        ("say", {"text": " \n"}, "text"),
        ("say", {"text": "a" * 2001}, "text"),
        ("say", {"text": "Hello.", "interrupt": "now"}, "interrupt"),
    ],
)
def test_what_is_no_order(tmp_path: Path, word: str, body: dict[str, Any], field: str) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            call = await add_call(client)
            made.phone.live.add(call["id"])
            answer = await client.post(f"/v1/calls/{call['id']}/{word}", json=body)
            assert (answer.status_code, answer.json()["details"][0]["field"]) == (400, field), answer.text
        assert (made.phone.pressed, made.phone.told) == ([], [])

    run(tmp_path, test)


@pytest.mark.parametrize(("word", "body"), [("dtmf", {"digits": "1"}), ("say", {"text": "Hello."})])
def test_who_may_not_and_calls_that_are_not_there(tmp_path: Path, word: str, body: dict[str, str]) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            call = await add_call(client)
            path = f"/v1/calls/{call['id']}/{word}"
            assert (await client.post(path, json=body)).status_code == 409
            made.phone.live.add(call["id"])
            for who, status in (("read", 403), ("nobody", 401), ("other", 404)):
                async with made.client(who) as stranger:
                    assert (await stranger.post(path, json=body)).status_code == status
            assert (await client.post(f"/v1/calls/none/{word}", json=body)).status_code == 404
        assert (made.phone.pressed, made.phone.told) == ([], [])

    run(tmp_path, test)
