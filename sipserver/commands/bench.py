"""`antiphon bench …`: what it costs and how fast it is, measured on this machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from sipserver.commands.common import AsJson, fail, reason_of

app = typer.Typer(help="Measure this machine.", no_args_is_help=True)
_FILE_COLUMNS = 200
Sockets = Literal["auto", "native", "plain"]
Noise = Literal["off", "recogniser", "all"]
Plot = Annotated[Path | None, typer.Option("--plot", help="A folder for plots (PNG); needs the extra demo.")]


@app.command()
def media(
    calls: Annotated[int, typer.Option("--calls", min=1, max=2000, help="Calls at once.")] = 100,
    seconds: Annotated[float, typer.Option("--seconds", min=1, max=600, help="How long to measure.")] = 10,
    warm_up: Annotated[float, typer.Option("--warm-up", min=0.5, max=60, help="Seconds before that.")] = 6,
    sockets: Annotated[Sockets, typer.Option("--sockets", help="What moves the packets.")] = "auto",
    realtime: Annotated[bool, typer.Option(help="Ask for SCHED_FIFO, as the server does.")] = True,
    noise: Annotated[Noise, typer.Option("--noise", help="Noise suppression: who hears less noise.")] = "off",
    background: Annotated[bool, typer.Option("--background", help="A background sound under every call.")] = False,
    compare: Annotated[bool, typer.Option("--compare", help="The obvious alternative in the same run.")] = False,
    plot: Plot = None,
    as_json: AsJson = False,
) -> None:
    """The tick with sockets, VAD and recording for N calls; load comes from another process on another core."""
    from media.bench.loaded import LoadFailed
    from media.bench.plane import bench_media
    from media.frames import MediaUnavailable
    from media.quiet import NoiseSuppression

    _can_plot(plot)
    try:
        figures = bench_media(
            calls,
            seconds,
            warm_up=warm_up,
            backend=sockets,
            realtime=realtime,
            noise=NoiseSuppression(noise),
            beside=compare,
            background=background,
        )
    except (MediaUnavailable, LoadFailed) as error:
        raise fail(str(error)) from None
    _print(figures, as_json)
    _plot(figures, plot, "media")


@app.command()
def calls(
    calls: Annotated[int, typer.Option("--calls", min=1, max=1000, help="Calls at once.")] = 8,
    seconds: Annotated[float, typer.Option("--seconds", min=1, max=600, help="How long to measure.")] = 30,
    warm_up: Annotated[float, typer.Option("--warm-up", min=0, max=60, help="Seconds before that.")] = 4,
    rate: Annotated[float, typer.Option("--rate", min=0.1, max=100, help="New calls a second.")] = 4,
    speech: Annotated[Path | None, typer.Option("--speech", help="A folder of recorded speech (.wav).")] = None,
    plot: Plot = None,
    as_json: AsJson = False,
) -> None:
    """Callers who talk and interrupt, over SIP and RTP, against a server with its embedded engines started for it."""
    from media.bench.loaded import LoadFailed
    from sipserver.bench.calls import bench_calls
    from sipserver.bench.recordings import NoRecordings
    from sipserver.demo.node import NodeFailed

    _can_plot(plot)
    try:
        figures = bench_calls(calls, seconds, speech, rate=rate, warm_up=warm_up)
    except (NodeFailed, NoRecordings, LoadFailed) as error:
        raise fail(str(error)) from None
    _print(figures, as_json)
    _plot(figures, plot, "calls")


@app.command()
def network(
    calls: Annotated[int, typer.Option("--calls", min=2, max=250, help="Calls at once on each network.")] = 10,
    seconds: Annotated[float, typer.Option("--seconds", min=4, max=600, help="How long to measure.")] = 30,
    speech: Annotated[Path | None, typer.Option("--speech", help="A folder of recorded speech (.wav).")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Other losses and delays.")] = 1,
    plot: Plot = None,
    as_json: AsJson = False,
) -> None:
    """Calls over a LAN, the internet, Wi-Fi and mobile data as simulated: what is heard of what was truly lost and late."""
    from media.bench.loaded import LoadFailed
    from media.bench.network import bench_network
    from media.frames import MediaUnavailable
    from sipserver.bench.recordings import NoRecordings, in_turns, recordings

    _can_plot(plot)
    try:
        figures = bench_network(calls, seconds, in_turns(recordings(speech)) if speech else None, seed=seed)
    except (MediaUnavailable, NoRecordings, LoadFailed) as error:
        raise fail(str(error)) from None
    _print(figures, as_json)
    _plot(figures, plot, "network")


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
    transport: Annotated[
        Literal["udp", "tcp"], typer.Option("--transport", help="Of all calls, over one socket.")
    ] = "udp",
    as_json: AsJson = False,
) -> None:
    """Calls set up and taken down, with SIPp on the other end, beside SIPp's own callee."""
    from sipserver.bench.sip import bench_sip
    from sipserver.bench.sipp import SippMissing

    try:
        figures = bench_sip(rate, seconds, "rows" if rows else "signalling", transport)
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
    threshold: Annotated[
        float | None, typer.Option(min=0.05, max=0.95, help="frameActivationThreshold of the agent; else its default.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What stops the agent, and how soon: callers, coughs, clicks, noise, babble, and its own echo."""
    from sipserver.bench.bargein import bench_bargein
    from sipserver.bench.onsets import THRESHOLD
    from sipserver.bench.recordings import NoRecordings

    try:
        figures = bench_bargein(speech, rounds, THRESHOLD if threshold is None else threshold)
    except NoRecordings as error:
        raise fail(str(error)) from None
    _print(figures, as_json)


def _can_plot(folder: Path | None) -> None:
    """Say at once, not after the measuring, that there will be no pictures; make their folder."""
    from sipserver.bench.plots import NoPlots, need_plots

    if folder is None:
        return
    try:
        need_plots()
        folder.mkdir(parents=True, exist_ok=True)
    except NoPlots as error:
        raise fail(str(error)) from None
    except OSError as error:
        raise fail(f"plots cannot be written: {reason_of(error)}") from None


def _plot(figures: Mapping[str, Any], folder: Path | None, bench: str) -> None:
    from sipserver.bench.plots import plot

    if folder is None:
        return
    try:
        for path in plot(figures, folder, bench):
            typer.echo(f"{path}", err=True)
    except OSError as error:
        raise fail(f"plots cannot be written: {reason_of(error)}") from None


def _print(figures: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(figures, indent=2))
        return

    from rich.console import Console

    from sipserver.bench.table import table

    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = _FILE_COLUMNS
    console.print(table(figures))
