"""Commands beside the recipe's steps; each calls one function of the package, imported when it runs."""

import sys
from argparse import Namespace
from pathlib import Path

from nnsvs_lite import BOXED_VOICE
from nnsvs_lite.bin import command as options
from nnsvs_lite.bin.command import arg, command, flag, many
from nnsvs_lite.io.errors import DataError


@command(
    "print the path of a configuration, such as acoustic sinsy_tiny, or the names of a kind",
    arg("kind", "features, align, timelag, duration, acoustic, vocoder"),
    arg("name", "a name, or a path, which must be there; all names if not given", nargs="?"),
    flag("--check", "read that of a model whole, with the options of training that follow"),
    answers=True,
    overrides="With --check any value of the YAML can be given: --model.NAME VALUE, --training.NAME VALUE.",
)
def config(args: Namespace) -> None:
    from nnsvs_lite.io.settings import config_names, find_config
    from nnsvs_lite.models.config import FAMILIES, Config, check_family

    if args.name is not None and args.kind in FAMILIES:
        check_family(find_config(args.kind, args.name), args.kind)
    if args.check:
        Config.read(find_config(args.kind, args.name or ""), args.overrides)
    elif args.overrides:
        raise DataError(f"unknown option {args.overrides[0]!r} without --check")
    print("\n".join(config_names(args.kind)) if args.name is None else find_config(args.kind, args.name))


@command(
    "say where a public corpus comes from and check a copy of it (stage -1); all corpora if none is named",
    arg("name", "name of the corpus, such as kiritan", nargs="?"),
    arg("--db-root", "a copy to be checked, or where to download to", metavar="FOLDER"),
    arg("--unpack", "an archive of the corpus, to be unpacked into that folder first", metavar="FILE"),
    answers=True,
)
def corpus(args: Namespace) -> None:
    from nnsvs_lite.corpus import facts as known
    from nnsvs_lite.corpus import fetch

    if args.name is None:
        for facts in map(known.read_facts, (*known.known_corpora(), *known.known_corpora("pitch1"))):
            print(f"{facts.name:16}{'/'.join(facts.languages):6} {facts.title}: {facts.licence.name}")
        return
    facts = known.read_facts(args.name)
    if args.db_root is None or not facts.recipe:
        print(fetch.describe(facts))
        return
    if args.unpack is not None:
        fetch.unpack(args.unpack, Path(args.db_root))
    try:
        lines = fetch.check_copy(facts, args.db_root)
    except DataError:
        if not facts.get.urls:
            print(fetch.describe(facts))
            raise
        fetch.fetch(facts, args.db_root)
        lines = fetch.check_copy(facts, args.db_root)
    print("\n".join(lines))


@command(
    "stage 0: list every fault of data dirs; exit status 1 if there is any",
    arg("data", "data dir, such as data/train", nargs="+", metavar="DATA_DIR"),
    arg("--lang", "language of utterances that do not state theirs, such as ja"),
    arg("--tolerance", "seconds by which score, labels and audio may differ", default=0.5),
    arg("--dump", "feature tables to be checked as well", metavar="DUMP_DIR"),
    arg(
        "--sound",
        "what is heard, and sets that overlap: faults, warnings, or not looked for",
        choices=("fault", "warn", "skip"),
        default="fault",
    ),
    options.PROCESSES,
    answers=True,
)
def validate(args: Namespace) -> int:
    from nnsvs_lite.corpus.check_sets import check_sets
    from nnsvs_lite.corpus.validate import lyrics_alone, validate

    count = 0
    for path in args.data:
        faults = validate(path, lang=args.lang, tolerance=args.tolerance, dump=args.dump)
        for fault in faults:
            print(fault)
        if lyrics_alone(Path(path)):
            print(f"{path}: lyrics without a score, which stage 1 can align and draft a score for")
        count += len(faults)
    for fault in check_sets(args.data, args.nj) if args.sound != "skip" else ():
        print(fault if args.sound == "fault" else f"warning: {fault}")
        count += args.sound == "fault"
    print(f"{count} fault{'' if count == 1 else 's'} in {', '.join(args.data)}")
    return 1 if count else 0


