"""Commands that are steps of a recipe; each calls one function of the package, imported when it runs."""

import os
from argparse import ArgumentTypeError, Namespace
from functools import partial
from pathlib import Path

from nnsvs_lite.bin import command as options
from nnsvs_lite.bin.command import arg, flag, many
from nnsvs_lite.io.errors import DataError

stage = partial(options.command, stage="out")


def _truth(value: str) -> bool:
    known = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if value.lower() not in known:
        raise ArgumentTypeError(f"must be true or false, not {value!r}")
    return known[value.lower()]


@stage(
    "make the demo corpus: scores and recordings of a virtual singer",
    arg("--out", "folder to write the corpus to", required=True),
    arg("--seed", "seed of the performance", default=0),
    arg("--sample-rate", "sampling rate in Hz", default=24000),
    arg("--singers", "number of singers, 1 or 2", default=1),
    arg("--speakers", "singers by name, such as mei mei-deep, in place of --singers", nargs="+", default=()),
    flag("--no-songs", "etudes alone: the last is for eval, the one before it for dev"),
    arg("--etudes", "number of etudes, up to 60", default=60),
    arg("--nj", "processes", default=2),
    arg(
        "--hts-voice",
        "sing this data dir with the HTS voice alone instead, a decode folder",
        metavar="DATA_DIR",
    ),
)
def demo_corpus(args: Namespace) -> None:
    if args.hts_voice is not None:
        from nnsvs_lite.virtual.hts_baseline import sing_baseline

        made = sing_baseline(args.hts_voice, args.out, sample_rate=args.sample_rate)
        print(f"singing of the HTS voice {'written to' if made else 'is up to date:'} {args.out}")
        return

    from nnsvs_lite.virtual.demo import make_demo_corpus

    settings = {
        name: getattr(args, name) for name in ("seed", "sample_rate", "singers", "etudes", "speakers")
    }
    settings["with_songs"] = not args.no_songs
    made = make_demo_corpus(args.out, jobs=args.nj, **settings)
    print(f"demo corpus {'written to' if made else 'is up to date:'} {args.out}")


SHOWN = 500
"""Lines of a report of a preparation that are printed; corpora of thousands of phrases have more."""

PREPARE_OPTIONS = (
    arg("--split", "a split of conf/split/<corpus>.yaml, such as espnet; its default one if not given"),
    arg("--lang", "of a corpus of several languages the one to prepare, such as english"),
    arg("--bad-songs", "what to do with songs that cannot be used", choices=("stop", "leave-out")),
    arg("--eval-songs", "songs for eval; the corpus' own if not given", nargs="+", metavar="SONG"),
    arg("--dev-songs", "songs for dev; if none, the last phrases of training", nargs="*", metavar="SONG"),
    arg("--dev-phrases", "how many phrases that are; a tenth if not given", type=int),
    arg("--min-rest", "shortest silence to cut at, seconds (0.2)", type=float),
    arg("--min-length", "shortest phrase, seconds (2)", type=float),
    arg("--max-length", "longest phrase, seconds, where it can be cut (15)", type=float),
    arg("--margin", "silence kept at both ends of a phrase, seconds (0.3)", type=float),
)


@stage(
    "stage 0: prepare a corpus as data dirs of phrases, split into train, dev and eval",
    arg("corpus", "name of the corpus, such as nit_song070"),
    arg("--db-root", "where the corpus lies", required=True),
    arg("--out", "folder of the data dirs to write", default="data"),
    options.STRICT,
    *PREPARE_OPTIONS,
)
def prepare(args: Namespace) -> None:
    from nnsvs_lite.corpora import prepare
    from nnsvs_lite.corpus.datadir import DataDir
    from nnsvs_lite.corpus.prepare import PARTS

    given = {name: getattr(args, name) for name in options.keys(PREPARE_OPTIONS)}
    settings = {name: value for name, value in given.items() if value is not None}
    if not prepare(args.corpus, args.db_root, args.out, settings):
        print(f"{args.out} is up to date")
        return
    report = Path(args.out) / "reconciled.txt"
    if report.exists():
        lines = report.read_text(encoding="utf-8").splitlines()
        more = [f"... and {len(lines) - SHOWN} more: {report}"] if len(lines) > SHOWN else []
        print("".join(f"{line}\n" for line in lines[:SHOWN] + more), end="")
    for name in PARTS:
        part = DataDir.read(Path(args.out) / name)
        seconds = sum(part.duration(utt) for utt in part.utts)
        print(f"{part.path}: {len(part.utts)} phrases, {seconds:.1f} s, {len(part.wavs)} songs")


