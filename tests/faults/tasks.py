"""What workers are made to do instead of training; named so that a spawned process finds it."""

import os
import signal

from initlab.runner.sweep import train_cohort


def kill_worker_of_seed_one(cohort):
    """Train, but die of any cohort with seed 1."""
    if any(run.settings.seed == 1 for run in cohort):
        os.kill(os.getpid(), signal.SIGKILL)
    return train_cohort(cohort)


def kill_worker_once(cohort):
    """Train, but die the first time that seed 1 comes by: a file remembers."""
    mark = os.environ["INITLAB_TEST_MARK"]
    if any(run.settings.seed == 1 for run in cohort) and not os.path.exists(mark):
        with open(mark, "x"):
            os.kill(os.getpid(), signal.SIGKILL)
    return train_cohort(cohort)


def fail_for_he(cohort):
    """Train, but raise for any cohort with a He network."""
    if any(str(run.settings.init.scheme) == "he" for run in cohort):
        raise RuntimeError("no such luck\nwith He")
    return train_cohort(cohort)