_TARGET = arg("target", "data dir to write")
_SOURCE = (arg("source", "data dir to read"), _TARGET)
_SUBSET = (
    *_SOURCE,
    arg("--utts", "utterances to keep", nargs="+", metavar="UTT"),
    arg("--utt-list", "file with one of them a line", type=Path),
    arg("--first", "the first N utterances", type=int, metavar="N"),
)
_SEGMENT = (
    *_SOURCE,
    arg("--min-rest", "shortest silence to cut at, seconds", default=0.2),
    arg("--min-length", "shortest phrase, seconds", default=2.0),
    arg("--max-length", "longest phrase, where it can be cut", default=15.0),
    arg("--margin", "silence kept at both ends, seconds", default=0.3),
)
_SYNC = (*_SOURCE, arg("--search", "largest offset looked for, seconds", default=3.0))


@command(
    "tools on data dirs: subset, combine, sync, segment, fix",
    {
        "subset": ("some utterances", _SUBSET),
        "segment": ("songs into phrases, cut at rests", _SEGMENT),
        "sync": ("songs without labels: scores moved to where they are sung", _SYNC),
        "fix": ("sort, drop repeated ids and CRLF, rebuild spk2utt", _SOURCE),
        "combine": ("several data dirs as one", (arg("sources", "data dirs to read", nargs="+"), _TARGET)),
    },
)
def data(args: Namespace) -> None:
    from dataclasses import fields

    from nnsvs_lite.corpus.combine import combine
    from nnsvs_lite.corpus.datadir import DataDir
    from nnsvs_lite.corpus.fix import fix
    from nnsvs_lite.corpus.segment import Cutting, segment_at_rests
    from nnsvs_lite.io.atomic import read_text

    if args.tool == "fix":
        for remark in fix(args.source, args.target):
            print(remark)
        return
    if args.tool == "combine":
        made = combine(args.sources, args.target)
        print(f"{made.path}: {len(made.utts)} utterances of {', '.join(made.speakers)}")
        return
    data = DataDir.read(args.source)
    if args.tool == "sync":
        from nnsvs_lite.align.config import SyncConfig
        from nnsvs_lite.align.sync import move_scores

        data, found = move_scores(data, SyncConfig(search=args.search))
        for utt, sync in found.items():
            print(
                f"{utt}: {sync.offset:+.3f} s, tempo x{1 / sync.stretch:.4f}, "
                f"{sync.transposition:+.1f} semitones, agreement {sync.agreement:.0%}"
            )
    elif args.tool == "segment":
        data = segment_at_rests(data, **{f.name: getattr(args, f.name) for f in fields(Cutting)})
    else:
        utts = list(args.utts or []) + (read_text(args.utt_list).split() if args.utt_list else [])
        data = data.subset([*utts, *data.utts[: args.first or 0]])
    data.write(args.target)
    print(f"{args.target}: {len(data.utts)} utterances")


@command(
    "write the notes of a recording: as MusicXML or UST to go on with, or as a table",
    arg("audio", "recording of one voice"),
    arg("-o --out", "file to write: .musicxml, .ust, or .csv with seconds, Hz, length", required=True),
    arg("--lyrics", "text file with its words; without, every note is sung on la"),
    arg("--lang", "language of the words", default="ja"),
    arg("--tempo", "quarter notes a minute; found if not given", type=float),
    arg(
        "--key",
        "sharps, flats negative (-7 to 7); found if not given",
        type=int,
        choices=range(-7, 8),
        metavar="N",
    ),
)
def transcribe(args: Namespace) -> None:
    from nnsvs_lite.recordings.transcribe import transcribe

    settings = {name: getattr(args, name) for name in ("lang", "lyrics", "tempo", "key")}
    score = transcribe(args.audio, args.out, **settings)
    count = sum(not note.is_rest for note in score.notes)
    print(f"{args.out}: {count} notes")


@command(
    "draw phrases of an alignment: waveform, spectrogram, score, boundaries",
    arg("--out", "experiment folder of nnsvs-lite align", required=True, metavar="DIR"),
    options.DATA_DIRS,
    many("--utt", "utterance to draw; may be repeated"),
    arg("--worst", "how many of the least sure, where none is named", default=12),
)
def align_report(args: Namespace) -> None:
    from nnsvs_lite.report.alignment import align_report

    print(align_report(args.out, args.data, utts=args.utt, worst=args.worst))