@stage(
    "stage 0 of several corpora: one set of data dirs, of one rate, one loudness and one choice of phones",
    arg("mixture", "YAML that names the corpora; see docs/mixed.md"),
    arg("--out", "folder of the data dirs to write", default="data"),
    options.PROCESSES,
)
def mix(args: Namespace) -> None:
    from nnsvs_lite.recordings.mix import mix

    rows = mix(args.mixture, args.out, args.nj)
    print(f"{args.out} is up to date" if rows is None else "\n".join(row.said for row in rows))


@stage(
    "stage 0 of a folder of your own recordings: data dirs of whole songs",
    arg("--db-root", "folder of recordings, each with a score or lyrics of the same name", required=True),
    arg("--out", "folder of the data dirs to write", default="data"),
    arg("--lang", "language of the lyrics, such as ja", required=True),
    arg("--speaker", "id of the singer", default="me"),
    arg(
        "--drafts",
        "folder of drafted scores, which stage 1 writes; those that were mended count",
        default="drafts",
    ),
    options.STRICT,
    options.PROCESSES,
)
def gather(args: Namespace) -> None:
    from nnsvs_lite.recordings.gather import gather
    from nnsvs_lite.report.recordings import gathered_text

    where = {"lang": args.lang, "speaker": args.speaker, "drafts": args.drafts}
    if gather(args.db_root, args.out, jobs=args.nj, **where) is None:
        print(f"{args.out} is up to date")
    print(gathered_text(args.out), end="")


@stage(
    "stage 1 of a folder of your own recordings: sets of the phrases that were aligned, and a report",
    arg("--datadir", "folder that gather wrote to", default="data"),
    arg("--align", "experiment folder of nnsvs-lite align", metavar="DIR"),
    stage="datadir",
)
def split(args: Namespace) -> None:
    from nnsvs_lite.report.recordings import split_and_report

    print(split_and_report(args.datadir, args.align), end="")


@stage(
    "make phone labels of recordings from their lyrics and scores (stage 1)",
    options.DATA_DIRS,
    arg("--config", "name of an aligner, or its YAML", default="score"),
    arg("--out", "experiment folder, exp/align_<conf>", required=True, metavar="DIR"),
    arg(
        "--realign",
        "align even where the corpus has labels, and compare with them",
        type=_truth,
        default=False,
        metavar="true|false",
    ),
    arg("--corrections", "TextGrids mended by hand, which win; ./corrections if there is one", metavar="DIR"),
    arg("--seed", "of the aligner's training; that of the configuration if not given", type=int),
    arg("--nj", "parallel jobs", default=1),
)
def align(args: Namespace) -> None:
    from dataclasses import replace

    from nnsvs_lite.align.config import read_config
    from nnsvs_lite.align.stage import align
    from nnsvs_lite.io.settings import find_config

    config = read_config(find_config("align", args.config))
    if args.seed is not None:
        config = replace(config, viter=replace(config.viter, seed=args.seed))
    corrections = args.corrections or ("corrections" if Path("corrections").is_dir() else None)
    align(args.data, config, args.out, realign=args.realign, corrections=corrections, jobs=args.nj)


