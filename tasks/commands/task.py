"""The commands that every task has, made from its spec, such as train, eval and study."""

# No `from __future__ import annotations`: the options depend on the spec at hand.

from collections.abc import Callable
from dataclasses import dataclass
from inspect import getattr_static
from json import dumps
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from aclnet.config import LARGEST_SEED
from tasks.commands.options import (
    RECIPE_HELP,
    STORES,
    Arms,
    Cache,
    Data,
    JsonFile,
    Labels,
    Overrides,
    Overwrite,
    StudyOptions,
    TrainedRun,
    Unfinished,
    command_line,
    echo,
    parts,
    pin_run,
    recipe_settings,
    say,
    show,
    with_query,
)
from tasks.plugins import command_of
from tasks.spec import TaskSpec

FinishedRun = Annotated[
    Path | None,
    typer.Option(
        "--run",
        "-r",
        help="A run; by default the default recipe's, or the latest.",
        callback=pin_run,
    ),
]


def task_app(spec: TaskSpec) -> typer.Typer:
    """Build a task's part of the command line."""
    app = typer.Typer(no_args_is_help=True, help=spec.help)
    app.command("train")(_train(spec))
    app.command("eval")(with_query(_eval(spec), spec.query))
    app.command("embed")(_embed(spec))
    app.command("study")(with_query(_study(spec), _StudyOptions))
    if spec.measuring is not None:
        app.command("fuse")(with_query(_fuse(spec), spec.query))
        app.command("biometrics")(with_query(_biometrics(spec), spec.measuring))
    spec.add_commands(app)
    own = [command.name for command in app.registered_commands]
    # Without importing what it names.
    if getattr_static(spec, "worst", None) is not None and "show" not in own:
        app.command("show")(_show(spec))
    if getattr_static(spec, "right_score", None) is not None:
        app.command("joints")(_joints(spec))
    app.command("robustness")(_robustness(spec))
    return app


def _train(spec: TaskSpec) -> Callable[..., None]:
    default = "" if spec.recipe is None else f" By default {spec.recipe}."

    def train(
        config: Annotated[
            str | None,
            typer.Option(
                "--config", "-c", help=f"{RECIPE_HELP}{default} With --resume the run's own."
            ),
        ] = None,
        data: Data = None,
        run: Annotated[
            Path | None,
            typer.Option(
                # torchrun takes --run for an abbreviation of its own options, and refuses it.
                "--run",
                "-r",
                help=f"The run's folder; by default runs/{spec.run_prefix}<recipe>. Under "
                "torchrun use -r.",
            ),
        ] = None,
        overrides: Overrides = None,
        init_from: Annotated[
            str | None,
            typer.Option(
                metavar="RUN",
                help="Begin with the encoder of this run, of any task, such as pretrain; {seed} "
                "stands for train.seed.",
            ),
        ] = None,
        resume: Annotated[bool, typer.Option(help="Resume from the folder's checkpoint.")] = False,
        overwrite: Overwrite = False,
        cache: Cache = STORES,
        json: JsonFile = None,
    ) -> None:
        from aclnet.runs.info import SETTINGS

        named = config or spec.recipe
        folder = run or (None if named is None else spec.run_folder(named))
        if folder is None:
            raise ValueError("give a recipe with --config (or, with --resume, a run with --run)")
        own = folder / SETTINGS
        recipe = str(own) if config is None and resume and own.is_file() else named
        if recipe is None:
            raise ValueError(f"give a recipe with --config: {folder} is not a run to --resume")
        known = _own_data(own) if resume else None
        begun = [] if init_from is None else [f"init_from={dumps(init_from)}"]
        settings = recipe_settings(spec, recipe, data, [*(overrides or []), *begun], known)
        from tasks.run.pipeline import train_and_evaluate  # imports torch

        result = train_and_evaluate(
            spec,
            settings,
            folder,
            cache,
            command=command_line(),
            resume=resume,
            overwrite=overwrite,
            report=say,
        )
        if result is not None:  # None on ranks above 0
            again = command_of(spec.name, "eval", "--run", folder)
            text = f"\n{result.text}\n\neverything is in {folder}; to evaluate it again: {again}"
            show(result.record, text, json)

    train.__doc__ = f"""Train and evaluate{
        "; without arguments on the synthetic walkers" if spec.recipe else ""
    }.

    Writes the settings, the log, the checkpoint, the network's output on the test samples
    ({spec.saved}) and a result record to the run's folder.
    """
    return train


def _own_data(settings: Path) -> str | None:
    """The data of a run that is resumed, so that its recipe needs none."""
    from aclnet.config import read_mapping

    data = read_mapping(settings).get("data") if settings.is_file() else None
    return data.get("path") if isinstance(data, dict) else None