@command(
    "write the report card of a voice: how it sings beside its singer, what to record next; one HTML page",
    arg("voice", "exp dir of a finished recipe's acoustic model, or a packed voice"),
    arg("-o --out", "HTML file to write; card.html in the exp dir, or beside the packed voice"),
    arg("--dump", "dump dir that it was trained on; looked for in its recipe"),
    options.TRAIN_SET,
    arg("--results", "results.json of nnsvs-lite evaluate; that in the exp dir"),
)
def card(args: Namespace) -> None:
    from nnsvs_lite.report.card import build_card

    print(f"card: {build_card(args.voice, args.out, args.dump, args.train_set, args.results)} written")


@command(
    "pack a trained voice into one file, or show what is in one",
    arg("exp", "exp dir of a finished recipe's acoustic model, or a packed voice", nargs="?"),
    arg("-o --out", "file to write, such as voice.nnsvs"),
    arg("--licence", "text file with the terms of the corpus; the recipe's if not given"),
    arg("--corpus", "name of the corpus; the recipe's if not given"),
    options.VOCODER,
    flag("--onnx", "also put in graphs, by which it sings without torch (sing --runtime onnx)"),
    arg("--show", "say what a packed voice holds, and write nothing", metavar="FILE"),
    options.TRUST_CODE,
)
def pack(args: Namespace) -> None:
    from nnsvs_lite.models import pack

    if args.show:
        if args.exp or args.out:
            raise DataError("--show goes alone")
        print(pack.Pack.read(args.show).describe())
        return
    if not (args.exp and args.out):
        raise DataError("an exp dir and -o voice.nnsvs are needed, or --show FILE")
    graphs = None
    if args.onnx:
        from nnsvs_lite.export.voicegraphs import graph_files as graphs
    given = (args.licence, args.corpus, args.vocoder, args.trust_code, graphs)
    made = pack.pack(args.exp, args.out, *given)
    size = made.path.stat().st_size / 1e6
    print("\n".join([f"{args.out}: {size:.1f} MB, corpus {made.manifest['corpus']}", *made.limits]))


@command(
    "write a voice for another player, or say what OpenUtau would say of a bank",
    arg(
        "voice",
        "exp dir of a finished recipe's acoustic model, or a packed voice; for enunu and web the one in the "
        "box if not given",
        nargs="?",
    ),
    arg("--to", "which player", choices=("openutau", "enunu", "web"), default="openutau"),
    arg("-o --out", "file to write, a .zip; for web a new folder"),
    options.VOCODER,
    arg("--name", "of the singer; the voice's"),
    arg("--author", "who made the voice", default=""),
    arg("--image", "picture of the singer, .png or .jpg", metavar="FILE"),
    arg("--runtime", "web: the archive of onnxruntime-web; downloaded if not given", metavar="TGZ"),
    arg("--check", "a bank, anybody's, to be checked; nothing is written", metavar="DIR|ZIP"),
    options.TRUST_CODE,
)
def export(args: Namespace) -> int:
    if args.check:
        from nnsvs_lite.export.replay import check

        if args.voice or args.out:
            raise DataError("--check goes alone")
        wrong, sung = check(args.check)
        print(
            "\n".join(
                [*map(str, wrong), f"{len(wrong)} fault{'' if len(wrong) == 1 else 's'} in {args.check}"]
            )
        )
        if sung:
            pitch = sung["pitch"]
            print(f"sung: {pitch['notes']} notes, {pitch['median_cents']:+.1f} cents in the median")
        return 1 if wrong else 0
    # The voice in the box cannot be a bank.
    voice = args.voice or (BOXED_VOICE if args.to != "openutau" else None)
    if not (voice and args.out):
        raise DataError("a voice and -o NAME.zip, for web -o FOLDER, are needed, or --check BANK")
    told = {name: getattr(args, name) for name in ("name", "author", "image", "trust_code")}
    if args.runtime and args.to != "web":
        raise DataError("--runtime is for --to web")
    if args.to == "enunu":
        from nnsvs_lite.export.enunusinger import export_enunu

        if args.vocoder:
            raise DataError("--vocoder is for --to openutau: the server sings with the voice's own")
        out = export_enunu(voice, args.out, **told)
        print(f"{out}: for OpenUtau, while 'nnsvs-lite serve --enunu --model {voice}' runs")
        return 0
    if args.to == "web":
        import shlex

        from nnsvs_lite.export.webpage import export_web

        if told.pop("image"):
            raise DataError("--image is for OpenUtau: a page shows none")
        made = export_web(voice, args.out, vocoder=args.vocoder, runtime=args.runtime, **told)
        print(f"{made}\nserve it: python -m http.server --bind 127.0.0.1 --directory {shlex.quote(args.out)}")
        return 0
    from nnsvs_lite.export.openutau import export_openutau

    print(export_openutau(voice, args.out, vocoder=args.vocoder, **told))
    return 0


