"""Kills workers of two-process trainings at random points, resumes them, and compares the ends.

    python benchmarks/worker_kills.py [--backend jax] [--kills 20] [--seed 0]

Each run is killed once, either of its workers, at a time drawn over the length of an undisturbed
run (loading, training, validating, saving and scoring). The other is ended as
`lsk_engine.devices.local_workers` does. Then both are started again, and what they leave is
compared with what an undisturbed run left, byte for byte: `tests/support/kills.py` says what may
differ.
"""

import argparse
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

SUPPORT = Path(__file__).parents[1] / "tests" / "support"
sys.path.insert(0, str(SUPPORT))

WORKERS = 2
FAREWELL_SECONDS = 3.0
STORY = "story"  # a case of `train_on_replicas.py`
_SERVER = multiprocessing.get_context("forkserver")


def work(environment: dict[str, str], folder: str, log: str) -> None:
    """Is a worker: forked from a process that has imported, and computed nothing."""
    import runpy

    os.environ |= environment
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    sys.argv = ["train_on_replicas.py", "processes", folder, STORY]
    runpy.run_path(str(SUPPORT / sys.argv[0]), run_name="__main__")


def start(folder: Path) -> list:
    from lsk_engine.devices.local_workers import free_addresses
    from lsk_engine.devices.process_env import ADDRESSES, COUNT, INDEX, TF_CONFIG, tf_config

    addresses = free_addresses(WORKERS)
    processes = []
    for index in range(WORKERS):
        environment = {
            TF_CONFIG: tf_config(addresses, index),
            ADDRESSES: addresses[0],
            COUNT: str(WORKERS),
            INDEX: str(index),
        }
        log = f"{folder}-worker-{index}.txt"
        process = _SERVER.Process(target=work, args=(environment, str(folder), log))
        process.start()
        processes.append(process)
    return processes


def wait(processes: list, seconds: float) -> list[int | None]:
    until = time.monotonic() + seconds
    for process in processes:
        process.join(max(until - time.monotonic(), 0))
    return [process.exitcode for process in processes]


def end(processes: list) -> None:
    for process in processes:
        process.kill()
        process.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", default="tensorflow", choices=("tensorflow", "jax"))
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    os.environ["KERAS_BACKEND"] = options.backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    _SERVER.set_forkserver_preload(["keras", "lsk_engine.experiment", options.backend])
    from kills import differences

    rng, lost, resumed, others = random.Random(options.seed), 0, 0, []
    with tempfile.TemporaryDirectory(prefix="worker-kills-") as name:
        folder = Path(name)
        wait(warm := start(folder / "warm"), 900)
        end(warm)
        begun = time.monotonic()
        processes = start(folder / "whole")
        codes = wait(processes, 900)
        end(processes)
        seconds = time.monotonic() - begun
        assert codes == [0] * WORKERS, (folder / "whole-worker-0.txt").read_text()
        print(f"uninterrupted: {seconds:.1f} s", flush=True)
        for number in range(options.kills):
            run = folder / f"run-{number}"
            processes = start(run)
            time.sleep(rng.uniform(0, seconds))
            victim = rng.randrange(WORKERS)
            alive = processes[victim].is_alive()
            steps = sorted(f.stem for f in run.glob(f"processes/{STORY}/checkpoints/step-*.npz"))
            if alive:
                os.kill(processes[victim].pid, signal.SIGKILL)
            # The other may say that it is alone; then it is ended.
            codes = wait(processes, FAREWELL_SECONDS)
            others.append(codes[1 - victim])
            end(processes)
            processes = start(run)
            codes = wait(processes, 900)
            end(processes)
            ends = [one / "processes" / STORY for one in (folder / "whole", run)]
            found = differences(*ends) if codes == [0, 0] else []
            well = codes == [0] * WORKERS and not found
            lost += not well
            resumed += alive
            print(
                f"kill {number + 1}: worker {victim}, {'alive' if alive else 'had ended'}, newest "
                f"{steps[-1] if steps else 'none'}; other {others[-1]}; resumed {codes}; "
                f"{'equal' if well else found or 'failed'}",
                flush=True,
            )
            if codes != [0] * WORKERS:
                for index in range(WORKERS):
                    print((Path(f"{run}-worker-{index}.txt")).read_text()[-1500:], flush=True)
    print(f"{options.kills} runs, {resumed} killed while running, {lost} lost")
    sys.exit(bool(lost))


if __name__ == "__main__":
    main()
