"""`lsk tasks`."""

import json
import shlex

from click.testing import CliRunner

from lsk.main import cli
from own_files import write_data, write_model


def called(*arguments):
    return CliRunner().invoke(cli, arguments, catch_exceptions=False)


def test_json_has_a_schema_and_every_task():
    found = json.loads(called("tasks", "--json").stdout)
    assert found["schema"] == 1
    assert {"image", "keras", "speech", "translation"} <= {task["name"] for task in found["tasks"]}


def test_the_printed_command_works(tmp_path):
    hints = [called("tasks", task).stdout.splitlines()[-1] for task in ("image", "keras")]
    assert hints == [
        "All settings: lsk settings image",
        "All settings: lsk settings keras --model FILE.py:function --data FILE.npz",
    ]
    _, *command = shlex.split(hints[1].partition(": ")[2])
    own = {"FILE.py:function": write_model(tmp_path), "FILE.npz": write_data(tmp_path)}
    done = called(*(str(own.get(word, word)) for word in command))
    assert (done.exit_code, "[training]" in done.stdout) == (0, True)