def _eval(spec: TaskSpec) -> Callable[..., None]:
    option = f"--{spec.saved_option}"

    def evaluate(
        query: Any,
        run: FinishedRun = None,
        file: Annotated[
            Path | None,
            typer.Option(
                option,
                help=f"{spec.saved_option.capitalize()} from any system instead of a run: see "
                + (
                    "protocols.embeddings (.npz, CSV, Parquet, .npy) and protocols.pair_scores."
                    if spec.saved_option == "embeddings"
                    else "protocols.action.scores (.npz, CSV, Parquet, .npy)."
                ),
            ),
        ] = None,
        labels: Labels = None,
        name: Annotated[
            str | None,
            typer.Option(help=f"Name of the system behind {option}: its row in the report."),
        ] = None,
        dataset: Annotated[
            str | None,
            typer.Option(help=f"Name of the data behind {option}: their table in the report."),
        ] = None,
        unfinished: Unfinished = False,
        cache: Cache = STORES,
        json: JsonFile = None,
    ) -> None:
        from aclnet.runs.finished import require_finished
        from tasks.run.judged import Names, saved_by
        from tasks.run.saved import default_run, evaluate_file, evaluate_run

        if run is not None and file is not None:
            raise ValueError(f"give either --run RUN or {option} FILE")
        asks_network = getattr(query, "asks_network", None)
        if file is not None and asks_network is not None and asks_network(None):
            raise ValueError(
                f"{option} {file} is evaluated as it is: to test other data or clips give --run RUN"
            )
        names = Names(name, dataset)
        if file is not None:
            if any(names) and saved_by(file) is not None:
                raise ValueError(
                    f"--name and --dataset are for files of another program: a run saved {file}"
                )
            with say.bar("evaluating"):
                found = evaluate_file(spec, file, query, command_line(), names, labels)
            show(*found, json)
            return
        if any((*names, labels)):
            raise ValueError(f"--name, --dataset and --labels are for {option} FILE: give a file")
        folder = run or default_run(spec)
        if run is None:
            pin_run(folder)
            say(f"evaluating {folder}")
        # What a run saved is of a finished training.
        again = not require_finished(folder, unfinished)
        if again or (asks_network is not None and asks_network(folder)):
            from tasks.run.pipeline import evaluate_again

            rest = (cache, command_line(), say)
            show(*evaluate_again(spec, folder, query, *rest, unfinished=unfinished), json)
            return
        with say.bar("evaluating"):
            found = evaluate_run(spec, folder, query, command_line())
        show(*found, json)

    first = f"Evaluate a run again, or {spec.saved_option} from any system."
    evaluate.__doc__ = "\n\n".join(filter(None, [first, spec.eval_help]))
    return evaluate


def _embed(spec: TaskSpec) -> Callable[..., None]:
    def embed(
        run: TrainedRun,
        out: Annotated[Path, typer.Option(help="The .npz to write.")],
        data: Annotated[
            Path | None, typer.Option(help="Data to embed; by default the run's test samples.")
        ] = None,
        unfinished: Unfinished = False,
        cache: Cache = STORES,
    ) -> None:
        """Embed recordings with a trained network; under torchrun all ranks share the work."""
        from tasks.run.open import embed_data

        if out.suffix != ".npz":  # checked before the work, not after it
            raise ValueError(f"--out {out}: embeddings are written as .npz; use that suffix")
        found = embed_data(spec, run, data, cache, say, unfinished=unfinished)
        from aclnet.distributed import rank  # imports torch

        if rank() > 0:
            return
        found.save(out)
        echo(f"{len(found)} embeddings of {found.embedding.shape[1]} numbers in {out}")

    return embed


@dataclass(frozen=True)
class _StudyOptions(StudyOptions):
    """The options of `study`; `objectives` is the old name of `arms`, used in recorded commands."""

    seeds: Annotated[str, typer.Option(help="Seeds, comma-separated.")] = "0,1,2"
    arms: Arms = None
    objectives: Annotated[str | None, typer.Option(hidden=True)] = None


def _study(spec: TaskSpec) -> Callable[..., None]:
    def study(
        query: _StudyOptions,
        folds: Annotated[
            str | None,
            typer.Option(
                help="Folds, comma-separated; by default all of the split.",
                hidden=not spec.has_folds,
            ),
        ] = None,
    ) -> None:
        """Train every arm with every seed on every fold, and test which differ (Table VIII).

        Finished runs are not trained again, interrupted ones are resumed.
        """
        if query.arms is not None and query.objectives is not None:
            raise ValueError("--objectives is the old name of --arms: give only one of them")
        arms = parts(query.objectives if query.arms is None else query.arms)
        plan = query.plan(spec)
        from tasks.run.study import study as train_all  # imports torch

        with plan.resumable():
            echo(f"\n{train_all(plan, arms, parts(folds))}")

    return study


def _fuse(spec: TaskSpec) -> Callable[..., None]:
    def fuse(
        query: Any,
        runs: Annotated[list[Path], typer.Argument(help="Finished runs.")],
        weights: Annotated[
            str | None,
            typer.Option(help="A weight per run, comma-separated; by default equal."),
        ] = None,
        out: Annotated[Path | None, typer.Option(help="Also save the embeddings (.npz).")] = None,
        json: JsonFile = None,
    ) -> None:
        """Join the embeddings of several runs, such as seeds or streams, and evaluate them as one.

        Each run's embeddings are brought to unit length, so that the cosine of two samples is the
        weighted mean of the runs' own. Samples are matched by key, never by order.
        """
        from tasks.run.fused import fuse_runs

        if out is not None and out.suffix != ".npz":
            raise ValueError(f"--out {out}: embeddings are written as .npz; use that suffix")
        with say.bar("evaluating"):
            found = fuse_runs(spec, runs, weights, query, out, command_line())
        show(*found, json)

    return fuse


