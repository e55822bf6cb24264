"""The command that checks a setup: doctor."""

import json
from dataclasses import asdict

import click

from orchestration.cli.options import json_option
from orchestration.errors import ConfigurationError

MARKS = {"well": "ok  ", "warned": "warn", "failed": "FAIL"}


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Check this setup, and say how to mend what is not well.

    Python, packages, disk, tools, ports; the warehouse's version, rights, clock; what dead runs
    left; whether each source can be reached. Changes nothing. Exit code 2 when a run cannot work.
    """
    from orchestration.doctor import FAILED, examine

    findings = []
    for finding in examine():
        findings.append(finding)
        if not as_json:
            click.echo(f"{MARKS[finding.state]}  {finding.check:10} {finding.said}")
            if finding.mend:
                click.echo(f"{'':16} mend: {finding.mend}")
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=1))
    if bad := sum(finding.state == FAILED for finding in findings):
        raise ConfigurationError(f"No run can work here: {bad} of {len(findings)} checks failed.")


COMMANDS: tuple[click.Command, ...] = (doctor,)
