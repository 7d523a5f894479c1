"""A neural vocoder is trained by the command: alone at first, then against its discriminators."""

import json

import torch
from toy import make_dump, make_recordings

from nnsvs_lite.bin.main import main
from nnsvs_lite.models.checkpoint import load, load_model


def test_the_discriminators_begin_when_they_are_told(tmp_path):
    dump = make_dump(tmp_path / "dump", {"train": 3, "dev": 1}, notes=(1, 1))
    data = make_recordings(dump, tmp_path / "data")
    words = [
        "train",
        "--config",
        "nsf_hifigan_tiny",
        "--dump",
        dump,
        "--data",
        data,
        "--out",
        tmp_path / "exp",
    ]
    words += ["--training.updates=4", "--training.eval_updates=1", "--training.crop_frames=24"]
    words += ["--training.batch_frames=48", "--model.channels=16", "--model.options.adversarial_from=2"]
    assert main([str(word) for word in words]) == 0
    rows = [json.loads(line) for line in (tmp_path / "exp" / "losses.jsonl").read_text().splitlines()]
    judged = [{"adversarial", "features", "discriminator"} <= set(row["train"]) for row in rows]
    assert judged == [False, False, False, True, True]
    states = load(tmp_path / "exp" / "last.pt")["states"]
    steps = {
        name: {int(s["step"]) for s in states[f"{name}.optimizer"]["state"].values()}
        for name in ("generator", "discriminator")
    }
    assert steps == {"generator": {4}, "discriminator": {2}}
    weights = load_model(tmp_path / "exp", "vocoder").state_dict()
    assert not [name for name in weights if "members" in name], "the discriminators are not kept"
    assert all(torch.equal(value, states["generator"][name]) for name, value in weights.items())