@stage(
    "stage 2: WORLD or mel features, score context, lags and durations of a data dir",
    arg("--data", "data dir with scores, labels and audio", required=True),
    arg("--out", "where to write, <dump>/<set>", required=True),
    arg("--config", "name of an analysis, such as world_24k, or its YAML", required=True),
    arg("--nj", "number of jobs", default=1),
    arg("--job", "do the share of this job (1..nj) only; then --collect", type=int),
    flag("--collect", "merge what all jobs did, and nothing else"),
)
def extract(args: Namespace) -> None:
    # Jobs are parallel already; set before numpy is loaded.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    from nnsvs_lite.features.config import FeatureConfig
    from nnsvs_lite.features.extract import Extraction
    from nnsvs_lite.io.settings import find_config

    work = Extraction(args.data, args.out, FeatureConfig.read(find_config("features", args.config)))
    if work.done().is_current():
        print(f"{args.out} is up to date")
        return
    if args.job is not None:
        work.run_job(args.job, args.nj)
        return
    if not args.collect:
        work.run_all(args.nj)
    spec = work.collect()
    sizes = ", ".join(f"{name} {size}" for name, size in spec.streams.items())
    print(f"{args.out}: {len(work.data.utts)} utterances, {sizes}")


@stage(
    "stage 2: statistics of the training set's features, stats.json",
    options.DUMP,
    options.TRAIN_SET,
    stage="dump",
)
def stats(args: Namespace) -> None:
    from nnsvs_lite.features.spec import Spec
    from nnsvs_lite.features.stats import compute_stats, stats_done

    done = stats_done(args.dump, args.train_set)
    if done.is_current():
        print(f"{args.dump}/stats.json is up to date")
        return
    stats = compute_stats(args.dump, args.train_set)
    done.clear()
    stats.write(args.dump)
    done.set([f"{args.dump}/stats.json"])
    frames = sum(phone.frames for phone in stats.phones.values())
    print(f"{args.dump}/stats.json: {frames} frames, {len(stats.phones)} phones")
    if unheard := Spec.read(args.dump).unheard:
        named = ", ".join(f"{phone} ({other})" for phone, other in unheard.items())
        print(f"phones that {args.train_set} never holds, and what each will be sung as: {named}")


@stage(
    "train a time-lag, duration, acoustic or vocoder model on a dump dir",
    arg("--config", "name of a model, such as acoustic/sinsy_tiny, or its YAML", required=True),
    options.DUMP,
    options.TRAIN_SET,
    arg("--dev-set", "set that chooses the epoch to keep", default="dev"),
    arg("--data", "folder of the sets' data dirs; for vocoders, which hear recordings"),
    arg("--out", "exp dir to write", required=True),
    arg("--ngpu", "GPUs on this machine; 0 trains on the CPU", default=0),
    arg("--init", "exp dir of a voice whose weights to start from; default: afresh"),
    arg(
        "--features-from", "folder of the sets as decode --true-times made them, for vocoders", metavar="DIR"
    ),
    arg("--num-nodes", "machines, under torchrun or Slurm", default=1),
    arg("--seed", "in place of training.seed", type=int),
    arg(
        "--overwrite",
        "replace a model that was trained otherwise; false refuses",
        choices=("true", "false"),
        default="false",
    ),
    overrides="Any value of the YAML can be given: --model.NAME VALUE, --training.NAME VALUE.",
)
def train(args: Namespace) -> None:
    from nnsvs_lite.io.settings import find_config
    from nnsvs_lite.models.config import FAMILIES
    from nnsvs_lite.training.run import train

    settings = vars(args) | {"overwrite": args.overwrite == "true"}
    del settings["quiet"]
    trained = train(find_config(FAMILIES, settings.pop("config")), **settings)
    print(f"{args.out} is {'trained' if trained else 'up to date'}")


