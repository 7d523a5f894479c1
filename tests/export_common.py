"""A small voice of 44.1 kHz mel spectra, with weights by chance, that can be a bank."""

from dataclasses import replace
from pathlib import Path

from models_common import ROOT, build, shaken

from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.checkpoint import save_model
from nnsvs_lite.models.config import Config
from nnsvs_lite.models.pack import assemble


def spec_44k(dump: Path, speakers: tuple[str, ...] = ("toy",)) -> Spec:
    """A toy mel dump's spec as of ``conf/features/mel_44k.yaml``, of spectra of no great loudness."""
    spec = Spec.read(dump)
    config = FeatureConfig.read(ROOT / "conf" / "features" / "mel_44k.yaml")
    size, bins = spec.streams["mel"], config.mel.bins
    quieter = lambda row: tuple(row[i % size] - 4.0 for i in range(bins))  # noqa: E731
    moments = spec.stats.streams["mel"]
    wide = replace(
        moments,
        mean=quieter(moments.mean),
        std=tuple(moments.std[i % size] for i in range(bins)),
        min=quieter(moments.min),
        max=quieter(moments.max),
    )
    phones = {
        p: replace(s, stream_mean={"mel": quieter(s.stream_mean["mel"])})
        for p, s in spec.stats.phones.items()
    }
    stats = replace(spec.stats, streams=spec.stats.streams | {"mel": wide}, phones=phones, gv={})
    return replace(spec, feature_config=config, streams=config.streams, speakers=speakers, stats=stats)


def make_voice(spec: Spec, folder: Path, acoustic: str = "divided_singer_tiny") -> Path:
    """An exp dir that sings, with the vocoder that has nothing to learn."""
    names = {"timelag": "rule", "duration": "rule", "acoustic": acoustic, "vocoder": "hn"}
    for family, name in names.items():
        path = ROOT / "conf" / family / f"{name}.yaml"
        model = build(path, spec) if family == "vocoder" else shaken(build(path, spec), 0.01)
        save_model(folder / family / "model.pt", model, Config.read(path), {})
    voice = folder / "acoustic"
    assemble(voice, **{family: folder / family / "model.pt" for family in names if family != "acoustic"})
    return voice
