"""`cpm repair`: what to change so that there is a plan."""

from __future__ import annotations

from cpm_opt.cli.options import Fix, Forbid, Instance, Json, Model, Settings
from cpm_opt.cli.solve import TimeLimit


def repair(
    instance: Instance,
    model: Model = None,
    settings: Settings = None,
    fix: Fix = None,
    forbid: Forbid = None,
    time_limit: TimeLimit = None,
    json: Json = False,
) -> int:
    """Find the cheapest changes that make an infeasible plan feasible, and rules that contradict each other."""
    from cpm_opt.cli.boundary import DONE
    from cpm_opt.cli.output import check_words, progress, show, waiting, write_json
    from cpm_opt.cli.solve import LIMIT, NO_PLAN
    from cpm_opt.pipeline import read_problem
    from cpm_opt.report.repairs import repair_facts, repair_report
    from cpm_opt.study.repair import BEYOND, OUT_OF_TIME
    from cpm_opt.study.repair import repair as repaired

    check_words(instance=instance, model=model, set=settings, fix=fix, forbid=forbid)
    progress(f"reading {instance} ...")
    problem = read_problem(instance, model, settings or (), time_limit, fix or (), forbid or ())
    with waiting(f"looking for a repair, {problem.spec.solver.time_limit:g} seconds at most ..."):
        found = repaired(problem)
    if json:
        write_json(repair_facts(found))
    else:
        show(repair_report(found))
    return {BEYOND: NO_PLAN, OUT_OF_TIME: LIMIT}.get(found.status, DONE)
