"""`curate train --slurm` on a real Slurm of one node, where Debian's packages are present; and its script."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("megatron.core", reason="the train extra is not installed")

from schemas.errors import CurateError, WrongCall
from tests.pipelines.test_engines import curate
from tests.trainers.conftest import log, stage
from trainers.launch.chain import PlannedStage
from trainers.stage import load_stage

pytestmark = pytest.mark.slow
DAEMONS = ("slurmctld", "slurmd", "munged", "sbatch", "scontrol")

CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmctldPort={controller}
SlurmdPort={node}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SchedulerType=sched/builtin
SelectType=select/cons_tres
ReturnToService=2
MpiDefault=none
JobRequeue=1
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=2000 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def slurm(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Munge, controller and one node in a folder of their own."""
    missing = [name for name in DAEMONS if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(
            f"needs root and Debian's slurmctld, slurmd, slurm-client and munge ({', '.join(missing) or 'no root'})"
        )
    folder = Path("/run") / f"slurm-test-{os.getpid()}"  # munge wants no folder above that others may write to
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    host = socket.gethostname().split(".")[0]
    conf = folder / "slurm.conf"
    conf.write_text(CONF.format(host=host, folder=folder, controller=free_port(), node=free_port()))
    environment = {**os.environ, "SLURM_CONF": str(conf), "OMP_NUM_THREADS": "1"}
    munge = ["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={folder}/munge.socket"]
    munge += [f"--pid-file={folder}/munge.pid", f"--log-file={folder}/munge.log", f"--seed-file={folder}/munge.seed"]
    daemons = [subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for command in (munge, ["slurmctld", "-D"], ["slurmd", "-D", "-N", host])]  # fmt: skip
    try:
        deadline = time.monotonic() + 30
        while (
            "idle"
            not in subprocess.run(["sinfo", "-h", "-o", "%t"], env=environment, capture_output=True, text=True).stdout
        ):
            if time.monotonic() > deadline or daemons[1].poll() is not None:
                told = (folder / "slurmctld.log").read_text()[-400:] if (folder / "slurmctld.log").exists() else ""
                pytest.skip(f"Slurm does not start here: {told}")
            time.sleep(0.3)
        yield environment
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
        for daemon in daemons:
            daemon.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


def test_a_job_trains_is_preempted_and_goes_on(slurm: dict[str, str], corpus: Path, tmp_path: Path) -> None:
    recipe = stage(tmp_path, "job", "tensor: 1", ("steps: 20", "steps: 60"))
    out = tmp_path / "model"
    number = curate("train", recipe, "--manifest", corpus, "--out", out, "--slurm", env=slurm).stdout.strip()
    assert number.isdigit()

    def state() -> str:
        told = subprocess.run(["squeue", "-h", "-j", number, "-t", "all", "-o", "%T"], env=slurm, capture_output=True, text=True)  # fmt: skip
        return told.stdout.strip()

    def told() -> str:
        return "\n".join(one.read_text() for one in out.glob("slurm-*.log"))

    def last_step() -> int:
        return int(log(out)[-1]["step"]) if (out / "log.jsonl").exists() and log(out) else 0

    deadline = time.monotonic() + 150
    while last_step() < 5:
        assert time.monotonic() < deadline, (state(), told())
        time.sleep(0.1)
    subprocess.run(["scancel", "--signal=TERM", number], env=slurm, check=True)
    # While it is requeued squeue may show nothing of it: the end is the last step, not an empty queue.
    while last_step() < 60 or state() != "COMPLETED":
        if state() == "PENDING":  # requeued; Slurm would wait two minutes
            subprocess.run(["scontrol", "update", f"jobid={number}", "StartTime=now"], env=slurm, capture_output=True)
        assert time.monotonic() < deadline, (state(), told())
        time.sleep(0.5)
    assert "asked to stop: saved" in told()


def test_the_script_of_several_nodes_meets_at_the_first(tmp_path: Path) -> None:
    from trainers.launch.slurm import script

    wide = load_stage(stage(tmp_path, "many", "tensor: 2, data: 8", ("global: 8", "global: 16")))
    narrow = load_stage(stage(tmp_path, "few", "tensor: 2"))
    chain = [PlannedStage(wide, tmp_path / "model" / "many"), PlannedStage(narrow, tmp_path / "model" / "few")]
    text = script(tmp_path / "many.yaml", tmp_path / "run", tmp_path / "model", None, chain, 8)
    assert "#SBATCH --nodes=2" in text
    assert "srun --nodes=2 --ntasks=2 --ntasks-per-node=1" in text
    assert "--nnodes=2 --nproc-per-node=8 --rdzv-backend=c10d" in text
    assert "srun --nodes=1 --ntasks=1 --ntasks-per-node=1" in text
    assert "--nnodes=1 --nproc-per-node=2 --rdzv-backend=c10d" in text
    assert text.index("model/many/stage.json") < text.index("model/few/stage.json")
    assert "#SBATCH --signal=TERM@120" in text
    assert subprocess.run(["bash", "-n"], input=text, text=True).returncode == 0


@pytest.mark.parametrize("wide", [False, True])
def test_a_path_with_signs_of_the_shell_stays_one_argument(wide: bool, tmp_path: Path) -> None:
    from trainers.launch.slurm import script

    nasty = tmp_path / "a b;touch PWNED;$(touch PWNED)`touch PWNED`'\""
    config = load_stage(stage(tmp_path, "job", "data: 4" if wide else "tensor: 1"))
    out = tmp_path / "model;touch-PWNED$(x)"
    text = script(nasty / "job.yaml", nasty, out, nasty, [PlannedStage(config, out)], 2)
    shims = tmp_path / "bin"
    shims.mkdir()
    for name in ("srun", "scontrol"):
        (shims / name).write_text(f'#!/bin/bash\nprintf "%s\\0" "$@" >> {tmp_path}/{name}.args\n')
        (shims / name).chmod(0o755)
    environment = {"PATH": f"{shims}:{os.environ['PATH']}", "SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "n[1-2]"}
    done = subprocess.run(["bash"], input=text, text=True, cwd=tmp_path, env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr
    given = (tmp_path / "srun.args").read_text().split("\0")
    assert str(nasty) in given
    assert str(out) in given
    assert not list(tmp_path.rglob("PWNED"))


@pytest.mark.parametrize("sign", [" ", "\n", "'", '"', "\\", "\t", "\x7f"])
def test_an_out_that_no_directive_can_hold_is_refused(sign: str, tmp_path: Path) -> None:
    from trainers.launch.slurm import script

    config = load_stage(stage(tmp_path, "job", "tensor: 1"))
    out = tmp_path / f"mo{sign}del"
    with pytest.raises(WrongCall, match="Slurm's directives cannot"):
        script(tmp_path / "job.yaml", tmp_path / "run", out, None, [PlannedStage(config, out)], 8)


@pytest.mark.parametrize("name", ["a\nb", "../up", "a;b", "a b", "-flag", ".hidden", "", "x" * 101, "$(x)"])
def test_a_name_that_is_none_is_refused_before_it_becomes_a_file(name: str, tmp_path: Path) -> None:
    good = stage(tmp_path, "job", "tensor: 1")
    good.write_text(good.read_text().replace("name: tiny", f"name: {json.dumps(name)}"))
    with pytest.raises(CurateError, match="name"):
        load_stage(good)
