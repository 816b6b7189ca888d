"""Which runs are trained, where, and what is kept of them.

YAML -> config.load_experiment -> Experiment -> grid.expand -> Runs -> store.missing -> grid.cohorts ->
executors -> training.train -> store.save -> records -> tables
"""
