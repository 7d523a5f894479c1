"""Which configurations and trained models a recipe takes."""

from pathlib import Path

from test_recipe_svs import Recipe


def test_configurations_are_named_by_name_or_path(tmp_path: Path) -> None:
    recipe = Recipe(tmp_path)
    other = recipe.folder / "mine" / "wide.yaml"
    other.parent.mkdir()
    other.touch()
    done = recipe.run("--timelag-config", "conf/timelag/ridge.yaml", "--duration-config", "mine/wide.yaml")
    assert done.returncode == 0, done.stderr
    assert "train --config conf/timelag/ridge.yaml " in recipe.calls_file.read_text()
    assert "train --config mine/wide.yaml --out exp/duration_wide_world_48k " in recipe.calls_file.read_text()
    assert {call for call in recipe.calls if call.startswith("config")} == {
        "config timelag conf/timelag/ridge.yaml --check",
        "config duration mine/wide.yaml",
        "config duration mine/wide.yaml --check",
    }


def test_configurations_and_trained_models_of_another_family_are_refused(tmp_path: Path) -> None:
    recipe = Recipe(tmp_path)
    assert recipe.run().returncode == 0
    (recipe.folder / "wide.yaml").touch()
    done = recipe.run("--duration-config", "wide.yaml", "--stage", "4", FAIL="config")
    assert done.returncode == 1 and recipe.calls == ["config duration wide.yaml"]
    exp = "exp/timelag_ridge_world_48k"
    (recipe.folder / exp / "config.yaml").touch()
    done = recipe.run("--duration-exp", exp, "--stage", "5", FAIL="config")
    assert done.returncode == 1 and recipe.calls == [f"config duration {exp}/config.yaml"]