@command(
    "make a vocoder of weights of HiFi-GAN, openvpi's NSF-HiFi-GAN, or ParallelWaveGAN",
    arg("checkpoint", "file of weights"),
    arg("-o --out", "exp dir to write: model.pt, and features.yaml for --features-config", required=True),
    arg("--config", "configuration of the generator; the one beside the weights", metavar="FILE"),
    arg("--stats", "ParallelWaveGAN: stats.npy, by which its features were normalised", metavar="FILE"),
)
def convert_vocoder(args: Namespace) -> None:
    from nnsvs_lite.models.foreign import convert_vocoder

    made = convert_vocoder(args.checkpoint, args.out, args.config, args.stats)
    rate, hop = made.spec.sample_rate, made.hop
    print(f"{args.out}: {type(made).__name__} for {rate} Hz and frames of {hop} samples: features.yaml")


STYLE_OPTIONS = (
    arg("--part", "name or number of the part to sing; the first with lyrics"),
    arg("--voice", "voice of a part that has several; the one with lyrics"),
    arg("--verse", "verse to sing", default=1),
    arg("--lyrics", "words to sing in place of the score's: a text file, or the text itself", metavar="TEXT"),
    arg("--lang", "language of the lyrics; the voice's, or its first"),
    arg("--singer", "name or number (from 0) of the singer; the first"),
    arg("--transpose", "semitones", default=0),
    arg("--tempo", "factor; 2 is twice as fast", default=1.0),
    arg("--timing", "strength of time lags, 0 to 2; 0 keeps to the beats", default=1.0),
    arg("--vibrato", "strength of the vibrato, 0 to 3; 0 removes it", default=1.0),
    arg("--vibrato-depth", "cents to either side, 0 to 200, whatever the voice; as it sings", type=float),
    arg("--vibrato-rate", "Hz, 4 to 8; as the voice sings", type=float),
    arg("--vibrato-delay", "seconds from the vowel's start, 0 to 2; as the voice sings", type=float),
    arg("--pitch-deviation", "strength of all that sets the pitch off from the score, 0 to 2", default=1.0),
    arg("--breathiness", "dB of more breath, -20 to 20", default=0.0),
    arg("--gender", "factor of the formants, 0.7 (darker) to 1.4 (brighter)", default=1.0),
    arg("--seed", "of models that draw by chance; another is another take", default=0),
    arg("--temperature", "how far takes lie apart, 0 to 2", default=1.0),
)
"""Options that ``Singer.sing`` has by the same name."""


@command(
    "write a score file in another format, with the pitch and loudness that are drawn in it",
    arg("score", "score file: MusicXML, MIDI, UST and others; see docs/scores.md"),
    arg("out", "file to write: .musicxml, .mid, .ust, .ustx, .svp or .ds"),
    arg("--part", "name or number of the part to write; all, where the format holds several"),
    arg("--lang", "language of the lyrics", default="ja"),
    options.STRICT,
)
def convert(args: Namespace) -> None:
    from nnsvs_lite.score.formats.writers import convert

    parts = convert(args.score, args.out, part=args.part, lang=args.lang)
    print(f"{args.out}: {len(parts)} part{'s' * (len(parts) > 1)}, {sum(len(p.notes) for p in parts)} notes")


