import pytest
from click.testing import CliRunner

import small_translation
from ls_base.errors import InputError
from lsk.main import cli

pytestmark = pytest.mark.tensorflow


def invoke(*arguments):
    return CliRunner().invoke(cli, [str(a) for a in arguments], catch_exceptions=False)


def test_prepare_reports_its_files_and_overwrites_nothing(tmp_path):
    settings = small_translation.settings(tmp_path)
    assignments = [f"--set={key}={value}" for key, value in settings.items() if "data" in key]
    arguments = ["prepare", "--task=translation", *assignments, "--out", tmp_path / "data"]
    done = invoke(*arguments)
    assert done.exit_code == 0
    assert "train: 40 examples\n" in done.output
    assert f"Prepared: {tmp_path / 'data'}\n" in done.output
    assert (tmp_path / "data" / "prepared.json").is_file()
    with pytest.raises(InputError, match="Expected a new or empty directory"):
        invoke(*arguments)


def test_unknown_settings_are_refused_with_near_matches(tmp_path):
    with pytest.raises(InputError, match="Near matches: data.vocabulary_size"):
        invoke("prepare", "--task=translation", "--set=data.vocab=9", "--out", tmp_path / "data")