@stage(
    "predict phone times and acoustic features of every phrase of a set",
    options.DUMP,
    arg("--set", "set in it", required=True),
    arg("--out", "decode dir to write", required=True),
    arg("--timelag", "exp dir of the time-lag model"),
    arg("--duration", "exp dir of the duration model"),
    arg("--acoustic", "exp dir of the acoustic model"),
    flag("--natural", "take the recordings' own features instead"),
    flag("--true-times", "sing in the recordings' own times, and F0 where the model is given it"),
    options.GPUS,
    arg("--seed", "of models that draw by chance in inference", default=0),
    options.TRUST_CODE,
)
def decode(args: Namespace) -> None:
    from nnsvs_lite.synthesis.decode import decode, decode_natural

    if args.natural:
        made = decode_natural(args.dump, args.set, args.out)
    else:
        timing = () if args.true_times else ("timelag", "duration")
        models = {name: getattr(args, name) for name in (*timing, "acoustic")}
        if missing := [name for name, path in models.items() if path is None]:
            raise DataError(f"--{missing[0]} is needed, or --natural")
        models |= {"device": "cuda" if args.ngpu else "cpu", "seed": args.seed, "trust_code": args.trust_code}
        made = decode(args.dump, args.set, args.out, **models)
    print(f"{args.out} is {'decoded' if made else 'up to date'}")


@stage(
    "turn decoded features into waveforms",
    arg("--decode-dir", "folder that decode wrote", required=True),
    arg(
        "--vocoder",
        "exp dir of a trained one, or world, hn or griffin_lim by name; WORLD or Griffin-Lim if not given",
    ),
    arg("--out", "folder to write, if not --decode-dir: several vocoders stand side by side"),
    arg("--voice", "exp dir of the acoustic model, which the vocoder joins as a voice"),
    options.PROCESSES,
    options.GPUS,
    options.TRUST_CODE,
    stage="out|decode_dir",
)
def vocode(args: Namespace) -> None:
    from nnsvs_lite.synthesis.vocode import vocode

    device = "cuda" if args.ngpu else "cpu"
    made = vocode(args.decode_dir, args.nj, args.vocoder, device, args.trust_code, args.out, args.voice)
    print(f"{args.out or args.decode_dir}: waveforms are {'made' if made else 'up to date'}")


@stage(
    "score decoded waveforms: results.json and RESULTS.md",
    arg("--dump", "dump dir, such as dump/world_24k", type=Path, required=True),
    arg("--set", "set of the dump", default="eval"),
    many("--system", "decode folder; repeat for each system", metavar="NAME=DIR"),
    arg("--out", "results.json to write", type=Path, required=True),
    arg("--results-md", "RESULTS.md to write", type=Path),
    options.NATURAL_DATA,
    arg("--truth", "folder with known phone times and F0; needs --data", type=Path),
    options.EXPERIMENTS,
    arg("--title", "heading of RESULTS.md", default="Results"),
    arg("--command", "command line to state in RESULTS.md", default=""),
    flag("--espnet", "compute the metrics of ESPnet too (slower); needs --data"),
    flag("--mos", "predict opinions too, DistillMOS and DNSMOS (slower); needs --data and the extra mos"),
    options.PROCESSES,
    stage="out.parent",
)
def evaluate(args: Namespace) -> int:
    from nnsvs_lite.evaluation.scoring import Material
    from nnsvs_lite.evaluation.system import named_paths
    from nnsvs_lite.report.evaluate import evaluate

    material = Material(args.dump, args.set, args.data, args.truth, args.espnet, args.mos)
    systems, exps = named_paths(args.system, "--system"), named_paths(args.exp, "--exp")
    return evaluate(material, systems, args.out, args.results_md, exps, args.title, args.command, args.nj)


@stage(
    "make the results page from scored waveforms: one HTML file",
    arg("--results", "results.json of nnsvs-lite evaluate", type=Path, required=True),
    arg("--out", "HTML file to write", type=Path, required=True),
    many("--system", "decode folder, where it was moved", metavar="NAME=DIR"),
    options.EXPERIMENTS,
    options.NATURAL_DATA,
    options.MEGABYTES,
    stage="out.parent",
)
def report(args: Namespace) -> None:
    from nnsvs_lite.evaluation.system import named_paths
    from nnsvs_lite.report.page import build_page

    systems, exps = named_paths(args.system, "--system"), named_paths(args.exp, "--exp")
    written = build_page(args.results, args.out, systems, exps, args.data, args.megabytes)
    print(f"report: {args.out} {'written' if written else 'is up to date'}")