@command(
    "sing a score file with a trained voice",
    arg("score", "score file: MusicXML, MIDI, UST and others; see docs/scores.md"),
    options.VOICE,
    arg("-o --out", "file to write, .wav or .flac; with --stream .wav, .raw, or - for stdout", required=True),
    flag("--stream", "write sound while it is made, to be heard at once"),
    *STYLE_OPTIONS,
    many("--retake", "notes to sing anew and a seed for them, such as 3,7-9@42", metavar="NOTES@SEED"),
    arg("--label", "file with phone times to keep to: .lab (HTS or seconds), .ctm, .TextGrid"),
    arg(
        "--curves", "NPZ file of loudness, breathiness, voicing, tension; see docs/singing.md", metavar="NPZ"
    ),
    flag("--plain", "leave out the pitch and loudness that the score file itself draws"),
    arg("--write", "also write the song as sung: .ustx, .svp, .ds, .musicxml, .mid, .ust", metavar="SCORE"),
    arg("--tables", "also write phone times and features to this folder", metavar="DIR"),
    options.VOCODER,
    flag("--verbose", "also say under which terms the voice may be used"),
    options.STRICT,
    options.DEVICE,
    options.RUNTIME,
    options.TRUST_CODE,
)
def sing(args: Namespace) -> None:
    from nnsvs_lite.features.audio import container_of

    # Before anything slow is done.
    if args.stream:
        from nnsvs_lite.synthesis.streaming import check_name, write_stream

        check_name(args.out)
        if args.tables or args.write:
            raise DataError("--tables and --write are of a whole song: they go without --stream")
    else:
        container_of(args.out)
    if args.write:
        from nnsvs_lite.score.formats.writers import find_writer

        find_writer(args.write)
    from nnsvs_lite.synthesis.singer import Singer
    from nnsvs_lite.synthesis.takes import read_retake

    style = {name: getattr(args, name) for name in options.keys(STYLE_OPTIONS)}
    voice = Singer.load(args.model, args.device, args.vocoder, args.trust_code, args.runtime)
    takes = [*map(read_retake, args.retake)]
    style |= {"labels": args.label, "curves": args.curves, "retake": takes, "drawn": not args.plain}
    if args.stream:
        size, parts = voice.stream(args.score, **style)
        rate = voice.spec.sample_rate
        clipped = write_stream(args.out, size, parts, rate)
        told = f"; {clipped} samples were too loud and are clipped" if clipped else ""
        if told or not args.quiet:
            print(f"{args.out}: {size / rate:.1f} s{told}", file=sys.stderr if args.out == "-" else None)
        return
    song = voice.sing(args.score, **style)
    if args.tables:
        song.write_tables(args.tables)
    if args.write:
        song.write_score(args.write)
    song.write(args.out)
    if args.verbose:
        from nnsvs_lite.models.pack import terms_of

        print(
            terms_of(args.model, set(voice.singers)).strip()
            or "The terms of this voice's corpus are not known."
        )
    print(f"{args.out}: {song.duration:.1f} s")


@command(
    "open a small studio in the browser: write or open a score, sing it, hear it; or answer other editors",
    many(
        "--model",
        "exp dir of a finished recipe's acoustic model, or a packed voice; may be repeated: songs are sung "
        "with the first unless they name another; the one in the box if not given",
        metavar="VOICE",
    ),
    many("--voices", "folder of packed voices to choose from; may be repeated", metavar="DIR"),
    flag("--voicevox", "answer as the song part of VOICEVOX ENGINE does, in place of the studio"),
    flag("--enunu", "answer as an ENUNU server does, to OpenUtau, in place of the studio"),
    arg(
        "--port",
        "port of 127.0.0.1; 0 takes any that is free; 8000, 50021 for --voicevox, 15556 for --enunu",
        type=int,
    ),
    options.DEVICE,
    options.RUNTIME,
    flag("--open", "open the page in your browser"),
    options.TRUST_CODE,
    answers=True,
)
def serve(args: Namespace) -> None:
    if args.voicevox and args.enunu:
        raise DataError("--voicevox and --enunu are two servers: start each on its own")
    if args.enunu or args.voicevox:
        if len(args.model) > 1 or args.voices:
            raise DataError("other editors are answered with one voice: give one --model, and no --voices")
        model = args.model[0] if args.model else BOXED_VOICE
    if args.enunu:
        from nnsvs_lite.export.enunu import PORT, serve_enunu

        port = PORT if args.port is None else args.port
        return serve_enunu(model, port, args.device, args.trust_code, args.runtime)
    if args.voicevox:
        from nnsvs_lite.export.voicevox import PORT, serve_voicevox

        port = PORT if args.port is None else args.port
        return serve_voicevox(model, port, args.device, args.trust_code, args.runtime)
    from nnsvs_lite.studio.server import serve

    port = 8000 if args.port is None else args.port
    serve(args.model, port, args.device, args.open, args.trust_code, args.voices, args.runtime)
