"""`antiphon bench …`: what it costs and how fast it is, measured on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from sipserver.commands.common import AsJson, fail

app = typer.Typer(help="Measure this machine.", no_args_is_help=True)


@app.command()
def media(
    calls: Annotated[int, typer.Option("--calls", min=1, max=2000, help="Calls at once.")] = 100,
    seconds: Annotated[float, typer.Option("--seconds", min=1, max=600, help="How long to measure.")] = 10,
    warm_up: Annotated[float, typer.Option("--warm-up", min=0.5, max=60, help="Seconds before that.")] = 6,
    sockets: Annotated[str, typer.Option("--sockets", help="auto, native or plain.")] = "auto",
    realtime: Annotated[bool, typer.Option(help="Ask for SCHED_FIFO, as the server does.")] = True,
    noise: Annotated[str, typer.Option("--noise", help="Noise suppression: off, recogniser or all.")] = "off",
    compare: Annotated[bool, typer.Option("--compare", help="The obvious alternative in the same run.")] = False,
    as_json: AsJson = False,
) -> None:
    """The tick with sockets, VAD and recording for N calls; load comes from another process on another core."""
    from media.bench.loaded import LoadFailed
    from media.bench.plane import bench_media
    from media.frames import MediaUnavailable
    from media.quiet import NoiseSuppression

    if noise not in list(NoiseSuppression):
        raise fail("--noise is off, recogniser or all.")
    try:
        figures = bench_media(
            calls,
            seconds,
            warm_up=warm_up,
            backend=sockets,
            realtime=realtime,
            noise=NoiseSuppression(noise),
            beside=compare,
        )
    except (MediaUnavailable, LoadFailed) as error:
        raise fail(str(error)) from None
    _print(figures, as_json)


@app.command()
def answer(
    calls: Annotated[int, typer.Option("--calls", min=1, max=10_000, help="Calls, one after the other.")] = 50,
    as_json: AsJson = False,
) -> None:
    """From INVITE to 200 at the caller's end, against a server started for it."""
    from sipserver.demo.answer_time import bench_answer
    from sipserver.demo.node import NodeFailed
    from sipserver.demo.phone import CallRefused

    try:
        figures = bench_answer(calls)
    except (NodeFailed, CallRefused) as error:
        raise fail(str(error)) from None
    _print(figures, as_json)


@app.command()
def sip(
    rate: Annotated[int, typer.Option("--rate", min=1, max=10_000, help="Calls a second.")] = 400,
    seconds: Annotated[float, typer.Option("--seconds", min=1, max=600, help="How long to ring.")] = 10,
    rows: Annotated[bool, typer.Option("--rows", help="With call rows in SQLite, not the signalling alone.")] = False,
    as_json: AsJson = False,
) -> None:
    """Calls set up and taken down, with SIPp on the other end, beside SIPp's own callee."""
    from sipserver.bench.sip import bench_sip
    from sipserver.bench.sipp import SippMissing

    try:
        figures = bench_sip(rate, seconds, "rows" if rows else "signalling")
    except SippMissing as error:
        raise fail(str(error)) from None
    _print(figures, as_json)


@app.command()
def noise(
    speech: Annotated[
        Path, typer.Argument(help="A folder of recorded speech (.wav), with grammars (.gram) beside it.")
    ],
    rounds: Annotated[int, typer.Option("--rounds", min=1, max=100, help="How often, each with other noise.")] = 1,
    recogniser: Annotated[bool, typer.Option(help="Ask the embedded recogniser too: minutes.")] = True,
    as_json: AsJson = False,
) -> None:
    """Noise suppression on recorded speech in white noise, hum and babble: what it brings, and what it costs."""
    from sipserver.bench.noise import bench_noise
    from sipserver.bench.recordings import NoRecordings

    try:
        figures = bench_noise(speech, rounds, recogniser)
    except NoRecordings as error:
        raise fail(str(error)) from None
    _print(figures, as_json)


@app.command()
def concealment(
    speech: Annotated[Path, typer.Argument(help="A folder of recorded speech (.wav).")],
    rounds: Annotated[int, typer.Option("--rounds", min=1, max=100, help="How often, each with other losses.")] = 3,
    as_json: AsJson = False,
) -> None:
    """Lost packets in recorded speech, filled with silence, with repetition, and as calls are heard here."""
    from sipserver.bench.concealment import bench_concealment
    from sipserver.bench.recordings import NoRecordings

    try:
        figures = bench_concealment(speech, rounds)
    except NoRecordings as error:
        raise fail(str(error)) from None
    _print(figures, as_json)


@app.command()
def bargein(
    speech: Annotated[Path, typer.Argument(help="A folder of recorded speech (.wav).")],
    rounds: Annotated[int, typer.Option("--rounds", min=1, max=20, help="How often, each with other noises.")] = 2,
    as_json: AsJson = False,
) -> None:
    """What stops the agent, and how soon: callers, coughs, clicks, noise, babble, and its own echo."""
    from sipserver.bench.bargein import bench_bargein
    from sipserver.bench.recordings import NoRecordings

    try:
        figures = bench_bargein(speech, rounds)
    except NoRecordings as error:
        raise fail(str(error)) from None
    _print(figures, as_json)


def _print(figures: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(figures, indent=2))
        return
    lines = list(_flat(figures))
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        typer.echo(f"{name:<{width}}  {value}")


def _flat(figures: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """`{"answer_ms": {"p50": 3}}` as `answer_ms.p50`, 3."""
    for name, value in figures.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value
