"""Recordings over HTTP: off the record and on it again."""

from __future__ import annotations

from pathlib import Path

from tests.control_api.installation import Installation, add_call, run


def test_an_answered_call_is_put_off_the_record_and_on_again(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client("calls") as client:
            async with made.client() as admin:
                call = await add_call(admin)
            made.phone.live.add(call["id"])
            path = f"/v1/calls/{call['id']}/recording"
            paused = await client.post(f"{path}/pause")
            assert (paused.status_code, paused.json()["data"]["id"]) == (200, call["id"])
            assert (await client.post(f"{path}/resume")).status_code == 200
        assert made.phone.recorded == [(call["id"], False), (call["id"], True)]

    run(tmp_path, test)


def test_who_may_not_and_what_cannot_be_put_off_the_record(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            call = await add_call(client)
            for word in ("pause", "resume"):
                path = f"/v1/calls/{call['id']}/recording/{word}"
                waiting = await client.post(path)
                assert waiting.status_code == 409
                assert "answered" in waiting.json()["error"]
                made.phone.live.add(call["id"])
                for who, status in (("read", 403), ("nobody", 401), ("other", 404)):
                    async with made.client(who) as stranger:
                        assert (await stranger.post(path)).status_code == status
                made.phone.live.clear()
            assert (await client.post("/v1/calls/none/recording/pause")).status_code == 404
        assert made.phone.recorded == []

    run(tmp_path, test)