def _biometrics(spec: TaskSpec) -> Callable[..., None]:
    def biometrics(
        query: Any,
        run: FinishedRun = None,
        embeddings: Annotated[
            Path | None,
            typer.Option(help="Embeddings from any system instead of a run, as for eval."),
        ] = None,
        labels: Labels = None,
        cache: Cache = STORES,
        json: JsonFile = None,
    ) -> None:
        """Verification and open-set rates: EER, FNMR at FMR, thresholds chosen on other people."""
        from tasks.run.biometrics import measure
        from tasks.run.saved import default_run

        if run is not None and embeddings is not None:
            raise ValueError("give either --run RUN or --embeddings FILE")
        if labels is not None and embeddings is None:
            raise ValueError("--labels is for --embeddings FILE: give a file")
        folder = None if embeddings is not None else run or default_run(spec)
        rest = (cache, command_line(), say, labels)
        with say.bar("evaluating"):
            found = measure(spec, query, folder, embeddings, *rest)
        show(*found, json)

    return biometrics


def _show(spec: TaskSpec) -> Callable[..., None]:
    def show_cases(
        run: Annotated[Path, typer.Argument(help="A finished run.", callback=pin_run)],
        out: Annotated[
            Path,
            typer.Option(
                "--to", help="Moving skeletons, .html, or .rrd for rerun; or .png, .svg, .pdf."
            ),
        ],
        count: Annotated[int, typer.Option(min=1, max=50, help="Cases to show.")] = 8,
        depth: Annotated[int, typer.Option(min=1, max=20, help="Samples beside each.")] = 5,
        cache: Cache = STORES,
    ) -> None:
        """Show the worst mistakes of a run, and where the right answer was."""
        from tasks.commands.show.worst import show_worst

        shown = show_worst(
            spec, run, out, find=spec.worst, count=count, depth=depth, cache=cache, report=say
        )
        echo(f"{out}: {shown} cases" if shown else f"{run} makes no mistake: nothing is drawn")

    return show_cases


def _joints(spec: TaskSpec) -> Callable[..., None]:
    def joints(
        run: Annotated[Path, typer.Argument(help="A finished run.", callback=pin_run)],
        out: Annotated[
            Path | None, typer.Option("--to", help="Also draw it here: .png, .svg or .pdf.")
        ] = None,
        by: Annotated[
            Literal["part", "joint"], typer.Option(help="Hide parts of the body, or single joints.")
        ] = "part",
        segments: Annotated[int, typer.Option(min=2, max=100, help="Segments of the time.")] = 8,
        count: Annotated[
            int, typer.Option(min=1, max=1_000_000, help="Test samples at most, evenly spread.")
        ] = 100,
        sample: Annotated[
            list[str] | None, typer.Option(help="Key of a test sample to look at; repeatable.")
        ] = None,
        cache: Cache = STORES,
        json: JsonFile = None,
    ) -> None:
        """Show which joints mattered, and when: hide them, and see the right score fall.

        The score is the probability of the right class, or how much nearer the right person is than
        anybody else.
        """
        from tasks.commands.show.joints import show_joints

        text = show_joints(
            spec,
            run,
            out,
            json,
            by=by,
            segments=segments,
            count=count,
            names=sample or [],
            cache=cache,
            report=say,
        )
        echo(text)

    return joints


def _robustness(spec: TaskSpec) -> Callable[..., None]:
    def robustness(
        run: Annotated[Path, typer.Argument(help="A finished run.", callback=pin_run)],
        kinds: Annotated[
            str | None,
            typer.Option(
                help="Kinds of change, comma-separated: noise, joints, gaps, length, rate; by "
                "default all."
            ),
        ] = None,
        seed: Annotated[
            int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of noise and missing joints.")
        ] = 0,
        results: Annotated[
            Path | None,
            typer.Option(help="Folder for the records, one a level, of which the report draws."),
        ] = None,
        cache: Cache = STORES,
        json: JsonFile = None,
    ) -> None:
        """Test a run on degraded recordings, and by person and group as they are.

        Noise on the joints, joints absent throughout or in single frames, shorter recordings and
        fewer frames per second, each at several levels.
        """
        from protocols.files import write_text
        from tasks.run.robustness import robustness_records, robustness_text  # imports torch

        records, name = [], run.resolve().name
        for record in robustness_records(
            spec, run, cache, command_line(), kinds=parts(kinds), seed=seed, report=say
        ):
            records.append(record)
            if results is not None:
                record.write(results / f"{name}-{record.variant}.json")
        if json is not None:
            write_text(json, "[\n" + ",\n".join(one.to_json() for one in records) + "]\n")
        echo(robustness_text(records))

    return robustness
