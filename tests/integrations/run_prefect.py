"""Runs our flow once with the real Prefect, in Prefect's own environment.

Usage: run_prefect.py FLOW_FILE OUTPUT. Writes the state and the tries of each task as JSON.
"""

import importlib.util
import json
import sys
from pathlib import Path

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterFlowRunId

spec = importlib.util.spec_from_file_location("prefect_flow", sys.argv[1])
module = importlib.util.module_from_spec(spec)
sys.modules["prefect_flow"] = module
spec.loader.exec_module(module)
module.stage = module.stage.with_options(retry_delay_seconds=1)
state = module.ecluse(return_state=True)
run_id = state.state_details.flow_run_id
with get_client(sync_client=True) as client:
    ours = TaskRunFilter(flow_run_id=TaskRunFilterFlowRunId(any_=[run_id]))
    tasks = {
        each.name.rpartition("-")[0]: [each.state_name, each.run_count]
        for each in client.read_task_runs(task_run_filter=ours)
    }
found = {"state": state.name, "run_id": str(run_id), "tasks": tasks}
Path(sys.argv[2]).write_text(json.dumps(found))
