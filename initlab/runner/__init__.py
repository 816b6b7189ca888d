"""Which runs, where, and what is kept.

YAML -> config.load_experiment -> Experiment -> grid.expand -> Runs -> store.missing -> grid.cohorts ->
executors -> training.train -> store.save -> records -> tables
"""
