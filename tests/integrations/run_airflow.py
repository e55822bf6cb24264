"""Runs our DAG once with the real Airflow, in Airflow's own environment.

Usage: run_airflow.py DAG_FILE OUTPUT. Writes the state and the tries of each task as JSON.
"""

import importlib.util
import json
import sys
from datetime import timedelta
from pathlib import Path

spec = importlib.util.spec_from_file_location("airflow_dag", sys.argv[1])
module = importlib.util.module_from_spec(spec)
sys.modules["airflow_dag"] = module
spec.loader.exec_module(module)
dag = module.built.operator.dag
for task in dag.tasks:
    task.retry_delay = timedelta(seconds=1)
run = dag.test()
tasks = {each.task_id: [each.state, each.try_number] for each in run.get_task_instances()}
outlets = {task.task_id: [outlet.name for outlet in task.outlets] for task in dag.tasks}
found = {"state": run.state, "run_id": run.run_id, "tasks": tasks, "outlets": outlets}
Path(sys.argv[2]).write_text(json.dumps(found, default=str))
